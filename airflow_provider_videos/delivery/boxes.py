"""An MP4's boxes, walked as they go by: they tell a whole file from one that was cut short."""

from __future__ import annotations

_SIZE_AND_TYPE = 8
_WITH_LONG_SIZE = 16
_OF_THIS_SIZE_AND_MORE = 1
_TO_THE_END = 0


class Boxes:
    """
    Walks through the top level of an MP4.

    A box is a size, a type and that many bytes. So the file ends where its last box does, and one that ends
    anywhere else was cut short. ``moov`` is the index without which nothing can be played.
    """

    def __init__(self) -> None:
        self.damage: str | None = None
        self._header = bytearray()
        self._left = 0
        self._types: list[bytes] = []
        self._endless = False

    def feed(self, chunk: bytes) -> None:
        """
        Walk on.

        :param chunk: the file's next bytes.
        """
        at = 0
        while at < len(chunk) and not self._endless and not self.damage:
            step = min(self._left, len(chunk) - at)
            self._left -= step
            at += step
            if not self._left:
                wanted = self._header_size() - len(self._header)
                self._header += chunk[at : at + wanted]
                at += wanted
                self._read_header()

    def missing(self) -> str | None:
        """Say what is missing, if the file ends here."""
        if self._endless:
            return None
        if self._left or self._header:
            return f"it ends in the middle of {self._name()}"
        return None if b"moov" in self._types else "it has no index (moov)"

    def _header_size(self) -> int:
        if len(self._header) < _SIZE_AND_TYPE:
            return _SIZE_AND_TYPE
        return _WITH_LONG_SIZE if _number(self._header[:4]) == _OF_THIS_SIZE_AND_MORE else _SIZE_AND_TYPE

    def _read_header(self) -> None:
        if len(self._header) < self._header_size():
            return
        size, kind = _number(self._header[:4]), bytes(self._header[4:8])
        if size == _OF_THIS_SIZE_AND_MORE:
            size = _number(self._header[8:16])
        if not kind.isascii() or not kind.decode("latin-1").isprintable():
            self.damage = "where a box should begin stands something else"
        elif size == _TO_THE_END:
            self._endless = True
        elif size < len(self._header):
            self.damage = f"its box {kind.decode()} claims to be smaller than its own header"
        self._types.append(kind)
        self._left = max(size - len(self._header), 0)
        self._header.clear()

    def _name(self) -> str:
        return f"its box {self._types[-1].decode()}" if self._left else "the header of a box"


def _number(digits: bytes | bytearray) -> int:
    return int.from_bytes(digits, "big")
