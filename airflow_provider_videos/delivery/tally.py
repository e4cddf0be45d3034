"""Incremental integrity checks of a file: length, digest and container format."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from airflow_provider_videos.api.containers import (
    AVI,
    AVIF,
    HEIC,
    HEIF,
    JP2,
    MKV,
    MOV,
    MP4,
    WEBM,
    WEBP,
    sniff,
)
from airflow_provider_videos.delivery.background_hash import BackgroundHash
from airflow_provider_videos.delivery.boxes import Boxes
from airflow_provider_videos.delivery.ebml import Elements
from airflow_provider_videos.delivery.riff import Chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_videos.api.client import Content
    from airflow_provider_videos.api.containers import Container
    from airflow_provider_videos.delivery.walker import Walker

_FIRST_BYTES = 64
"""Enough to tell how to walk through a file."""

_WALKERS: dict[Container, Callable[[], Walker]] = {
    **dict.fromkeys((MP4, MOV), Boxes),
    **dict.fromkeys((AVIF, HEIC, HEIF), lambda: Boxes(frozenset({b"meta", b"moov"}), needs_data=False)),
    JP2: lambda: Boxes(frozenset({b"jp2c"}), needs_data=False),
    **dict.fromkeys((AVI, WEBP), Chunks),
    **dict.fromkeys((WEBM, MKV), Elements),
}


class Tally:
    """One file, counted and hashed in a single pass."""

    def __init__(self) -> None:
        self.size = 0
        self.sha256 = BackgroundHash()
        self.total: int | None = None
        self._head = b""
        self._walker: Walker | None = None
        self._promised: BackgroundHash | hashlib._Hash = self.sha256
        self._digest = ""

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
        if len(self._head) < _FIRST_BYTES:
            self._head += chunk
            self._walker = _walker_of(self._head) if len(self._head) >= _FIRST_BYTES else None
        elif self._walker:
            self._walker.feed(chunk)

    def missing(self) -> str | None:
        """Say what is missing, if no more bytes come; some of it may still be had."""
        if self.total is None:
            return self._cut_short()
        return f"{self.total} bytes were promised and {self.size} came" if self.size < self.total else None

    def damage(self) -> str | None:
        """Say what no further bytes can mend."""
        if self.total is not None and self.size > self.total:
            return f"{self.total} bytes were promised and more came"
        if not self._walker or not self._walker.damage or self.total is not None:
            return None
        return f"the {self._format_name()} is damaged: {self._walker.damage}"

    def flaw(self) -> str | None:
        """Say what is wrong with all that came."""
        if self._digest and self._promised.hexdigest() != self._digest:
            return f"its {self._promised.name} is not the one that the server sent along"
        return self._cut_short()

    def _cut_short(self) -> str | None:
        walker = self._walker or _walker_of(self._head)
        if not walker:
            return None
        missing = walker.missing() if self.total is None else walker.flaw()
        return missing and f"the {self._format_name()} of {self.size} bytes is not whole: {missing}"

    def _format_name(self) -> str:
        container = sniff(self._head)
        return container.name if container else "file"


def _walker_of(head: bytes) -> Walker | None:
    """Walk through a file's first bytes; return None if it has a format in which there is no way to."""
    container = sniff(head)
    if container not in _WALKERS:
        return None
    walker = _WALKERS[container]()
    walker.feed(head)
    return walker
