"""Files on this machine."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from airflow_provider_videos.api.errors import DeliveryError
from airflow_provider_videos.delivery.sinks import Leave, Standing, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator


class LocalFile:
    """
    A file on this machine: written under a temporary name beside the target, synced, then renamed.

    :param path: the target; missing folders are made.
    :param leave: is told the temporary name.
    """

    def __init__(self, path: Path, leave: Leave) -> None:
        self._path = path
        self._leave = leave
        self._temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")

    def standing(self) -> Standing | None:
        with _as_delivery_error(self._path):
            try:
                found = self._path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return Standing(found.st_size, str(found.st_mtime_ns))

    def __enter__(self) -> Self:
        self._leave({"temporary": str(self._temporary)})
        with _as_delivery_error(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("xb")
        return self

    def write(self, chunk: bytes) -> None:
        with _as_delivery_error(self._path):
            self._file.write(chunk)

    def commit(self) -> None:
        with _as_delivery_error(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._temporary.replace(self._path)
            _sync(self._path.parent)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk is reported once, by the write that met it
            self._file.close()
        self._temporary.unlink(missing_ok=True)


def discard(trace: Trace) -> None:
    """
    Remove what a killed process has left.

    :param trace: what :class:`LocalFile` left.
    """
    with suppress(OSError):
        Path(trace["temporary"]).unlink()


def _sync(folder: Path) -> None:
    """See to it that a rename survives a power failure, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _as_delivery_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeliveryError(f"{path} cannot be written: {error.strerror or error}") from error
