"""A wait's subscription: unchanged answers are counted where they arrive, and news wakes the wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.polling.wait_state import (
    LONGEST_INTERVAL_WHILE_MISSING,
    first_due,
    next_due,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.polling.wait_state import WaitState


class Answer(NamedTuple):
    """An answer about a video."""

    value: Video | VideosError
    """The video, or the error that came instead of it."""

    listed: bool = False
    """Read in the list."""

    seconds: float | None = None
    """How long the request took, where one was made for this video."""


class Subscription:
    """
    A wait's place in a poller. All times are by the event loop's clock.

    :param state: what is known of the wait; each answer updates it.
    :param interval: returns about how many seconds pass between two answers, at some unix time.
    """

    __slots__ = (
        "_epoch",
        "_interval_at",
        "_loop",
        "_news",
        "_woken",
        "due",
        "interval",
        "is_due",
        "not_before",
        "state",
    )

    def __init__(self, state: WaitState, interval: Callable[[float], float]) -> None:
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._epoch = time.time() - now
        self._interval_at = interval
        self._news: deque[str | BaseException | None] = deque()
        self._woken: asyncio.Future[None] | None = None
        self.state = state
        self.interval = interval(now + self._epoch)
        # Who subscribes may have asked just before, or at any time in another triggerer.
        self.due = first_due(now, self.interval)
        self.not_before = 0.0
        self.is_due = False

    @property
    def has_ended(self) -> bool:
        """Whether the wait has been told that it is over."""
        return self.due == inf

    def welcomes_answer(self, now: float) -> bool:
        """
        Say whether an answer does not come too early.

        :param now: the present time.
        """
        return self.is_due or self.not_before <= now

    def update(self, value: Video | VideosError, now: float, *, serves_others: bool | None) -> None:
        """
        Take in an answer, wake the wait if it is news, and plan when the next one is due.

        :param value: the video, or the error that came instead of it.
        :param now: the present time.
        :param serves_others: as :meth:`WaitState.update` takes it.
        """
        unix_now = now + self._epoch
        try:
            is_there = self.state.update(value, unix_now, serves_others=serves_others)
        except VideosError as error:
            self.end(error)
            return
        if line := self.state.log_line(value, unix_now):
            self._tell(line)
        if is_there:
            self.end(None)
        else:
            self._plan(now)

    def end(self, error: BaseException | None) -> None:
        """
        Tell the wait that it is over; no answer is welcome any more.

        :param error: why there is no video; None if it is there.
        """
        self.due = self.not_before = inf
        self.is_due = False
        self._tell(error)

    async def next_log_line(self) -> str | None:
        """
        Wait for news and return it, as a line for the task's log; None when the video is there.

        :raises VideosError: as :meth:`WaitState.update` does.
        """
        while not self._news:
            self._woken = self._loop.create_future()
            await self._woken
        news = self._news.popleft()
        if isinstance(news, BaseException):
            raise news
        return news

    def _tell(self, news: str | BaseException | None) -> None:
        self._news.append(news)
        if self._woken and not self._woken.done():
            self._woken.set_result(None)

    def _plan(self, now: float) -> None:
        due = next_due(now, self.due, self.interval)
        self.interval = self._interval_at(now + self._epoch)
        if self.state.is_missing:
            self.interval = min(self.interval, LONGEST_INTERVAL_WHILE_MISSING)
            due = min(due, now + self.interval)
        self.due, self.not_before, self.is_due = due, now + self.interval / 2, False
