"""How much trouble a delivery puts up with, and how long it waits in between."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

from airflow_provider_videos.api.errors import AnswerError, NotReady, VideosError
from airflow_provider_videos.api.retry import Backoff

if TYPE_CHECKING:
    from airflow_provider_videos.api.clock import Clock

PATIENT = Backoff(attempts=8, total=600.0, base=1.0, cap=16.0, longest_retry_after=120.0)
"""About half a minute of waits after a file was not ready eight times, or its connection dropped as often."""


class Log(Protocol):
    """Where the task's log lines go."""

    def info(self, message: str, /, *args: object) -> object:
        """Tell."""

    def warning(self, message: str, /, *args: object) -> object:
        """Tell what is amiss."""


class Patience:
    """
    Counts troubles in a row; a byte that was not there before makes it forget them.

    :param backoff: how many, and how long.
    :param clock: the time.
    :param log: where each wait is told.
    """

    def __init__(self, backoff: Backoff, clock: Clock, log: Log) -> None:
        self._backoff = backoff
        self._clock = clock
        self._log = log
        self._furthest = 0
        self._troubles = 0
        self._since = clock.monotonic()

    def reached(self, position: int) -> None:
        """
        Take note of how far into the file the bytes have come.

        :param position: how many there are.
        """
        if position > self._furthest:
            self._furthest, self._troubles = position, 0
            self._since = self._clock.monotonic()

    def bear(self, trouble: VideosError) -> None:
        """
        Wait a while, or give up.

        :param trouble: what has happened.
        :raises VideosError: the trouble itself, once there were too many.
        """
        self._troubles += 1
        retry_after = trouble.retry_after if isinstance(trouble, AnswerError | NotReady) else None
        elapsed = self._clock.monotonic() - self._since
        chance = random.random()  # noqa: S311 - jitter is no secret
        pause = self._backoff.wait(self._troubles, elapsed, retry_after, chance)
        if pause is None:
            raise trouble
        self._log.warning("%s; trying again in %.1f seconds", trouble, pause)
        self._clock.sleep(pause)
