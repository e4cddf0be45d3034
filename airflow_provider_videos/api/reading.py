"""Answers as they are read: up to a limit, decoded by nobody, and without holding an event loop."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from airflow_provider_videos.api.bounded_json import MAX_ANSWER_BYTES
from airflow_provider_videos.api.headers import encoding_of
from airflow_provider_videos.api.transport import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.exchange import Reply, Send

_OF_THE_WIRE = {b"content-encoding", b"content-length", b"transfer-encoding"}

# An event loop does nothing else while a body of many tiny pieces is taken in.
_BREATH_SECONDS = 0.005


@contextmanager
def streaming_timeouts(step: Send, endpoint: Endpoint, left: float) -> Iterator[None]:
    """
    Wait longer for a file to begin than for its next piece: a gateway may fetch all of it first.

    :param step: what is sent meanwhile.
    :param endpoint: the server, which has timeouts.
    :param left: the seconds that are left of the call.
    """
    connect, read = endpoint.timeout.connect, endpoint.timeout.read
    begins = Deadline(max(read, left) if step.streams else read, until=time.monotonic() + left)
    times = {"connect": connect, "read": begins, "write": read, "pool": read}
    step.request.extensions["timeout"] = times
    yield
    if step.streams:
        times["read"] = read


class _Body:
    """
    An answer's body as it is read, up to a limit.

    :param step: what was asked.
    :param response: the answer, its body unread.
    """

    def __init__(self, step: Send, response: httpx.Response) -> None:
        self._response = response
        self._limit = step.longest if response.is_success else MAX_ANSWER_BYTES
        self._bytes = bytearray()

    def add(self, chunk: bytes) -> bool:
        """Take in a piece and say whether that is more than may come."""
        self._bytes += chunk[: self._limit + 1]
        return len(self._bytes) > self._limit

    def whole(self) -> httpx.Response:
        """Return the answer with its body read; an encoded one is left as it came, unread by anybody."""
        headers = [
            (name, value) for name, value in self._response.headers.raw if name.lower() not in _OF_THE_WIRE
        ]
        encoding = encoding_of(self._response.headers) if self._bytes else None
        return httpx.Response(
            self._response.status_code,
            headers=headers,
            content=b"" if encoding else bytes(self._bytes),
            request=self._response.request,
            extensions={"encoding": encoding, "limit": self._limit, "size": len(self._bytes)},
        )


def read(response: httpx.Response, step: Send) -> httpx.Response:
    """
    Read an answer's body, up to the limit of its kind.

    :param response: the answer, its body unread.
    :param step: what was asked.
    """
    body = _Body(step, response)
    any(map(body.add, response.iter_raw()))
    return body.whole()


async def async_read(response: httpx.Response, step: Send) -> httpx.Response:
    """Read an answer's body as :func:`read` does, and let others have their turn in between."""
    body, breath = _Body(step, response), time.monotonic()
    async for chunk in response.aiter_raw():
        if body.add(chunk):
            break
        if time.monotonic() > breath + _BREATH_SECONDS:
            await asyncio.sleep(0)
            breath = time.monotonic()
    return body.whole()


def is_long(reply: Reply) -> bool:
    """Say whether to read an answer would hold an event loop for too long."""
    return isinstance(reply, httpx.Response) and reply.extensions.get("size", 0) > MAX_ANSWER_BYTES


def is_file(step: Send, response: httpx.Response) -> bool:
    """Say whether an answer is a file, whose body is left to be streamed."""
    return step.streams and response.is_success and not encoding_of(response.headers)
