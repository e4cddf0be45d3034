"""Content of a video: a file on its way from the server, as a stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import httpx

from airflow_provider_videos.api.errors import TransportError
from airflow_provider_videos.api.headers import (
    read_content_type,
    read_digest,
    read_etag,
    read_length,
    read_range,
)
from airflow_provider_videos.api.redaction import Redactor
from airflow_provider_videos.api.retry import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from airflow_provider_videos.api.endpoint import Endpoint

__all__ = ["Content"]

Chunks = TypeVar("Chunks")


@dataclass(frozen=True, slots=True)
class Content(Generic[Chunks]):
    """
    A file on its way from the server.

    :param content_type: what the server calls it; not to be trusted.
    :param length: how many bytes it promised, where it did.
    :param chunks: the bytes, to be iterated over once.
    :param start: which byte of the file is the first; None where a part came and did not say which.
    :param total: how long the whole file is, where the server said so.
    :param etag: what tells the file from any other, where the server has such a thing.
    :param digest: the algorithm and the hexadecimal digest of the whole file, where the server sent one.
    :param status_code: the HTTP status, which is a success; not every one of them comes with a file.
    :param retry_after: the seconds the server asked to wait.
    :param redactor: takes secrets out of its words; None where it is not the server's, and none is repeated.
    """

    content_type: str | None
    length: int | None
    chunks: Chunks
    start: int | None = 0
    total: int | None = None
    etag: str | None = None
    digest: tuple[str, str] | None = None
    status_code: int = 200
    retry_after: float | None = None
    redactor: Redactor | None = field(default_factory=Redactor, repr=False)


def _content(
    response: httpx.Response, chunks: Chunks, redactor: Redactor | None, now: float
) -> Content[Chunks]:
    headers = response.headers
    length = read_length(headers)
    start, total = read_range(headers) if response.status_code == 206 else (0, length)
    return Content(
        read_content_type(headers),
        length,
        chunks,
        start=start,
        total=total,
        etag=read_etag(headers),
        digest=None if response.status_code == 206 else read_digest(headers),
        status_code=response.status_code,
        retry_after=parse_retry_after(headers, now),
        redactor=redactor,
    )


def _broken_off(error: httpx.RequestError, video_id: str, redactor: Redactor | None) -> TransportError:
    reason = type(error).__name__ + (f": {redactor.redact(str(error))}" if redactor else "")
    return TransportError(f"download: the answer broke off: {reason}", video_id=video_id)


# What httpx raises may quote the answer, so none of its errors is left to be the cause of ours.


def _chunks(response: httpx.Response, video_id: str, redactor: Redactor | None) -> Iterator[bytes]:
    try:
        yield from response.iter_raw()
    except httpx.RequestError as error:
        raise _broken_off(error, video_id, redactor) from None


async def _async_chunks(
    response: httpx.Response, video_id: str, redactor: Redactor | None
) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_raw():
            yield chunk
    except httpx.RequestError as error:
        raise _broken_off(error, video_id, redactor) from None


def content_of(
    response: httpx.Response, video_id: str, endpoint: Endpoint, now: float
) -> Content[Iterator[bytes]]:
    """
    Return a file's facts and its bytes.

    :param response: the answer, its body unread.
    :param video_id: the video that the file is of.
    :param endpoint: the server that was asked; the file may have come from elsewhere.
    :param now: the present unix time.
    """
    redactor = _redactor_at(response, endpoint)
    return _content(response, _chunks(response, video_id, redactor), redactor, now)


def async_content_of(
    response: httpx.Response, video_id: str, endpoint: Endpoint, now: float
) -> Content[AsyncIterator[bytes]]:
    """Return a file's facts and its bytes, for code on an event loop, as :func:`content_of` does."""
    redactor = _redactor_at(response, endpoint)
    return _content(response, _async_chunks(response, video_id, redactor), redactor, now)


def _redactor_at(response: httpx.Response, endpoint: Endpoint) -> Redactor | None:
    return endpoint.redactor if endpoint.is_home_of(str(response.request.url)) else None
