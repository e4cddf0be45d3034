"""A client with a bounded number of connections; what it shares with the others is tested with them."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_videos.api.client import AsyncVideosClient
from airflow_provider_videos.api.errors import TransportError
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import Drop, Emulator, Fault, Latency

ONCE = Backoff(attempts=1, total=20)


@pytest.fixture
def videos_emulator():
    with Emulator(job_seconds=0) as emulator:
        yield emulator


@pytest.fixture
async def ask(endpoint):
    """Make a client with so many connections, and a video to ask for."""
    opened = []

    async def ask(connections):
        client = AsyncVideosClient(endpoint, backoff=ONCE, connections=connections)
        opened.append(client)
        return client, (await client.create("A boat")).id

    yield ask
    for client in opened:
        await client.aclose()


async def test_any_number_of_questions_take_few_connections(ask, videos_emulator):
    client, video_id = await ask(3)
    before = videos_emulator.record.connections
    await asyncio.gather(*(client.retrieve(video_id) for _ in range(50)))
    assert videos_emulator.record.connections - before == 3


async def test_one_after_another_they_take_one(ask, videos_emulator):
    client, video_id = await ask(3)
    before = videos_emulator.record.connections
    for _ in range(10):
        await client.retrieve(video_id)
    assert videos_emulator.record.connections - before == 1


async def test_a_file_keeps_its_connection_until_it_is_read(ask):
    client, video_id = await ask(1)
    async with client.download_content(video_id) as content:
        question = asyncio.create_task(client.retrieve(video_id))
        assert sum([len(chunk) async for chunk in content.chunks]) == content.length
    assert (await question).id == video_id


async def test_what_goes_wrong_gives_its_connection_back(ask, videos_emulator):
    client, video_id = await ask(1)
    videos_emulator.inject(Fault(Drop(), operation="retrieve"))
    with pytest.raises(TransportError):
        await client.retrieve(video_id)
    videos_emulator.inject(Fault(Latency(seconds=60), operation="retrieve"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.retrieve(video_id), 0.2)
    assert (await client.retrieve(video_id)).id == video_id
