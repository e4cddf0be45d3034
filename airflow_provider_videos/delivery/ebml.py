"""The elements of a WebM or Matroska."""

from __future__ import annotations

from airflow_provider_videos.delivery.walker import Walker

_SEGMENT = b"\x18\x53\x80\x67"
_LONGEST_ID = 4


class Elements(Walker):
    """
    Walk through the elements of a WebM: an id and a size, as long as their first bits tell, and a body.

    A segment or cluster that was written to a pipe may have no size. It is walked through then, and a file
    that ends between two of its parts can't be told from a whole one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_segment = False

    def _header_size(self) -> int:
        id_length = _length(self._header[0]) if self._header else 0
        if id_length > _LONGEST_ID:
            return 1
        if len(self._header) <= id_length or not self._header[id_length]:
            return id_length + 1
        return id_length + _length(self._header[id_length])

    def _enter(self, header: bytes) -> str | None:
        id_length = _length(header[0])
        digits = header[id_length:]
        if not digits or not digits[0]:
            return "where an element should begin stands something else"
        unknown = (1 << 7 * len(digits)) - 1
        size = int.from_bytes(digits, "big") & unknown
        self._left = 0 if size == unknown else size
        self._has_segment |= header[:id_length] == _SEGMENT
        return None

    def _is_complete(self) -> bool:
        return self._has_segment

    def _lack(self) -> str | None:
        return None if self._has_segment else "it has no segment"

    def _name(self) -> str:
        return "an element"


def _length(first: int) -> int:
    """Return how many bytes a number has: one more than there are zeros before the first bit that is set."""
    return 9 - first.bit_length()
