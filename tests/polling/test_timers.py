"""Timers that share a tick, in a loop where sleeping takes no time."""

from __future__ import annotations

import asyncio
import random

import pytest

from airflow_provider_videos.polling.timers import Timers
from tests.polling import turned_loop


@pytest.fixture
def went_off():
    """Set timers and return when each item's went off."""

    def went_off(set_timers, *, within=100.0):
        async def main():
            now = asyncio.get_running_loop().time
            moments = {}
            timers = Timers(lambda item: moments.setdefault(item, []).append(now()))
            await set_timers(timers)
            await asyncio.sleep(within)
            return moments

        return turned_loop.run(main())

    return went_off


@pytest.mark.parametrize("granularity", [0.001, 0.2, 7.0])
def test_each_goes_off_once_in_time(went_off, granularity):
    rule = random.Random(1)
    times = {item: rule.uniform(0, 50) for item in range(1000)}

    async def set_timers(timers):
        for item, at in times.items():
            timers.set(item, at, granularity)

    moments = went_off(set_timers)
    assert moments.keys() == times.keys()
    for item, (moment,) in moments.items():
        assert times[item] - 1e-9 <= moment <= times[item] + granularity + 1e-9
    assert len({moment for (moment,) in moments.values()}) <= 50 / granularity + 2


def test_one_that_is_set_anew_goes_off_then_and_not_before(went_off):
    async def set_timers(timers):
        for at in (10, 30, 20):
            timers.set("item", at, 1.0)

    assert went_off(set_timers) == {"item": [20]}


def test_one_that_is_cancelled_does_not_go_off_and_its_neighbour_does(went_off):
    async def set_timers(timers):
        for item in ("one", "other", "alone"):
            timers.set(item, 30 if item == "alone" else 10, 1.0)
        for item in ("one", "alone", "never set"):
            timers.cancel(item)

    assert went_off(set_timers) == {"other": [10]}


def test_one_may_be_set_anew_when_it_goes_off():
    async def main():
        now, moments = asyncio.get_running_loop().time, []

        def on_timer(item):
            moments.append(now())
            timers.set(item, now() + 10, 1.0)

        timers = Timers(on_timer)
        timers.set("item", 10, 1.0)
        await asyncio.sleep(45)
        timers.cancel("item")
        return moments

    assert turned_loop.run(main()) == [10, 20, 30, 40]
