"""The trigger: waiting for a video without a worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskInstanceState
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_videos.api.errors import AnswerError, VideoFailed, VideoLost, VideosError
from airflow_provider_videos.hooks.videos import VideosHook
from airflow_provider_videos.polling.watch import Watch, cancellation, next_interval, obeyed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_videos.api.client import AsyncVideosClient
    from airflow_provider_videos.api.models import Video, VideoDeleted

# The event loop itself holds its tasks by weak references alone.
_CANCELLING: set[asyncio.Task[None]] = set()


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
    :param cancel_on_kill: whether the video is deleted when a user marks the task failed.
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
        cancel_on_kill: bool = False,
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
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire the one event."""
        try:
            async with await VideosHook(self.videos_conn_id).get_async_conn() as client:
                status, error = await self._wait(client), None
        except VideoFailed:
            status, error = "ended", None
        except VideoLost as problem:
            status, error = "lost", str(problem)
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
        if not await asyncio.to_thread(was_marked_failed, self.task_instance):
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

    async def _wait(self, client: AsyncVideosClient) -> str:
        watch = Watch(self.video_id, self.started_at, patient=self.silent_fail, shown=self.shown)
        pause = 0.0
        # The sensor asked just before it deferred, so the wait comes first.
        while (remaining := self.deadline - time.time()) > 0:
            await asyncio.sleep(min(max(self._interval(), pause), remaining))
            answer = await _answer(client, self.video_id)
            done = watch.take(answer, time.time())
            if line := watch.news(answer, time.time()):
                self.log.info(line)
            if done:
                return "ended"
            pause = obeyed(answer.retry_after if isinstance(answer, AnswerError) else None)
        return "timeout"

    def _interval(self) -> float:
        return next_interval(
            self.poke_interval,
            time.time() - self.started_at,
            exponential_backoff=self.exponential_backoff,
            max_wait=self.max_wait,
        )


def was_marked_failed(task_instance: Any) -> bool:
    """
    Say whether a user has failed a task; asks Airflow, so not on an event loop.

    It was not where the task waits, runs or is to run again: then a triggerer or a worker has gone, a trigger
    has moved, or a retry or a clear has taken over.

    :param task_instance: the task instance.
    """
    states = RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index,
    )
    return set(states.get(task_instance.run_id, {}).values()) == {TaskInstanceState.FAILED}


async def _answer(client: AsyncVideosClient, video_id: str) -> Video | VideosError:
    try:
        return await client.retrieve(video_id)
    except VideosError as error:
        return error


def _without_words(error: VideosError) -> str:
    """Name an error without what the server said, which may hold anything."""
    if isinstance(error, AnswerError):
        return f"{type(error).__name__}, HTTP {error.status_code}"
    return str(error)
