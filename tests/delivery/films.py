"""Films to deliver: MP4s of any length, and what servers do to them on their way."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_videos.emulator.content import Bytes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1024 * 1024
FTYP = b"\0\0\0\x14ftypisom\0\0\0\0isom"


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def film(size: int, seed: int = 0) -> bytes:
    """An MP4 of a length, at least 36 bytes, its picture data at random."""
    noise = random.Random(f"{seed}/{size}").randbytes(size - len(FTYP) - 16)
    return FTYP + box(b"mdat", noise) + box(b"moov", b"")


def noise(size: int, seed: int) -> bytes:
    return random.Random(f"{seed}/{size}").randbytes(size)


def mov(size: int, seed: int = 0) -> bytes:
    """A QuickTime film as it was before there were brands, at least 36 bytes: data first, then the index."""
    return box(b"wide", b"") + box(b"mdat", noise(size - 24, seed)) + box(b"moov", b"")


def fragmented(size: int, seed: int = 0) -> bytes:
    """An MP4 in three fragments, at least 76 bytes."""
    data = noise(size - len(FTYP) - 56, seed)
    cuts = [0, len(data) // 3, len(data) // 2, len(data)]
    pieces = [data[begin:end] for begin, end in itertools.pairwise(cuts)]
    return FTYP + box(b"moov", b"") + b"".join(box(b"moof", b"") + box(b"mdat", piece) for piece in pieces)


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body


def avi(size: int, seed: int = 0) -> bytes:
    """An AVI of two RIFF chunks, as OpenDML has it, at least 36 bytes."""
    data = noise(size - 24, seed)
    middle = len(data) // 2
    return chunk(b"RIFF", b"AVI " + data[:middle]) + chunk(b"RIFF", b"AVIX" + data[middle:])


def element(kind: bytes, body: bytes, *, has_size: bool = True) -> bytes:
    size = len(body) if has_size else (1 << 56) - 1
    return kind + (size | 1 << 56).to_bytes(8, "big") + body


def webm(size: int, seed: int = 0) -> bytes:
    """A WebM that knows how long it is, at least 35 bytes."""
    head = element(b"\x1a\x45\xdf\xa3", b"\x42\x82\x84webm")
    return head + element(b"\x18\x53\x80\x67", noise(size - len(head) - 12, seed))


def served(data: bytes, content_type: str = "video/mp4") -> Bytes:
    return Bytes(data, content_type)


@dataclass
class Traits:
    """Traits of a server around the emulator; each can be switched on and off."""

    ignores_range: bool = False
    ignores_if_range: bool = False
    shifts_range: int = 0
    """How far behind the byte that was asked for its parts begin."""
    hides: set[bytes] = field(default_factory=set)
    """Headers of answers that it does not send; without a length, bodies are chunked."""
    adds: dict[bytes, bytes] = field(default_factory=dict)
    ends_after: int | None = None
    """How much of a body it sends before it ends it in good order; once."""

    def reset(self) -> None:
        """Be as servers should be."""
        self.ignores_range, self.ignores_if_range, self.shifts_range = False, False, 0
        self.ends_after = None
        self.hides, self.adds = set(), {}

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not scope["path"].endswith("/content"):
                await app(scope, receive, send)
                return
            ends_after, self.ends_after = self.ends_after, None
            headers = [self._understood(*pair) for pair in scope["headers"]]
            await app({**scope, "headers": headers}, receive, _changed(self, send, ends_after))

        return wrapped

    def _understood(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        """A header of a request as this server takes it."""
        if (name == b"range" and self.ignores_range) or (name == b"if-range" and self.ignores_if_range):
            return b"x-ignored", value
        if name == b"range" and self.shifts_range:
            first = int(value.removeprefix(b"bytes=").rstrip(b"-"))
            return name, b"bytes=%d-" % max(first - self.shifts_range, 0)
        return name, value


def _changed(traits: Traits, send: Send, ends_after: int | None) -> Send:
    left = ends_after

    async def send_changed(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            hides = traits.hides | ({b"content-length"} if ends_after is not None else set())
            kept = [
                pair for pair in message["headers"] if pair[0] not in hides and pair[0] not in traits.adds
            ]
            await send({**message, "headers": [*kept, *traits.adds.items()]})
        elif left is None:
            await send(message)
        elif left >= 0:
            body = message.get("body", b"")[:left]
            left -= len(body)
            more = left > 0 and message.get("more_body", False)
            await send({**message, "body": body, "more_body": more})
            left = left if more else -1

    return send_changed
