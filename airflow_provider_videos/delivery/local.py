"""Files on this machine."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote

from airflow_provider_videos.api.errors import DeliveryError, InvalidRequest, Taken
from airflow_provider_videos.delivery.sinks import EXPECTED, Leave, Standing, Store, Trace, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    from airflow_provider_videos.delivery.destinations import Destination, Stores
    from airflow_provider_videos.delivery.sinks import Description, Sink

_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_SYNC_EVERY_BYTES = 64 * 1024 * 1024


class LocalFile:
    """
    A file on this machine: written under a temporary name beside the target, synced, then renamed.

    A long file is synced while it is written, so that the disk has little left to do at the end.

    :param path: the target; missing folders are made.
    :param leave: is told the temporary name.
    :param replace: allow the place of another file to be taken.
    """

    def __init__(self, path: Path, leave: Leave, *, replace: bool = True) -> None:
        self.hint: str | None = None
        self._path = path
        self._leave = leave
        self._replace = replace
        self._temporary = path.with_name(temporary_name(path.name))
        self._thread = ThreadPoolExecutor(1, "sync")
        self._syncing: Future[None] | None = None
        self._unsynced = 0

    def standing(self) -> Standing | None:
        with _as_delivery_error(self._path, "read"):
            try:
                found = self._path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return Standing(found.st_size, str(found.st_mtime_ns))

    def sha256(self) -> str:
        with _as_delivery_error(self._path, "read"), self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def __enter__(self) -> Self:
        self._leave({"temporary": str(self._temporary), "host": socket.gethostname()})
        with _as_delivery_error(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("xb")
        return self

    def write(self, chunk: bytes) -> None:
        with _as_delivery_error(self._path):
            self._file.write(chunk)
            self._unsynced += len(chunk)
            if self._unsynced >= _SYNC_EVERY_BYTES:
                self._finish_sync()
                self._syncing = self._thread.submit(os.fdatasync, self._file.fileno())
                self._unsynced = 0

    def _finish_sync(self) -> None:
        """Wait for the sync that is under way: a failure of it is told once, and to nobody else."""
        if self._syncing:
            self._syncing.result()

    def flush(self) -> None:
        with _as_delivery_error(self._path):
            self._file.flush()

    def commit(self) -> None:
        with _as_delivery_error(self._path):
            self._file.flush()
            self._finish_sync()
            os.fsync(self._file.fileno())
            if self._replace:
                self._temporary.replace(self._path)
            else:
                self._appear()
        _sync(self._path.parent)

    def _appear(self) -> None:
        """Take the name if nobody has it; not every file system can say that in one step."""
        for step in (os.link, _rename_exclusively):
            try:
                step(self._temporary, self._path)
            except FileExistsError:
                raise Taken(f"{self._path.as_uri()} exists already") from None
            except OSError:
                continue
            return
        if os.path.lexists(self._path):
            raise Taken(f"{self._path.as_uri()} exists already")
        self._temporary.replace(self._path)
        self.hint = "this file system has no exclusive rename: it was checked that nothing stood there"

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        with suppress(OSError):  # a full disk is reported once, by the write that met it
            self._file.close()
        with suppress(OSError):  # what was committed stays committed
            self._temporary.unlink(missing_ok=True)


class LocalStore(Store):
    """File systems of this machine: a place is an absolute path."""

    kind = "local"
    leftover_fields = frozenset({"temporary"})
    shapes_without_kind = (frozenset({"temporary"}), frozenset({"temporary", "host"}))

    def sink(
        self,
        place: Destination,
        description: Description,
        stores: Stores,  # noqa: ARG002 - paths need no client
        leave: Leave,
    ) -> Sink:
        return LocalFile(Path(place.path), leave, replace=description.replace)

    def discard(self, leftover: Trace, stores: Stores) -> bool:  # noqa: ARG002 - likewise
        return discard(leftover)

    def check_access(self, place: Destination, stores: Stores) -> None:
        """Need nothing."""

    def split(self, rest: str) -> tuple[str, str] | None:
        host, _, path = rest.partition("/")
        if host not in {"", "localhost"}:
            return None
        return "", absolute_path("/" + unquote(path, errors="surrogateescape"))

    def split_uri(self, parts: SplitResult) -> tuple[str, str]:
        return parts.netloc, unquote(parts.path, errors="surrogateescape")

    def uri(self, place: Destination) -> str:
        return f"file://{quote(os.fsencode(place.path))}"

    def dataset_name(self, place: Destination) -> tuple[str, str]:
        return "file", place.path


def absolute_path(path: str) -> str:
    """
    Return a path from the root on, with the slash at the end of a folder.

    :param path: the path as a user writes it.
    :raises InvalidRequest: if no file can be there.
    """
    if not path:
        raise InvalidRequest(f"{EXPECTED}; it is empty")
    if "\0" in path:
        raise InvalidRequest(f"{EXPECTED}; it holds a zero byte")
    whole = Path(path).absolute()
    if os.path.isdir(whole) and not path.endswith("/"):  # noqa: PTH112 - a name that is too long is none
        raise InvalidRequest(f"destination {path} is a folder: end it with / to put a file into it")
    plain = "/" + str(whole).strip("/")  # POSIX lets two slashes stand at the beginning
    return plain + ("/" if path.endswith("/") and plain != "/" else "")


def discard(trace: Trace) -> bool:
    """
    Remove what a killed process has left, and say whether it is gone.

    :param trace: what :class:`LocalFile` left.
    """
    try:
        Path(trace["temporary"]).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return "host" not in trace or bool(trace["host"] == socket.gethostname())
    except OSError:
        return False
    return True


def _rename_exclusively(source: Path, target: Path) -> None:
    """Rename as Linux does it since 3.15, for file systems without hard links."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE):
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))


def _sync(folder: Path) -> None:
    """Help a rename to survive a power failure; where that can't be had, the file itself was synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _as_delivery_error(path: Path, verb: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeliveryError(f"{path} cannot be {verb}: {error.strerror or error}") from error
