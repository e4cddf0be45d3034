"""The chunks of an AVI, which may have several of them in a row, and of a WebP."""

from __future__ import annotations

from airflow_provider_videos.delivery.walker import Walker, is_printable

_ID_AND_SIZE = 8
# Who writes to a pipe cannot come back to fill the size in.
_UNKNOWN_SIZES = {0, 0xFFFFFFFF}


class Chunks(Walker):
    """Walk through the top level of a RIFF file: an id, a size and that many bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._is_begun = False

    def _header_size(self) -> int:
        return _ID_AND_SIZE

    def _enter(self, header: bytes) -> str | None:
        if not is_printable(header[:4]):
            return "where a chunk should begin stands something else"
        self._left = int.from_bytes(header[4:], "little")
        if not self._is_begun and self._left in _UNKNOWN_SIZES:
            self._is_endless = True
        self._is_begun = True
        return None

    def _is_complete(self) -> bool:
        return self._is_begun

    def _lack(self) -> str | None:
        return None

    def _name(self) -> str:
        return "a chunk"
