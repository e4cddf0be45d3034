"""
Connections for many small questions to one server.

httpcore goes through all connections of a pool twice for each request, and in a triggerer there are thousands
of questions: here each connection is a pool of its own.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import httpx

from airflow_provider_videos.api.transport import AsyncTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airflow_provider_videos.api.endpoint import Endpoint


class Lanes:
    """
    A few connections, each in a pool of its own.

    :param connections: how many there are.
    :param endpoint: the server that nearly all questions are for.
    :param keepalive: for how many seconds one is kept that nobody uses.
    """

    def __init__(self, connections: int, endpoint: Endpoint, *, keepalive: float) -> None:
        one = httpx.Limits(max_connections=1, keepalive_expiry=keepalive)
        self._all = [AsyncTransport(endpoint, one) for _ in range(connections)]
        self._free = list(self._all)
        self._turn = asyncio.Semaphore(connections)

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        """
        Send a request as :meth:`AsyncTransport.send` does; the answer keeps its lane until it is closed.

        :param request: what to send.
        :param stream: has to be true: the body is never read here.
        """
        await self._turn.acquire()
        lane = self._free.pop()  # the one that was used last, so that those that are not needed close
        leave = partial(self._leave, lane)
        try:
            response = await lane.send(request, stream=stream)
        except BaseException:
            leave()
            raise
        response.stream = _Leased(response.stream, leave)  # type: ignore[arg-type] # an asynchronous one
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for lane in self._all:
            await lane.aclose()

    def _leave(self, lane: AsyncTransport) -> None:
        self._free.append(lane)
        self._turn.release()


class _Leased(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, leave: Callable[[], None]) -> None:
        self._stream = stream
        self._leave = leave

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._leave()
