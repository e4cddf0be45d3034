"""
Connections to any server, by way of the proxy and with the certificates that the environment names.

A transport sends a request and hands on the answer as it came: it follows no redirect, keeps no cookie and
decodes nothing. What comes before a body is limited here, where it is read: httpcore parses 100 KB of tiny
headers, or any number of interim answers, in one go.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import httpcore
import httpx

from airflow_provider_videos.api.addresses import check_peer
from airflow_provider_videos.api.environment import proxy_for, tls_context

# ruff: noqa: ASYNC109 - the timeouts are parts of httpcore's signatures

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

    from airflow_provider_videos.api.endpoint import Endpoint

Check = Callable[[str], None]
"""Is told the peer of a new connection, and raises where nothing is to be sent to it."""

MAX_HEAD_BYTES = 16 * 1024
"""The longest head of an answer, with all interim answers (1xx) before it."""

# An event loop does nothing else while httpcore parses what one read has brought.
_READ_BYTES = 16 * 1024
# Behind a head come bodies; of what was tried, files come fastest so.
_BODY_READ_BYTES = 128 * 1024
_BLANK_LINE = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.\d 1", re.IGNORECASE)
_TOO_LATE = "the answer was not complete in time"

# What a host or a port raises that no address can have, found out while connecting.
_NO_ADDRESS = (UnicodeError, OverflowError)
_OF_HTTPCORE = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)
FAILURES = (*_OF_HTTPCORE, *_NO_ADDRESS)


def _without_values(record: logging.LogRecord) -> bool:
    """Cut what httpcore logs at DEBUG: an answer's headers, which may hold signed addresses and echoes."""
    if isinstance(record.msg, str):
        record.msg = re.split(r" (?:return_value|exception)=", record.msg, maxsplit=1)[0]
    return True


for _name in ("connection", "http11", "http2", "proxy", "socks"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_without_values)


class Deadline(float):
    """
    A read timeout in seconds that moreover ends at a moment.

    :param seconds: how long one read may take.
    :param until: when the last one has to be over, by the monotonic clock.
    """

    until: float

    def __new__(cls, seconds: float, *, until: float) -> Self:
        deadline = super().__new__(cls, seconds)
        deadline.until = until
        return deadline


class _Head:
    """Size of an answer's head, from the request on until the blank line that ends it."""

    def __init__(self) -> None:
        self._seen: bytes | None = None
        self._size = 0

    @property
    def is_over(self) -> bool:
        return self._seen is None

    def begin(self) -> None:
        self._seen, self._size = b"", 0

    def take(self, data: bytes) -> None:
        if self._seen is None:
            return
        start, self._size = max(len(self._seen) - 3, 0), self._size + len(data)
        self._seen += data
        while end := _BLANK_LINE.search(self._seen, start):
            if not _INTERIM.match(self._seen):
                self._seen = None
                return
            self._seen, start = self._seen[end.end() :], 0
        if self._size > MAX_HEAD_BYTES:
            raise httpcore.RemoteProtocolError(
                f"an answer whose headers take more than {MAX_HEAD_BYTES} bytes"
            )


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self._head = _Head()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        read = self._read if isinstance(timeout, Deadline) else self._inner.read
        if self._head.is_over:
            max_bytes = max(max_bytes, _BODY_READ_BYTES)
        data = read(max_bytes, timeout)  # type: ignore[arg-type] # a Deadline, for the one that takes no other
        self._head.take(data)
        return data

    def _read(self, max_bytes: int, deadline: Deadline) -> bytes:
        left = deadline.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(_TOO_LATE)
        try:
            return self._inner.read(max_bytes, min(deadline, left))
        except httpcore.ReadTimeout:
            raise httpcore.ReadTimeout(_TOO_LATE if left < deadline else "timed out") from None

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._head.begin()
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Stream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _AsyncStream(httpcore.AsyncNetworkStream):
    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._head = _Head()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._inner.read(min(max_bytes, _READ_BYTES), timeout)
        self._head.take(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._head.begin()
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _AsyncStream:
        return _AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def __init__(self, check: Check | None) -> None:
        self._check = check

    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        stream = super().connect_tcp(*args, **kwargs)
        try:
            if self._check:
                self._check(stream.get_extra_info("server_addr")[0])
        except BaseException:
            stream.close()
            raise
        return _Stream(stream)


class _AsyncBackend(httpcore.AnyIOBackend):
    def __init__(self, check: Check | None) -> None:
        self._check = check

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        stream = await super().connect_tcp(*args, **kwargs)
        try:
            if self._check:
                await asyncio.to_thread(self._check, stream.get_extra_info("server_addr")[0])
        except BaseException:
            await stream.aclose()
            raise
        return _AsyncStream(stream)


def needs_tls(endpoint: Endpoint) -> bool:
    """Say whether certificates are read beforehand: for https, and where the user names some of their own."""
    return endpoint.base_url.lower().startswith("https:") or isinstance(endpoint.verify, str)


class _Pools:
    """
    Settings of a transport's connection pools, one for each address.

    :param endpoint: the server that nearly all of them are for.
    :param limits: how many connections there may be, and how long they are kept.
    """

    def __init__(self, endpoint: Endpoint, limits: httpx.Limits) -> None:
        self._endpoint = endpoint
        self._verify = endpoint.verify
        if needs_tls(endpoint):
            tls_context(verify=endpoint.verify)
        timeout = endpoint.timeout
        self._timeouts = httpx.Timeout(timeout.read, connect=timeout.connect).as_dict()
        self._limits = limits

    def _options(self, url: httpx.URL) -> tuple[httpx.Proxy | None, dict[str, Any]]:
        """Return the proxy to an address, and the arguments of every kind of pool."""
        options: dict[str, Any] = {
            "max_connections": self._limits.max_connections,
            "max_keepalive_connections": self._limits.max_keepalive_connections,
            "keepalive_expiry": self._limits.keepalive_expiry,
            "ssl_context": tls_context(verify=self._verify) if url.scheme == "https" else None,
        }
        proxy = proxy_for(url)
        if proxy:
            options |= {"proxy_url": str(proxy.url), "proxy_auth": proxy.raw_auth}
        if proxy and proxy.url.scheme == "https":
            options["proxy_ssl_context"] = proxy.ssl_context
        return proxy, options

    def _check(self, url: httpx.URL, proxy: httpx.Proxy | None) -> Check | None:
        """Return what looks at the peers of hosts that answers have named; a proxy has its own."""
        if proxy or self._endpoint.is_home_of(str(url)):
            return None
        return partial(check_peer, self._endpoint, url)

    def _outgoing(self, request: httpx.Request) -> httpcore.Request:
        request.extensions.setdefault("timeout", self._timeouts)
        url = request.url
        return httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )


