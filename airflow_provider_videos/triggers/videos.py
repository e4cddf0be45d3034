"""The trigger: waiting for a video without a worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_videos.api.errors import AnswerError, VideoFailed, VideoLost, VideosError
from airflow_provider_videos.hooks.videos import VideosHook
from airflow_provider_videos.polling.poller import poller_of
from airflow_provider_videos.polling.watch import Watch, first_due, next_due, next_interval

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_videos.polling.poller import Poller


class VideoTrigger(BaseTrigger):
    """
    Ask for a video's state until it has ended or the deadline has passed.

    The one event it fires is small and repeats no word of the server; the task that resumes asks it itself:
    ``{"video_id", "status", "error"}``, with a status of ``ended``, ``lost``, ``timeout`` or ``error``. All
    times are absolute, in unix seconds, so that a restart of the triggerer does not shift them.

    :param video_id: the video.
    :param videos_conn_id: the connection to the server.
    :param poke_interval: seconds between two questions.
    :param started_at: when the wait began.
    :param deadline: when it ends.
    :param exponential_backoff: whether intervals grow.
    :param max_wait: the longest interval, in seconds.
    :param silent_fail: whether errors that waiting does not cure are waited out as well.
    :param shown: the status line the task's log already has.
    """

    def __init__(
        self,
        *,
        video_id: str,
        videos_conn_id: str,
        poke_interval: float,
        started_at: float,
        deadline: float,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        silent_fail: bool = False,
        shown: str = "",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's own class has no types
        self.video_id = video_id
        self.videos_conn_id = videos_conn_id
        self.poke_interval = poke_interval
        self.started_at = started_at
        self.deadline = deadline
        self.exponential_backoff = exponential_backoff
        self.max_wait = max_wait
        self.silent_fail = silent_fail
        self.shown = shown

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what rebuilds this trigger; it is stored in plain text and holds nothing secret."""
        return (
            "airflow_provider_videos.triggers.videos.VideoTrigger",
            {
                "video_id": self.video_id,
                "videos_conn_id": self.videos_conn_id,
                "poke_interval": self.poke_interval,
                "started_at": self.started_at,
                "deadline": self.deadline,
                "exponential_backoff": self.exponential_backoff,
                "max_wait": self.max_wait,
                "silent_fail": self.silent_fail,
                "shown": self.shown,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the one event."""
        try:
            status, error = await self._wait(), None
        except VideoFailed:
            status, error = "ended", None
        except VideoLost as problem:
            status, error = "lost", str(problem)
        except VideosError as problem:
            status, error = "error", _without_words(problem)
        event = {"video_id": self.video_id, "status": status, "error": error}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call] # Airflow's own class has no types

    async def _wait(self) -> str:
        hook = VideosHook(self.videos_conn_id)
        try:
            async with (
                asyncio.timeout(self.deadline - time.time()) as time_left,
                poller_of(self.videos_conn_id, hook.get_async_endpoint) as poller,
            ):
                await self._ask(poller)
        except TimeoutError:
            if not time_left.expired():
                raise
            return "timeout"
        return "ended"

    async def _ask(self, poller: Poller) -> None:
        """Ask until the video is there."""
        clock = asyncio.get_running_loop().time
        epoch = time.time() - clock()
        watch = Watch(self.video_id, self.started_at, patient=self.silent_fail, shown=self.shown)
        now, heard_at, done = clock(), None, False
        due = first_due(now, self._interval(now + epoch))
        while not done:
            interval = self._interval(now + epoch)
            heard = await poller.ask(self.video_id, due=due, interval=interval, heard_at=heard_at)
            now = heard_at = clock()
            done = watch.take(heard.answer, now + epoch)
            if line := watch.news(heard.answer, now + epoch):
                self.log.info(line)
            due = next_due(now, due, interval)

    def _interval(self, now: float) -> float:
        return next_interval(
            self.poke_interval,
            now - self.started_at,
            exponential_backoff=self.exponential_backoff,
            max_wait=self.max_wait,
        )


def _without_words(error: VideosError) -> str:
    """Name an error without what the server said, which may hold anything."""
    if isinstance(error, AnswerError):
        return f"{type(error).__name__}, HTTP {error.status_code}"
    return str(error)
