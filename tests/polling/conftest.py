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
from airflow_provider_videos.polling.wait_state import WaitState
from tests.polling import turned_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.polling.poller import Poller
    from airflow_provider_videos.polling.subscription import Answer

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


@dataclass(slots=True)
class NotedState(WaitState):
    """The state of a wait that goes on whatever goes wrong, and notes each answer."""

    note: Callable[[Video | VideosError], None] = lambda _: None
    misses: bool = False

    @property
    def is_missing(self) -> bool:
        return self.misses

    def update(self, answer: Video | VideosError, now: float, *, serves_others: bool | None = None) -> bool:
        self.note(answer)
        return not isinstance(answer, VideosError) and answer.has_ended


@dataclass
class Waits:
    """Waits for videos, and when each of them heard what."""

    endpoint: Endpoint
    interval: float = INTERVAL
    conn_id: str = "videos_default"
    heard: dict[str, list[tuple[float, Video | VideosError]]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    reads: int = 0

    async def connect(self) -> Endpoint:
        self.reads += 1
        return self.endpoint

    def report(self, answers: list[Answer], _: int) -> None:
        self.answers += answers

    def join(self) -> AbstractAsyncContextManager[Poller]:
        return poller_of(self.conn_id, self.connect, self.report)

    def rotate(self, **changes: Any) -> None:
        self.endpoint = replace(self.endpoint, **changes)

    async def wait(self, video_id: str, *, misses: bool = False) -> list[str]:
        """Wait for a video as a trigger does, whatever goes wrong, and return the log."""
        now = asyncio.get_running_loop().time
        heard = self.heard.setdefault(video_id, [])
        state = NotedState(video_id, now(), note=lambda answer: heard.append((now(), answer)), misses=misses)
        lines = []
        async with self.join() as poller:
            with poller.subscribe(state, lambda _: self.interval) as subscription:
                while line := await subscription.next_log_line():
                    lines.append(line)
        return lines

    async def all(self, video_ids: list[str], *, within: float = 3600) -> None:
        """Wait for several, until the last one has left."""
        waits = [asyncio.ensure_future(self.wait(video_id)) for video_id in video_ids]
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*waits)
        finally:
            # Cancelled, a gathering ends with the first of its waits.
            await asyncio.gather(*waits, return_exceptions=True)

    def ages(self) -> list[float]:
        """How much time passed between two answers that were news, or before the first."""
        times = [
            [0.0, *(at for at, answer in answers if not isinstance(answer, VideosError))]
            for answers in self.heard.values()
        ]
        return [after - before for wait in times for before, after in pairwise(wait)]

    def errors(self) -> set[str]:
        return {
            type(answer).__name__
            for answers in self.heard.values()
            for _, answer in answers
            if isinstance(answer, VideosError)
        }


@pytest.fixture
def waits(endpoint):
    return Waits(endpoint)