def _origin(url: httpx.URL) -> tuple[bytes, bytes, int | None]:
    return url.raw_scheme, url.raw_host, url.port


class Transport(_Pools):
    """
    Connections for code that may block.

    :param endpoint: the server that nearly all requests are for.
    :param limits: how many connections there may be, and how long they are kept.
    :raises InvalidRequest: if a proxy or certificates that the environment or the endpoint names are no good.
    """

    def __init__(self, endpoint: Endpoint, limits: httpx.Limits) -> None:
        super().__init__(endpoint, limits)
        self._pools: dict[tuple[bytes, bytes, int | None], httpcore.ConnectionPool] = {}
        self._open(httpx.URL(endpoint.base_url))

    def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:  # noqa: ARG002 - httpx's signature
        """
        Send a request as :meth:`httpx.Client.send` does.

        :param request: what to send.
        :param stream: has to be true: the body is never read here.
        """
        pool = self._pools.get(_origin(request.url)) or self._open(request.url)
        try:
            answer = pool.handle_request(self._outgoing(request))
        except FAILURES as error:
            raise translated(error, request) from error
        body = _Body(answer.stream, request)  # type: ignore[arg-type] # a synchronous one
        return httpx.Response(answer.status, headers=answer.headers, stream=body, request=request)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _open(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy, options = self._options(url)
        options["network_backend"] = _Backend(self._check(url, proxy))
        if proxy is None:
            pool = httpcore.ConnectionPool(**options)
        else:
            kind = httpcore.SOCKSProxy if proxy.url.scheme.startswith("socks") else httpcore.HTTPProxy
            pool = kind(**options)
        return self._pools.setdefault(_origin(url), pool)


class AsyncTransport(_Pools):
    """Connections for code on an event loop. The parameters are those of :class:`Transport`."""

    def __init__(self, endpoint: Endpoint, limits: httpx.Limits) -> None:
        super().__init__(endpoint, limits)
        self._pools: dict[tuple[bytes, bytes, int | None], httpcore.AsyncConnectionPool] = {}
        self._add(httpx.URL(endpoint.base_url), *self._options(httpx.URL(endpoint.base_url)))

    async def send(self, request: httpx.Request, *, stream: bool) -> httpx.Response:  # noqa: ARG002 - httpx's signature
        """
        Send a request as :meth:`httpx.AsyncClient.send` does.

        :param request: what to send.
        :param stream: has to be true: the body is never read here.
        """
        pool = self._pools.get(_origin(request.url)) or await self._open(request.url)
        try:
            answer = await pool.handle_async_request(self._outgoing(request))
        except FAILURES as error:
            raise translated(error, request) from error
        body = _AsyncBody(answer.stream, request)  # type: ignore[arg-type] # an asynchronous one
        return httpx.Response(answer.status, headers=answer.headers, stream=body, request=request)

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()

    async def _open(self, url: httpx.URL) -> httpcore.AsyncConnectionPool:
        return self._add(url, *await asyncio.to_thread(self._options, url))

    def _add(
        self, url: httpx.URL, proxy: httpx.Proxy | None, options: dict[str, Any]
    ) -> httpcore.AsyncConnectionPool:
        options["network_backend"] = _AsyncBackend(self._check(url, proxy))
        if proxy is None:
            pool = httpcore.AsyncConnectionPool(**options)
        else:
            socks = proxy.url.scheme.startswith("socks")
            pool = (httpcore.AsyncSOCKSProxy if socks else httpcore.AsyncHTTPProxy)(**options)
        return self._pools.setdefault(_origin(url), pool)


class _Body(httpx.SyncByteStream):
    def __init__(self, inner: Iterable[bytes], request: httpx.Request) -> None:
        self._inner = inner
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._inner
        except _OF_HTTPCORE as error:
            raise translated(error, self._request) from error

    def close(self) -> None:
        self._inner.close()  # type: ignore[attr-defined] # httpcore's has it


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, inner: AsyncIterable[bytes], request: httpx.Request) -> None:
        self._inner = inner
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                yield chunk
        except _OF_HTTPCORE as error:
            raise translated(error, self._request) from error

    async def aclose(self) -> None:
        await self._inner.aclose()  # type: ignore[attr-defined] # httpcore's has it


def translated(error: Exception, request: httpx.Request) -> httpx.RequestError:
    """
    Return httpx's error of the same name for one of httpcore's; an impossible address is a ConnectError.

    :param error: one of :data:`FAILURES`.
    :param request: what was sent.
    """
    kind = httpx.ConnectError if isinstance(error, _NO_ADDRESS) else getattr(httpx, type(error).__name__)
    return kind(str(error), request=request)
