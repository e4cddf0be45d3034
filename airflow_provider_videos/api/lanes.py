"""
Connections for many small questions to one server.

httpx goes through all connections of a pool twice for each request, and its client minds cookies, redirects
and logins besides. Together that is a third of what a question costs, and in a triggerer there are thousands.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable


class Lanes:
    """
    A few connections, each in a pool of its own and without a client around it.

    :param connections: how many there are.
    :param keepalive: for how many seconds one is kept that nobody uses.
    :param verify: how the server is known to be the right one.
    :param timeout: how long each step may take.
    """

    def __init__(
        self, connections: int, *, keepalive: float, verify: ssl.SSLContext, timeout: httpx.Timeout
    ) -> None:
        one = httpx.Limits(max_connections=1, keepalive_expiry=keepalive)
        self._all = [httpx.AsyncHTTPTransport(verify=verify, limits=one) for _ in range(connections)]
        self._free = list(self._all)
        self._turn = asyncio.Semaphore(connections)
        self._timeout = timeout.as_dict()

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:  # noqa: ARG002 - httpx's signature
        """
        Send a request as :meth:`httpx.AsyncClient.send` does; the answer keeps its lane until it is closed.

        :param request: what to send.
        :param stream: has to be true: the body is never read here.
        """
        request.extensions.setdefault("timeout", self._timeout)
        await self._turn.acquire()
        lane = self._free.pop()  # the one that was used last, so that those that are not needed close
        leave = partial(self._leave, lane)
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            leave()
            raise
        response.request = request
        response.stream = _Leased(response.stream, leave)  # type: ignore[arg-type] # an asynchronous one
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for lane in self._all:
            await lane.aclose()

    def _leave(self, lane: httpx.AsyncHTTPTransport) -> None:
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
