"""
Adapters for transports of httpx, such as ``httpx.MockTransport``: a client sends everything through one.

How long a call may take, how much of an answer is read and which addresses are followed stay the client's.
Where a name leads, by which proxy, with which certificates and on how many connections is the transport's own
matter.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import httpx

from airflow_provider_videos.api.addresses import check_peer, literal_of
from airflow_provider_videos.api.lanes import Lanes
from airflow_provider_videos.api.transport import MAX_HEAD_BYTES, AsyncTransport, Deadline, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.api.endpoint import Endpoint

_KEPT_SECONDS = 90.0
_POOLED = httpx.Limits(max_keepalive_connections=None)
_UNPOOLED = httpx.Limits(max_keepalive_connections=0)

_FRAMING_BYTES = len(": \r\n")


class Sender(Protocol):
    """Connections for code that may block; :class:`.Transport` is one."""

    def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        """Send a request and return the answer, its body unread."""

    def close(self) -> None:
        """Close all connections."""


class AsyncSender(Protocol):
    """Connections for code on an event loop; :class:`.AsyncTransport` is one."""

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        """Send a request and return the answer, its body unread."""

    async def aclose(self) -> None:
        """Close all connections."""


class TransportAdapter:
    """
    Sender through a transport of httpx.

    :param endpoint: the server that nearly all requests are for.
    :param transport: the transport; it is closed with the client.
    """

    def __init__(self, endpoint: Endpoint, transport: httpx.BaseTransport) -> None:
        self._endpoint = endpoint
        self._transport = transport

    def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:  # noqa: ARG002 - never read here
        """
        Send a request as :meth:`.Transport.send` does.

        :param request: what to send.
        :param stream: has to be true: the body is never read here.
        """
        _check_number(self._endpoint, request.url)
        with _naming(request):
            answer = self._transport.handle_request(request)
        if _is_head_too_long(answer):
            answer.close()
            raise _too_long(request)
        body = _TimedBody(answer.stream, request)  # type: ignore[arg-type] # a synchronous one
        return httpx.Response(answer.status_code, headers=answer.headers, stream=body, request=request)

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()


class AsyncTransportAdapter:
    """Sender through a transport of httpx, for code on an event loop. See :class:`TransportAdapter`."""

    def __init__(self, endpoint: Endpoint, transport: httpx.AsyncBaseTransport) -> None:
        self._endpoint = endpoint
        self._transport = transport

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:  # noqa: ARG002 - never read here
        """
        Send a request as :meth:`.AsyncTransport.send` does.

        :param request: what to send.
        :param stream: has to be true: the body is never read here.
        """
        if not self._endpoint.is_home_of(str(request.url)):
            await asyncio.to_thread(_check_number, self._endpoint, request.url)
        with _naming(request):
            answer = await self._transport.handle_async_request(request)
        if _is_head_too_long(answer):
            await answer.aclose()
            raise _too_long(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=answer.stream, request=request
        )

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def senders(endpoint: Endpoint, transport: httpx.BaseTransport | None) -> tuple[Sender, Sender]:
    """
    Return what sends on connections that are kept, and what sends on a fresh one each time.

    :param endpoint: the server.
    :param transport: what a user has given, which is both.
    """
    if transport is not None:
        return (given := TransportAdapter(endpoint, transport)), given
    return Transport(endpoint, _POOLED), Transport(endpoint, _UNPOOLED)


def async_senders(
    endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None, connections: int | None
) -> tuple[AsyncSender, AsyncSender]:
    """
    Return what sends on connections that are kept, and what sends on a fresh one each time.

    :param endpoint: the server.
    :param transport: what a user has given, which is both.
    :param connections: how many are kept at most; None for any number.
    """
    if transport is not None:
        return (given := AsyncTransportAdapter(endpoint, transport)), given
    fresh = AsyncTransport(endpoint, _UNPOOLED)
    if connections is None:
        return AsyncTransport(endpoint, _POOLED), fresh
    return Lanes(connections, endpoint, keepalive=_KEPT_SECONDS), fresh


def _check_number(endpoint: Endpoint, url: httpx.URL) -> None:
    """See that an address out of an answer may be asked if it is a number; may block."""
    number = literal_of(url.host)
    if number is not None and not endpoint.is_home_of(str(url)):
        check_peer(endpoint, url, str(number))


@contextmanager
def _naming(request: httpx.Request) -> Iterator[None]:
    """Name the request in an error of a transport, as httpx's own client does."""
    try:
        yield
    except httpx.RequestError as error:
        error.request = request
        raise


def _is_head_too_long(answer: httpx.Response) -> bool:
    lengths = (len(name) + len(value) + _FRAMING_BYTES for name, value in answer.headers.raw)
    return sum(lengths) > MAX_HEAD_BYTES


def _too_long(request: httpx.Request) -> httpx.RemoteProtocolError:
    return httpx.RemoteProtocolError(
        f"an answer whose headers take more than {MAX_HEAD_BYTES} bytes", request=request
    )


class _TimedBody(httpx.SyncByteStream):
    """Body that has to be whole by the call's deadline; an event loop has timeouts of its own."""

    def __init__(self, inner: httpx.SyncByteStream, request: httpx.Request) -> None:
        self._inner = inner
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            deadline = self._request.extensions["timeout"]["read"]
            if isinstance(deadline, Deadline) and time.monotonic() > deadline.until:
                raise httpx.ReadTimeout("the answer was not complete in time", request=self._request)
            yield chunk

    def close(self) -> None:
        self._inner.close()
