"""The boxes of an MP4, of QuickTime and of the images that are built like them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_videos.delivery.walker import Walker, is_printable

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_SIZE_AND_TYPE = 8
_WITH_LONG_SIZE = 16
_OF_THIS_SIZE_AND_MORE = 1
_TO_THE_END = 0

_MOOV = frozenset({b"moov"})
_INDEXES = {b"moov", b"meta", b"jp2c"}
_SEGMENT, _FRAGMENT, _DATA = b"styp", b"moof", b"mdat"
_NEEDED = {b"ftyp", _SEGMENT, _FRAGMENT, _DATA, *_INDEXES}


class Boxes(Walker):
    """
    Walk through the top level of an MP4.

    A box is a size, a type and that many bytes. So the file ends where its last box does, and one that ends
    anywhere else was cut short. ``moov`` is the index without which nothing can be played; it needs ``mdat``,
    the data, and so does each ``moof``, the index of a fragment.

    :param indexes: the boxes one of which has to be there.
    :param needs_data: whether data have to be in a box of their own.
    """

    def __init__(self, indexes: AbstractSet[bytes] = _MOOV, *, needs_data: bool = True) -> None:
        super().__init__()
        self._indexes = indexes
        self._needs_data = needs_data
        self._kind = b""
        self._seen: set[bytes] = set()
        self._fragments_without_data = 0

    def flaw(self) -> str | None:
        if self._is_complete() and (self._kind not in _NEEDED or not self._left):
            return None  # what stands behind the last box that matters is nobody's concern
        if self.damage or self._left or self._header:
            return self.damage or f"it ends in the middle of {self._name()}"
        return self._lack_of_index()

    def _header_size(self) -> int:
        is_long = self._header[:4] == _OF_THIS_SIZE_AND_MORE.to_bytes(4, "big")
        return _WITH_LONG_SIZE if is_long and len(self._header) >= _SIZE_AND_TYPE else _SIZE_AND_TYPE

    def _enter(self, header: bytes) -> str | None:
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if size == _OF_THIS_SIZE_AND_MORE:
            size = int.from_bytes(header[8:16], "big")
        if not is_printable(kind):
            return "where a box should begin stands something else"
        if size != _TO_THE_END and size < len(header):
            return f"its box {kind.decode()} claims to be smaller than its own header"
        self._is_endless = size == _TO_THE_END
        self._left = max(size - len(header), 0)
        self._note(kind)
        return None

    def _note(self, kind: bytes) -> None:
        self._kind = kind
        if kind in _NEEDED:
            self._seen.add(kind)
        if kind == _FRAGMENT:
            self._fragments_without_data += 1
        elif kind == _DATA:
            self._fragments_without_data = max(self._fragments_without_data - 1, 0)

    def _is_complete(self) -> bool:
        return self._lack() is None

    def _lack(self) -> str | None:
        without_data = self._needs_data and _DATA not in self._seen
        return self._lack_of_index() or (
            "it has an index and no data (mdat)"
            if without_data
            else "the data (mdat) of a fragment are missing"
            if self._fragments_without_data
            else None
        )

    def _lack_of_index(self) -> str | None:
        # A segment of a stream is indexed by its fragments.
        indexes = self._indexes | ({_FRAGMENT} if _SEGMENT in self._seen else set())
        return None if self._seen & indexes else f"it has no index ({min(self._indexes).decode()})"

    def _name(self) -> str:
        is_inside = self._left or self._is_endless
        return f"its box {self._kind.decode()}" if is_inside else "the header of a box"
