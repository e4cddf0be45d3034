"""Session of a poller with its server: one client, with the key of today, at the pace that was agreed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.client import AsyncVideosClient, prepare
from airflow_provider_videos.api.errors import NotConnected, TransportError, Unauthorized, VideosError
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.polling.circuit_breaker import CircuitBreaker
from airflow_provider_videos.polling.wait_state import is_sound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.operations import Operation

    Connect = Callable[[], Awaitable[Endpoint]]

T = TypeVar("T")

CONNECTIONS = 8
REREAD_SECONDS = 300.0

# For how long it is believed that a server serves others, or does not.
CHECK_SECONDS = 60.0
_SERVED = 2

# A pooled connection may be dead without our knowing; what fails this early failed because of it.
_DEAD_ON_ARRIVAL_SECONDS = 1.0


@dataclass(slots=True)
class _Open:
    client: AsyncVideosClient
    users: int = 0


class Session:
    """
    One client for all requests of a poller, made when it is first needed.

    :param connect: reads the connection.
    """

    def __init__(self, connect: Connect) -> None:
        self.breaker = CircuitBreaker()
        self._connect = connect
        self._reading = asyncio.Lock()
        self._read_at = 0.0
        self._reads = 0
        self._open: _Open | None = None
        self._free_at = 0.0
        self._served: dict[str | None, float] = {}
        self._checking = asyncio.Lock()
        self._checked_at = -CHECK_SECONDS
        self._lists_models: bool | None = None

    @property
    def paced(self) -> bool:
        """Whether the connection limits the number of requests."""
        return self._open is not None and self._open.client.endpoint.requests_per_minute is not None

    async def perform(self, operation: Operation[T]) -> T:
        """
        Carry out an operation, once.

        :param operation: one that reads.
        :raises VideosError: whichever says what went wrong.
        """
        try:
            value = await self._perform(operation)
        except VideosError as error:
            self.breaker.record_result(error, _now())
            raise
        self.breaker.record_result(None, _now())
        self._note_served(operation.video_id)
        return value

    def serves_others(self, video_id: str) -> bool | None:
        """
        Say whether the server answers for something else than a video that it fails on; None if nobody knows.

        :param video_id: that video.
        """
        if any(_now() < at + CHECK_SECONDS for other, at in self._served.items() if other != video_id):
            return True
        return self._lists_models if _now() < self._checked_at + CHECK_SECONDS else None

    async def check_models(self, video_id: str) -> None:
        """
        Ask the server for its models unless :meth:`serves_others` knows without them, once in a minute.

        :param video_id: the video that it fails on.
        """
        async with self._checking:
            if self.serves_others(video_id) or _now() < self._checked_at + CHECK_SECONDS:
                return
            try:
                await self.perform(requests.list_models())
            except VideosError as error:
                self._lists_models = is_sound(error)
            else:
                self._lists_models = True
            self._checked_at = _now()

    def _note_served(self, video_id: str | None) -> None:
        # Two are enough to know one that is not the one in question.
        self._served.pop(video_id, None)
        self._served[video_id] = _now()
        if len(self._served) > _SERVED:
            del self._served[next(iter(self._served))]

    async def aclose(self) -> None:
        """Close the client."""
        if self._open:
            await self._open.client.aclose()

    async def _perform(self, operation: Operation[T]) -> T:
        async with self._client() as client:
            await self._pace(client.endpoint)
            reads = self._reads
            try:
                return await _retry_stale_connection(client, operation)
            except Unauthorized:
                if not await self._reload_if_stale(client.endpoint, reads):
                    raise
        async with self._client() as client:
            return await client.perform(operation)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AsyncVideosClient]:
        async with self._reading:
            used = self._open or await self._adopt(await self._read())
        if _now() >= self._read_at + REREAD_SECONDS:
            used = await self._reread(used)
        used.users += 1
        try:
            yield used.client
        finally:
            used.users -= 1
            await self._let_go(used)

    async def _reload_if_stale(self, endpoint: Endpoint, reads: int) -> bool:
        """Read the connection, one for many that ask at once, and say whether it is another one by now."""
        async with self._reading:
            used = self._open
            if used and self._reads == reads:
                used = await self._reread(used)
            return used is not None and used.client.endpoint != endpoint

    async def _reread(self, used: _Open) -> _Open:
        try:
            endpoint = await self._read()
        except Exception:  # noqa: BLE001 - whatever keeps us from reading it, we have one that works
            return used
        return used if used.client.endpoint == endpoint else await self._adopt(endpoint)

    async def _read(self) -> Endpoint:
        self._read_at, self._reads = _now(), self._reads + 1
        return await self._connect()

    async def _adopt(self, endpoint: Endpoint) -> _Open:
        await prepare(endpoint)
        once = Backoff(attempts=1, total=endpoint.timeout.total)
        client = AsyncVideosClient(endpoint, backoff=once, connections=CONNECTIONS)
        before, self._open = self._open, _Open(client)
        if before:
            await self._let_go(before)
        return self._open

    async def _let_go(self, used: _Open) -> None:
        if used is not self._open and not used.users:
            await used.client.aclose()

    async def _pace(self, endpoint: Endpoint) -> None:
        if endpoint.requests_per_minute is None:
            return
        turn = max(self._free_at, _now())
        self._free_at = turn + 60 / endpoint.requests_per_minute
        await asyncio.sleep(turn - _now())


async def _retry_stale_connection(client: AsyncVideosClient, operation: Operation[T]) -> T:
    began = _now()
    try:
        return await client.perform(operation)
    except NotConnected:
        raise
    except TransportError:
        if _now() - began > _DEAD_ON_ARRIVAL_SECONDS:
            raise
        return await client.perform(operation)


def _now() -> float:
    return asyncio.get_running_loop().time()
