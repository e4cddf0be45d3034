"""The time of day, as a task sees it whose pauses are over at once."""

from __future__ import annotations

import time as real

from airflow_provider_videos.api.clock import Clock


class TurnedTime:
    """
    A stand-in for the module `time`.

    :param ahead: by how many seconds this worker's clock is off.
    """

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead = ahead
        self.slept = 0.0

    def time(self) -> float:
        return real.time() + self.ahead + self.slept

    def monotonic(self) -> float:
        return real.monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    @property
    def clock(self) -> Clock:
        """The same time, for whatever takes a clock."""
        return Clock(self.time, self.monotonic, self.sleep, self.async_sleep)
