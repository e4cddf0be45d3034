"""
Where bytes go. A sink takes them to a place nobody looks at; only :meth:`Sink.commit` makes them the file.

Leaving the ``with`` block of a sink without a commit leaves nothing behind.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

Trace = dict[str, Any]
"""What has to be known to take back what a killed process has begun; plain JSON."""

Traits = dict[str, Any]
"""What is known of a store, which checksum it verifies for one; plain JSON."""

Leave = Callable[[Trace], None]
"""Writes a trace down."""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What stands at a destination.

    :param size_bytes: its length.
    :param version: what changes when it does: an ETag, or the time of its modification.
    :param labels: what was said of it when it was written, where a store keeps that.
    """

    size_bytes: int
    version: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Description:
    """
    What a store is told of a file.

    :param content_type: its media type.
    :param labels: the video's id, model and so on, in ASCII; kept by stores that keep such things.
    :param replace: allow the place of another file to be taken, also of one that appears meanwhile.
    """

    content_type: str
    labels: Mapping[str, str] = field(default_factory=dict)
    replace: bool = True


NAME_BYTES = 100
"""How much of a file's name a temporary name repeats; file systems count bytes, 255 and fewer."""


def temporary_name(name: str) -> str:
    """
    Return a hidden name that nothing else has, and that fits wherever the file's own does.

    :param name: the file's name.
    """
    known = os.fsencode(name)[:NAME_BYTES].decode(errors="ignore")
    return f".{known}.{secrets.token_hex(4)}.part"


class Sink(Protocol):
    """
    A destination that is written in secret and appears whole.

    :cvar hint: a sentence for the log on what this store could not promise, or None.
    """

    hint: str | None

    def standing(self) -> Standing | None:
        """Say what stands at the destination now."""

    def sha256(self) -> str:
        """Read what stands at the destination and return its SHA-256, in hexadecimal."""

    def __enter__(self) -> Self:
        """Begin."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def flush(self) -> None:
        """Bring what was written to the store, where it still is nobody's file."""

    def commit(self) -> None:
        """
        Make what was written the file.

        :raises Taken: if another file stands there and may not be replaced.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Take back everything that was not committed."""
