"""Files of any filesystem that fsspec knows."""

from __future__ import annotations

import hashlib
import inspect
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from fsspec.spec import AbstractBufferedFile

from airflow_provider_videos.api.errors import DeliveryError, Taken, VideosError
from airflow_provider_videos.delivery.sinks import (
    Description,
    Leave,
    Standing,
    Store,
    Trace,
    temporary_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fsspec import AbstractFileSystem

    from airflow_provider_videos.delivery.destinations import Destination, Stores
    from airflow_provider_videos.delivery.sinks import Sink

_READ_BYTES = 1024 * 1024
_BLOCK_BYTES = 8 * 1024 * 1024
"""How much of a file is kept in memory until a store takes it; their own defaults go up to 50 MiB."""


class FilesystemFile:
    """
    A file of an fsspec filesystem, committed at the end or discarded, never just closed.

    Closing a file commits it, also when an error is on its way, unless it was opened in a transaction. Where
    files know nothing of transactions it is written under a temporary name and moved.

    :param filesystem: the filesystem, which knows its credentials.
    :param path: the file's path in it.
    :param uri: its address, with the connection that may stand in it.
    :param leave: is told a temporary name.
    :param description: what the store is told of the file, as far as it keeps such things.
    """

    def __init__(
        self,
        filesystem: AbstractFileSystem,
        path: str,
        uri: str,
        leave: Leave,
        description: Description | None = None,
    ) -> None:
        self.hint: str | None = None
        self._filesystem = filesystem
        self._description = description or Description("application/octet-stream")
        self._path = path
        self._uri = uri
        self._leave = leave
        folder, slash, name = path.rpartition("/")
        self._temporary = f"{folder}{slash}{temporary_name(name)}"
        self._moves = self._done = False

    def standing(self) -> Standing | None:
        with self._as_delivery_error("read"):
            self._filesystem.invalidate_cache()
            try:
                found = self._filesystem.info(self._path)
                version = str(self._filesystem.checksum(self._path))
                return Standing(found["size"] or 0, version, _labels(found.get("metadata")))
            except FileNotFoundError:
                return None

    def sha256(self) -> str:
        digest = hashlib.sha256()
        with self._as_delivery_error("read"), self._filesystem.open(self._path, "rb") as file:
            while chunk := file.read(_READ_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def __enter__(self) -> Self:
        with self._as_delivery_error():
            # Opening a file that cannot be discarded would already empty the one that stands there.
            self._file = self._opened_in_folder(self._temporary)
            self._moves = not hasattr(self._file, "discard")
            if self._moves:
                self._leave({"uri": self._uri, "temporary": self._temporary})
            else:
                self._discard()
                is_store = isinstance(self._file, AbstractBufferedFile)
                exclusive = is_store and not self._description.replace
                self._file = self._opened(self._path, exclusive=exclusive)
        return self

    def write(self, chunk: bytes) -> None:
        with self._as_delivery_error():
            self._file.write(chunk)

    def flush(self) -> None:
        with self._as_delivery_error():
            if isinstance(self._file, AbstractBufferedFile):
                self._file.blocksize = self._file.buffer.tell()  # what there is, is enough for a block
            self._file.flush()

    def commit(self) -> None:
        if not self._description.replace:
            self._check_nothing_stands()
        with self._as_delivery_error():
            try:
                self._file.close()
                if self._moves:
                    self._filesystem.mv(self._temporary, self._path)
                else:
                    self._file.commit()
            except FileExistsError:
                raise Taken(f"{self._uri} exists already") from None
            self._done = True

    def _check_nothing_stands(self) -> None:
        # Where the commit is not exclusive, this is the last moment at which it can be seen.
        if self.standing():
            raise Taken(f"{self._uri} exists already")
        if not self._is_exclusive:
            self.hint = "this file system has no exclusive commit: it was checked that nothing stood there"

    @property
    def _is_exclusive(self) -> bool:
        return isinstance(self._file, AbstractBufferedFile) and self._file.mode == "xb"

    def _opened_in_folder(self, path: str) -> Any:
        """Open a file, and make its folder where there are folders: an object store would make a bucket."""
        try:
            file = self._opened(path)
        except FileNotFoundError:
            self._make_folder()
            return self._opened(path)
        if not isinstance(file, AbstractBufferedFile):
            self._make_folder()
        return file

    def _make_folder(self) -> None:
        folder = self._path.rpartition("/")[0]
        if folder and not self._filesystem.isdir(folder):
            self._filesystem.makedirs(folder, exist_ok=True)

    def _opened(self, path: str, *, exclusive: bool = False) -> Any:
        transaction = self._filesystem.start_transaction()
        try:
            if exclusive:
                with suppress(NotImplementedError, ValueError):
                    return self._opened_as("xb", path)
            return self._opened_as("wb", path)
        finally:
            transaction.files.clear()  # the file is ours to commit
            self._filesystem.end_transaction()

    def _opened_as(self, mode: str, path: str) -> Any:
        known = inspect.signature(self._filesystem._open).parameters
        labels = {_as_name(label): value for label, value in self._description.labels.items()}
        told = {"metadata": labels, "content_settings": {"content_type": self._description.content_type}}
        options = {name: value for name, value in told.items() if name in known}
        return self._filesystem.open(path, mode, block_size=_BLOCK_BYTES, **options)

    def _discard(self) -> None:
        if isinstance(self._file, AbstractBufferedFile):
            self._file.closed = True  # closing, which its destructor does, would upload the rest
        else:
            self._file.close()
        if self._moves:
            self._filesystem.rm_file(self._temporary)
        else:
            self._file.discard()

    def __exit__(self, *_: object) -> None:
        if not self._done:
            with suppress(Exception):  # what went wrong before is the news
                self._discard()

    @contextmanager
    def _as_delivery_error(self, verb: str = "written") -> Iterator[None]:
        try:
            yield
        except VideosError:
            raise
        except Exception as error:
            raise DeliveryError(f"{self._uri} cannot be {verb}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Name an error of whichever library a filesystem is made of; a store's words may be a signed address."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return f"{type(error).__name__} {status}" if isinstance(status, int) else type(error).__name__


def _as_name(label: str) -> str:
    # Azure takes identifiers alone.
    return label.replace("-", "_")


def _labels(metadata: object) -> Mapping[str, str]:
    found = metadata.items() if isinstance(metadata, dict) else ()
    return {str(name).replace("_", "-"): str(value) for name, value in found}


class FilesystemStore(Store):
    """Any store that fsspec has a filesystem for."""

    kind = "fsspec"
    leftover_fields = frozenset({"uri", "temporary"})
    shapes_without_kind = (leftover_fields,)

    def sink(self, place: Destination, description: Description, stores: Stores, leave: Leave) -> Sink:
        filesystem, path = stores.filesystem(place.address)
        return FilesystemFile(filesystem, path, place.address, leave, description)

    def discard(self, leftover: Trace, stores: Stores) -> bool:
        return discard(stores.filesystem(leftover["uri"])[0], leftover)

    def check_access(self, place: Destination, stores: Stores) -> None:
        stores.filesystem(place.address)


def discard(filesystem: AbstractFileSystem, trace: Trace) -> bool:
    """
    Remove what a killed process has left, and say whether it is gone.

    :param filesystem: the filesystem.
    :param trace: what :class:`FilesystemFile` left.
    """
    try:
        filesystem.rm_file(trace["temporary"])
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
