"""Files as they are served: whole or in part, from memory or out of thin air."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, shake_256
from typing import TYPE_CHECKING, Protocol

from starlette.responses import JSONResponse, Response, StreamingResponse

from airflow_provider_videos.emulator.errors import envelope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

BLOCK = 1 << 20
FTYP = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41"
MOOV = b"\x00\x00\x00\x08moov"
SINGLE_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Content(Protocol):
    """
    A file that can be served.

    Anything with these four members can take the place of the rendered videos: `Emulator(content=...)`.
    """

    @property
    def content_type(self) -> str:
        """Its mimetype."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    @property
    def etag(self) -> str:
        """Its entity tag, quotes included."""

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """
        The bytes from start up to stop.

        :param start: the first byte's place.
        :param stop: the place behind the last byte.
        """


@dataclass(frozen=True, slots=True)
class Bytes:
    """A file held in memory."""

    data: bytes
    content_type: str

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.data)

    @property
    def etag(self) -> str:
        """A digest of the bytes."""
        return f'"{blake2b(self.data, digest_size=16).hexdigest()}"'

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from start up to stop."""
        for place in range(start, stop, BLOCK):
            yield self.data[place : min(place + BLOCK, stop)]


@lru_cache(maxsize=1)
def _noise() -> bytes:
    return shake_256(b"airflow-provider-videos").digest(BLOCK)


@dataclass(frozen=True, slots=True)
class SyntheticVideo:
    """
    A file of any size with an MP4's boxes, made up as it is sent: `ftyp`, an empty `moov`, one giant `mdat`.

    Each mebibyte begins with its own number, so that a piece in the wrong place is noticed.

    :param size: its length in bytes, at least 64.
    """

    size: int
    content_type: str = "video/mp4"

    def __post_init__(self) -> None:
        if self.size < 2 * len(FTYP):
            raise ValueError(f"a synthetic video has at least {2 * len(FTYP)} bytes")

    @property
    def etag(self) -> str:
        """Its size tells it from others."""
        return f'"synthetic-{self.size}"'

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from start up to stop."""
        for number in range(start // BLOCK, -(-stop // BLOCK)):
            first = number * BLOCK
            yield self._block(number)[max(start - first, 0) : stop - first]

    def _block(self, number: int) -> bytes:
        head = number.to_bytes(8)
        if number == 0:
            before = FTYP + MOOV
            head = before + (1).to_bytes(4) + b"mdat" + (self.size - len(before)).to_bytes(8)
        return head + _noise()[len(head) :]


class Unsatisfiable(Exception):  # noqa: N818 - the word HTTP uses
    """The range asked for lies outside the file."""


def asked_range(headers: Mapping[str, str], content: Content) -> tuple[int, int] | None:
    """
    The part of a file a request asks for, as start and stop; None for all of it.

    :param headers: the request's.
    :param content: the file.
    :raises Unsatisfiable: when there is no such part.
    """
    match = SINGLE_RANGE.fullmatch(headers.get("range", ""))
    if not match or match.group() == "bytes=-" or headers.get("if-range", content.etag) != content.etag:
        return None
    first, last = match.groups()
    start = int(first) if first else max(content.size - int(last), 0)
    stop = min(int(last) + 1, content.size) if first and last else content.size
    if start >= stop:
        raise Unsatisfiable
    return start, stop


def serve(
    headers: Mapping[str, str], content: Content, *, ranges: bool = True, content_type: str | None = None
) -> Response:
    """
    A file as an answer: 200, 206 or 416.

    :param headers: the request's.
    :param content: the file.
    :param ranges: whether parts of it are served.
    :param content_type: what it is called, rightly or wrongly; by default the file's own.
    """
    kind = content_type or content.content_type
    if not ranges:
        length = {"content-length": str(content.size)}
        return StreamingResponse(_each(content.chunks(0, content.size)), 200, length, media_type=kind)
    common = {"accept-ranges": "bytes", "etag": content.etag}
    try:
        part = asked_range(headers, content)
    except Unsatisfiable:
        outside = {**common, "content-range": f"bytes */{content.size}"}
        return JSONResponse(envelope(416, "The range lies outside the file."), 416, outside)
    start, stop = part or (0, content.size)
    common["content-length"] = str(stop - start)
    if part:
        common["content-range"] = f"bytes {start}-{stop - 1}/{content.size}"
    stream = _each(content.chunks(start, stop))
    return StreamingResponse(stream, 206 if part else 200, common, media_type=kind)


async def _each(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
