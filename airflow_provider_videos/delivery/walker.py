"""Walk through a file's elements as they go by: their lengths tell a whole file from one cut short."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Walker(ABC):
    """
    Walk through the top level of a file in which every element has a header that says how long it is.

    It remembers nothing of the elements but what :meth:`_enter` keeps, so memory does not grow with the file.
    """

    def __init__(self) -> None:
        self.damage: str | None = None
        self._header = bytearray()
        self._left = 0
        self._is_endless = False
        self._has_tail = False
        self._tail_is_padding = True

    def feed(self, chunk: bytes) -> None:
        """
        Walk on.

        :param chunk: the file's next bytes.
        """
        at = 0
        while at < len(chunk) and not (self._is_endless or self._has_tail or self.damage):
            step = min(self._left, len(chunk) - at)
            self._left -= step
            at += step
            if not self._left:
                wanted = self._header_size() - len(self._header)
                self._header += chunk[at : at + wanted]
                at += wanted
                self._read_header()
        if self._has_tail and self._tail_is_padding:
            self._tail_is_padding = not chunk[at:].strip(b"\0")

    def missing(self) -> str | None:
        """Say what is missing or wrong, if the file ends here and nobody has said how long it is."""
        if self.damage:
            return self.damage
        if self._is_endless:
            return f"{self._name()} has no end of its own, and the server does not say how long it is"
        if self._left or self._header:
            return f"it ends in the middle of {self._name()}"
        if not self._tail_is_padding:
            return "behind its end stands something else"
        return self._lack()

    def flaw(self) -> str | None:
        """Say what is wrong with the file, if it ends here and is as long as the server has said."""
        return None

    def _read_header(self) -> None:
        if len(self._header) < self._header_size():
            return
        header = bytes(self._header)
        self._header.clear()
        damage = self._enter(header)
        if damage and self._is_complete():
            self._has_tail, self._tail_is_padding = True, not header.strip(b"\0")
        else:
            self.damage = damage

    @abstractmethod
    def _header_size(self) -> int:
        """Return how long a header is, as far as its beginning tells."""

    @abstractmethod
    def _enter(self, header: bytes) -> str | None:
        """Take in a header: set what follows it, or say what is wrong with it."""

    @abstractmethod
    def _is_complete(self) -> bool:
        """Say whether what came could be a whole file."""

    @abstractmethod
    def _lack(self) -> str | None:
        """Say what a whole file has and this one has not."""

    @abstractmethod
    def _name(self) -> str:
        """Name what the file ends in."""


def is_printable(kind: bytes) -> bool:
    """
    Say whether an element's type is one that people would give it.

    :param kind: the type.
    """
    return kind.isascii() and kind.decode("latin-1").isprintable()
