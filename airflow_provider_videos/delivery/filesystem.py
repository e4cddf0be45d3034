"""Files of any filesystem that fsspec knows."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from fsspec.spec import AbstractBufferedFile

from airflow_provider_videos.api.errors import DeliveryError, Taken
from airflow_provider_videos.delivery.sinks import Leave, Standing, Trace, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem

_READ_BYTES = 1024 * 1024


class FilesystemFile:
    """
    A file of an fsspec filesystem, committed at the end or discarded, never just closed.

    Closing a file commits it, also when an error is on its way, unless it was opened in a transaction. Where
    files know nothing of transactions it is written under a temporary name and moved.

    :param filesystem: the filesystem, which knows its credentials.
    :param path: the file's path in it.
    :param uri: its address, with the connection that may stand in it.
    :param leave: is told a temporary name.
    :param replace: allow the place of another file to be taken.
    """

    def __init__(
        self, filesystem: AbstractFileSystem, path: str, uri: str, leave: Leave, *, replace: bool = True
    ) -> None:
        self.hint: str | None = None
        self._filesystem = filesystem
        self._replace = replace
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
                size = self._filesystem.size(self._path)
                return Standing(size or 0, str(self._filesystem.checksum(self._path)))
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
            folder = self._path.rpartition("/")[0]
            if folder and not self._filesystem.isdir(folder):
                self._filesystem.makedirs(folder, exist_ok=True)
            # Opening a file that cannot be discarded would already empty the one that stands there.
            self._file = self._opened(self._temporary)
            self._moves = not hasattr(self._file, "discard")
            if self._moves:
                self._leave({"uri": self._uri, "temporary": self._temporary})
            else:
                self._discard()
                self._file = self._opened(self._path)
        return self

    def write(self, chunk: bytes) -> None:
        with self._as_delivery_error():
            self._file.write(chunk)

    def flush(self) -> None:
        with self._as_delivery_error():
            self._file.flush()

    def commit(self) -> None:
        if not self._replace:
            self._check_nothing_stands()
        with self._as_delivery_error():
            self._file.close()
            if self._moves:
                self._filesystem.mv(self._temporary, self._path)
            else:
                self._file.commit()
            self._done = True

    def _check_nothing_stands(self) -> None:
        # fsspec knows no exclusive commit, so this is the last moment at which it can be seen.
        if self.standing():
            raise Taken(f"{self._uri} exists already")
        self.hint = "this file system has no exclusive commit: it was checked that nothing stood there"

    def _opened(self, path: str) -> Any:
        transaction = self._filesystem.start_transaction()
        try:
            return self._filesystem.open(path, "wb")
        finally:
            transaction.files.clear()  # the file is ours to commit
            self._filesystem.end_transaction()

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
            with suppress(OSError):  # what went wrong before is the news
                self._discard()

    @contextmanager
    def _as_delivery_error(self, verb: str = "written") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DeliveryError(f"{self._uri} cannot be {verb}: {error.strerror or error}") from error


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
