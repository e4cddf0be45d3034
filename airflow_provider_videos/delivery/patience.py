"""
Retry budget of one file's download, the only one there is: each request within goes out once.

Troubles in a row are counted, and a byte that was not there before makes them forgotten. A 404 has a count of
its own: behind one address it may be the answer of a replica that does not know the video.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from airflow_provider_videos.api.errors import AnswerError, NotFound, NotReady, VideosError
from airflow_provider_videos.api.retry import Backoff

if TYPE_CHECKING:
    from airflow_provider_videos.api.clock import Clock

PATIENT = Backoff(attempts=8, total=600.0, base=1.0, cap=16.0, longest_retry_after=120.0)
"""About half a minute of waits after a file was not ready eight times, or its connection dropped as often."""

# On fresh connections, 22 in a row miss one of two replicas with a chance of 2e-7, one of three with 1e-4.
_REPEATS_AFTER_404 = 3
_CAP_AFTER_404 = 3.0  # so that all of them take as long as eight other troubles


class Log(Protocol):
    """Receiver of the task's log lines."""

    def info(self, message: str, /, *args: object) -> object:
        """Tell."""

    def warning(self, message: str, /, *args: object) -> object:
        """Tell what is amiss."""


class Patience:
    """
    Count of the troubles in a row.

    :param backoff: how many, and how long to wait in between.
    :param clock: the time.
    :param log: where each wait is told.
    """

    def __init__(self, backoff: Backoff, clock: Clock, log: Log) -> None:
        self._backoffs = {False: backoff, True: _after_404(backoff)}
        self._clock = clock
        self._log = log
        self._furthest = 0
        self._troubles: Counter[bool] = Counter()
        self._since = clock.monotonic()

    def reached(self, position: int) -> None:
        """
        Take note of how far into the file the bytes have come.

        :param position: how many there are.
        """
        if position > self._furthest:
            self._furthest = position
            self._troubles.clear()
            self._since = self._clock.monotonic()

    def bear(self, trouble: VideosError) -> None:
        """
        Wait a while, or give up.

        :param trouble: what has happened.
        :raises VideosError: the trouble itself, once there were too many.
        """
        is_missing = isinstance(trouble, NotFound)
        self._troubles[is_missing] += 1
        retry_after = trouble.retry_after if isinstance(trouble, AnswerError | NotReady) else None
        elapsed = self._clock.monotonic() - self._since
        chance = random.random()  # noqa: S311 - jitter is no secret
        pause = self._backoffs[is_missing].wait(self._troubles[is_missing], elapsed, retry_after, chance)
        if pause is None:
            raise trouble
        self._log.warning("%s; trying again in %.1f seconds", trouble, pause)
        self._clock.sleep(pause)


def _after_404(backoff: Backoff) -> Backoff:
    attempts = 1 + _REPEATS_AFTER_404 * (backoff.attempts - 1)
    return replace(backoff, attempts=attempts, cap=min(backoff.cap, _CAP_AFTER_404))
