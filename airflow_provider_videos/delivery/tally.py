"""What is known of a file while its bytes go by: length, hash and format, and what is missing or wrong."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from airflow_provider_videos.api.containers import ENOUGH_TO_TELL, MP4, Container, sniff
from airflow_provider_videos.delivery.boxes import Boxes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.api.client import Content


class Tally:
    """One file, counted and hashed in a single pass."""

    def __init__(self) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.total: int | None = None
        self._head = b""
        self._boxes = Boxes()
        self._promised = self.sha256
        self._digest = ""

    @property
    def container(self) -> Container | None:
        """The file's format, once its first bytes have come."""
        return sniff(self._head)

    def expect(self, content: Content[Iterator[bytes]]) -> None:
        """
        Take note of what the server promises.

        :param content: the answer that begins with the file's first byte.
        """
        self.total = content.total
        if content.digest:
            algorithm, self._digest = content.digest
            self._promised = (
                self.sha256 if algorithm == "sha256" else hashlib.new(algorithm, usedforsecurity=False)
            )

    def add(self, chunk: bytes) -> None:
        """
        Count the next bytes.

        :param chunk: the bytes.
        """
        self.size += len(chunk)
        self.sha256.update(chunk)
        if self._promised is not self.sha256:
            self._promised.update(chunk)
        if len(self._head) < ENOUGH_TO_TELL:
            self._head += chunk[: ENOUGH_TO_TELL - len(self._head)]
        self._boxes.feed(chunk)

    def missing(self) -> str | None:
        """Say what is missing, if no more bytes come; some of it may still be had."""
        if self.total is None:
            return self._cut_short()
        return f"{self.total} bytes were promised and {self.size} came" if self.size < self.total else None

    def damage(self) -> str | None:
        """Say what no further bytes can mend."""
        if self.total is not None and self.size > self.total:
            return f"{self.total} bytes were promised and more came"
        damage = self._boxes.damage if self.container is MP4 else None
        return damage and f"the MP4 is damaged: {damage}"

    def flaw(self) -> str | None:
        """Say what is wrong with all that came."""
        if self._digest and self._promised.hexdigest() != self._digest:
            return f"its {self._promised.name} is not the one that the server sent along"
        return self._cut_short()

    def _cut_short(self) -> str | None:
        missing = self._boxes.missing() if self.container is MP4 else None
        return missing and f"the MP4 of {self.size} bytes is not whole: {missing}"
