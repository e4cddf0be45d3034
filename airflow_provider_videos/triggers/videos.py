"""The trigger: waiting for a video without a worker."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.names import BaseTrigger, TaskSuccessEvent, TriggerEvent
from airflow_provider_videos.adapters.task_states import reports_kills, was_marked_failed_async
from airflow_provider_videos.api.errors import (
    AnswerError,
    VideoFailed,
    VideoLost,
    VideosError,
    VideoUnavailable,
)
from airflow_provider_videos.api.requests import as_text
from airflow_provider_videos.hooks.videos import VideosHook
from airflow_provider_videos.polling.poller import poller_of
from airflow_provider_videos.polling.wait_state import (
    WaitState,
    cancellation,
    next_interval,
)
from airflow_provider_videos.triggers.metrics import WaitMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import VideoDeleted
    from airflow_provider_videos.polling.poller import Poller

# The event loop itself holds its tasks by weak references alone.
_CANCELLING: set[asyncio.Task[None]] = set()


class VideoTrigger(BaseTrigger):
    """
    Ask for a video's state until it has ended or the deadline has passed.

    The one event it fires is small and repeats no word of the server; the task that resumes asks it itself:
    ``{"video_id", "status", "error"}``, with a status of ``ended``, ``lost``, ``unavailable``, ``timeout`` or
    ``error``. All times are absolute, in unix seconds, so that a restart of the triggerer does not shift
    them; where the scheduler starts the trigger, Airflow keeps the deadline.

    :param video_id: the video.
    :param videos_conn_id: the connection to the server.
    :param poke_interval: seconds between two questions.
    :param started_at: when the wait began; ``timeout`` before the deadline by default.
    :param deadline: when it ends; Airflow's own deadline by default.
    :param exponential_backoff: whether intervals grow.
    :param max_wait: the longest interval, in seconds.
    :param silent_fail: whether errors that waiting does not cure are waited out as well.
    :param shown: the status line the task's log already has.
    :param cancel_on_kill: whether the video is deleted when a user marks the task failed.
    :param timeout: how long the task waits in all, in seconds.
    :param end_from_trigger: whether a completed video ends the task here, without a worker.
    :param later: what a newer release has stored beside these; kept as it is, for when it is back.
    """

    timeout_after: datetime | None = None

    def __init__(
        self,
        *,
        video_id: str,
        videos_conn_id: str = "videos_default",
        poke_interval: float = 15.0,
        started_at: float | None = None,
        deadline: float | None = None,
        exponential_backoff: bool = False,
        max_wait: float | None = None,
        silent_fail: bool = False,
        shown: str = "",
        cancel_on_kill: bool = False,
        timeout: float = 0.0,
        end_from_trigger: bool = False,
        **later: Any,
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
        self.cancel_on_kill = cancel_on_kill
        self.timeout = timeout
        self.end_from_trigger = end_from_trigger
        self._later = later

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what rebuilds this trigger; it is stored in plain text and holds nothing secret."""
        return (
            "airflow_provider_videos.triggers.videos.VideoTrigger",
            {
                **self._later,
                "video_id": self.video_id,
                "videos_conn_id": self.videos_conn_id,
                "poke_interval": self.poke_interval,
                "started_at": self.started_at,
                "deadline": self.deadline,
                "exponential_backoff": self.exponential_backoff,
                "max_wait": self.max_wait,
                "silent_fail": self.silent_fail,
                "shown": self.shown,
                "cancel_on_kill": self.cancel_on_kill,
                "timeout": self.timeout,
                "end_from_trigger": self.end_from_trigger,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the one event."""
        status, error = "ended", None
        try:
            if not await self._wait_unless_killed():
                status = "timeout"
            elif self.end_from_trigger:
                yield TaskSuccessEvent()
                return
        except VideoFailed:
            pass  # the task that resumes asks for the reason
        except VideoLost as problem:
            status, error = "lost", str(problem)
        except VideoUnavailable:
            status = "unavailable"  # the task that resumes asks for the reason
        except VideosError as problem:
            status, error = "error", _without_words(problem)
        event = {"video_id": self.video_id, "status": status, "error": error}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call] # Airflow's own class has no types

    async def on_kill(self) -> None:
        """Delete the video if it was told to and a user has failed the task; Airflow calls it for less."""
        if not self.cancel_on_kill:
            return
        cancelling = asyncio.create_task(self._cancel())
        _CANCELLING.add(cancelling)
        cancelling.add_done_callback(_CANCELLING.discard)
        # Airflow cancels a trigger again each second that it takes, and its first question takes several.
        await asyncio.shield(cancelling)

    async def _cancel(self) -> None:
        if not await was_marked_failed_async(self.task_instance):
            self.log.info("Video %s goes on: its task has not been failed", self.video_id)
            return
        server = self.videos_conn_id
        try:
            async with await VideosHook(self.videos_conn_id).get_async_conn() as client:
                server = client.endpoint.base_url
                answer: VideoDeleted | VideosError = await client.delete(self.video_id)
        except VideosError as error:
            answer = error
        self.log.info(cancellation(self.video_id, server, answer))

    async def _wait_unless_killed(self) -> bool:
        try:
            return await self._wait()
        except asyncio.CancelledError:
            if not reports_kills():
                await self.on_kill()
            raise

    async def _wait(self) -> bool:
        """Wait for the video; False if the deadline came first."""
        self.video_id = as_text("video_id", self.video_id)
        try:
            async with (
                asyncio.timeout(self._ends_at - time.time()) as time_left,
                poller_of(self.videos_conn_id, self._endpoint, self._metrics.report) as poller,
            ):
                await self._log_news(poller)
        except TimeoutError:
            if not time_left.expired():
                raise
            return False
        return True

    async def _log_news(self, poller: Poller) -> None:
        state = WaitState(self.video_id, self._begins_at, patient=self.silent_fail, shown=self.shown)
        with poller.subscribe(state, self._interval) as subscription:
            while line := await subscription.next_log_line():
                self.log.info(line)

    async def _endpoint(self) -> Endpoint:
        await self._metrics.connection_read()
        return await VideosHook(self.videos_conn_id).get_async_endpoint()

    @cached_property
    def _metrics(self) -> WaitMetrics:
        return WaitMetrics(self.videos_conn_id)

    def _interval(self, now: float) -> float:
        return next_interval(
            self.poke_interval,
            now - self._begins_at,
            exponential_backoff=self.exponential_backoff,
            max_wait=self.max_wait,
        )

    @cached_property
    def _begins_at(self) -> float:
        return self._ends_at - self.timeout if self.started_at is None else self.started_at

    @cached_property
    def _ends_at(self) -> float:
        if self.deadline is not None:
            return self.deadline
        end = self.timeout_after
        if end is None:
            return time.time() + self.timeout
        return (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp()


def _without_words(error: VideosError) -> str:
    """Name an error without what the server said, which may hold anything."""
    if isinstance(error, AnswerError):
        return f"{type(error).__name__}, HTTP {error.status_code}"
    return str(error)
