from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient
from airflow_provider_videos.api.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Iterator

IMPATIENT = Backoff(attempts=3, total=20, base=0, cap=0)


class Awaited:
    """The asynchronous client, driven by a loop of its own so that both shells take the same tests."""

    def __init__(self, endpoint, **options) -> None:
        self._runner = asyncio.Runner()
        self._client = self._run(self._made(endpoint, options))

    def _run(self, awaitable) -> Any:
        return self._runner.run(awaitable)

    async def _made(self, endpoint, options) -> AsyncVideosClient:
        return AsyncVideosClient(endpoint, **options)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self._run(getattr(self._client, name)(*args, **kwargs))

    def list(self, **query) -> Iterator[Any]:
        videos = self._client.list(**query)
        while (video := self._run(anext(videos, None))) is not None:
            yield video

    @contextmanager
    def download_content(self, *args, **kwargs) -> Iterator[Any]:
        manager = self._client.download_content(*args, **kwargs)
        content = self._run(manager.__aenter__())
        try:
            chunks = iter(lambda: self._run(anext(content.chunks, None)), None)
            yield type(content)(content.content_type, content.length, chunks)
        except BaseException as error:
            if not self._run(manager.__aexit__(type(error), error, None)):
                raise
        else:
            self._run(manager.__aexit__(None, None, None))

    def close(self) -> None:
        self._run(self._client.aclose())
        self._runner.close()


@pytest.fixture(
    params=[VideosClient, Awaited, partial(Awaited, connections=1)],
    ids=["sync", "async", "async, 1 connection"],
)
def connect(request):
    """Make a client of any kind; whatever it returns behaves alike."""
    made = []

    def connect(endpoint, backoff=IMPATIENT, **options):
        client = request.param(endpoint, backoff=backoff, **options)
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(connect, endpoint):
    return connect(endpoint)
