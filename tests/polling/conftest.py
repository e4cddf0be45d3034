from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.emulator import Emulator, ManualClock
from airflow_provider_videos.polling.poller import poller_of
from airflow_provider_videos.polling.watch import first_due, next_due
from tests.polling import turned_loop

if TYPE_CHECKING:
    from airflow_provider_videos.api.requests import Endpoint
    from airflow_provider_videos.polling.poller import Heard

INTERVAL = 5.0


@pytest.fixture(autouse=True)
def _watched(monkeypatch):
    turned_loop.watch_requests(monkeypatch)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def videos_emulator(clock):
    with Emulator(clock=clock, job_seconds=100) as emulator:
        yield emulator


@pytest.fixture
def run(clock):
    return lambda main: turned_loop.run(main, clock)


@pytest.fixture
def buy(endpoint):
    with VideosClient(endpoint) as client:
        yield lambda count: [client.create(f"Film {number}").id for number in range(count)]


@dataclass
class Waits:
    """Waits for videos, and when each of them heard what."""

    endpoint: Endpoint
    interval: float = INTERVAL
    conn_id: str = "videos_default"
    heard: dict[str, list[tuple[float, Heard]]] = field(default_factory=dict)
    reads: int = 0

    async def connect(self) -> Endpoint:
        self.reads += 1
        return self.endpoint

    def rotate(self, **changes: Any) -> None:
        self.endpoint = replace(self.endpoint, **changes)

    async def wait(self, video_id: str) -> None:
        """Wait for a video as a trigger does, whatever goes wrong."""
        now = asyncio.get_running_loop().time
        heard_at, due, ended = None, first_due(now(), self.interval), False
        async with poller_of(self.conn_id, self.connect) as poller:
            while not ended:
                heard = await poller.ask(video_id, due=due, interval=self.interval, heard_at=heard_at)
                heard_at = now()
                self.heard.setdefault(video_id, []).append((heard_at, heard))
                ended = not isinstance(heard.answer, VideosError) and heard.answer.has_ended
                due = next_due(heard_at, due, self.interval)

    async def all(self, video_ids: list[str], *, within: float = 3600) -> None:
        """Wait for several."""
        async with asyncio.timeout(within):
            await asyncio.gather(*map(self.wait, video_ids))

    def ages(self) -> list[float]:
        """How much time passed between two answers that were news, or before the first."""
        times = [
            [0.0, *(at for at, heard in answers if not isinstance(heard.answer, VideosError))]
            for answers in self.heard.values()
        ]
        return [after - before for wait in times for before, after in pairwise(wait)]

    def errors(self) -> set[str]:
        return {
            type(heard.answer).__name__
            for answers in self.heard.values()
            for _, heard in answers
            if isinstance(heard.answer, VideosError)
        }


@pytest.fixture
def waits(endpoint):
    return Waits(endpoint)
