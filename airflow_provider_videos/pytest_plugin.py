"""Pytest plugin for whoever tests DAGs: a fixture that costs nothing until it is asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.api.clock import Clock
    from airflow_provider_videos.emulator import Emulator, ManualClock


@pytest.fixture
def videos_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """
    A Videos API server of the test's own, its clock turned by hand and by what the provider would sleep.

    It speaks another dialect than the contract's with
    ``@pytest.mark.parametrize("videos_emulator", ["sglang", "litellm"], indirect=True)``.
    """
    from airflow_provider_videos.api.clock import use_clock
    from airflow_provider_videos.emulator import Emulator, ManualClock

    clock = ManualClock()
    with (
        Emulator(clock=clock, profile=getattr(request, "param", "openai")) as emulator,
        use_clock(clock_turning(clock)),
    ):
        yield emulator


def clock_turning(emulated: ManualClock) -> Clock:
    """
    Return a clock for :func:`~.use_clock` by which the provider's waits are over at once and turn another.

    :param emulated: the clock of an emulator, which each wait puts forward by as long as it would have taken.
    """
    from airflow_provider_videos.api.clock import Clock

    turned = _TurnedTime(emulated)
    return Clock(turned.now, turned.monotonic, turned.sleep, turned.async_sleep)


class _TurnedTime:
    """The provider's time beside a server whose clock stands still: it passes, and waits turn both."""

    def __init__(self, emulated: ManualClock) -> None:
        self._emulated = emulated
        self._begun = time.monotonic()
        self._slept = 0.0

    def now(self) -> float:
        return self._emulated.now() + time.monotonic() - self._begun

    def monotonic(self) -> float:
        return time.monotonic() + self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += seconds
        self._emulated.advance(seconds)

    async def async_sleep(self, seconds: float) -> None:
        from asyncio import sleep

        self.sleep(seconds)
        await sleep(0)  # as any wait does, it lets others go on
