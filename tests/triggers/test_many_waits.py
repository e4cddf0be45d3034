"""Many triggers in one event loop, as a triggerer runs them, in a loop where sleeping takes no time."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter

import pytest

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.emulator import Answer, Drop, Emulator, Fault, ManualClock
from airflow_provider_videos.triggers.videos import VideoTrigger
from tests.polling import turned_loop

pytestmark = pytest.mark.usefixtures("connection")

INTERVAL = 5.0


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def videos_emulator(clock):
    with Emulator(clock=clock, job_seconds=300) as emulator:
        yield emulator


@pytest.fixture
def triggers(endpoint):
    def triggers(count):
        now = time.time()
        options = {"videos_conn_id": "videos_default", "poke_interval": INTERVAL}
        options |= {"started_at": now, "deadline": now + 3600}
        with VideosClient(endpoint) as client:
            videos = [client.create(f"Film {number}").id for number in range(count)]
        return [VideoTrigger(video_id=video, **options) for video in videos]

    return triggers


async def fire(trigger):
    (event,) = [event async for event in trigger.run()]
    return event.payload


@pytest.mark.parametrize(("outage", "count"), [(Drop(), 200), (Answer(status=503), 20)], ids=["gone", "503"])
def test_ten_minutes_without_the_server(triggers, videos_emulator, clock, monkeypatch, capfd, outage, count):
    turned_loop.watch_requests(monkeypatch)
    record, triggers = videos_emulator.record, triggers(count)

    async def main():
        waits = [asyncio.create_task(fire(trigger)) for trigger in triggers]
        await asyncio.sleep(30)
        videos_emulator.inject(Fault(outage, times=None))
        began = clock.now()
        await asyncio.sleep(600)
        during = len([one for one in record.exchanges if one.at > began])
        videos_emulator.clear_faults()
        record.clear()
        ended = clock.now()
        events = await asyncio.gather(*waits)
        first_minute = [one.at - ended for one in record.exchanges if one.at < ended + 60]
        return events, during, first_minute, asyncio.get_running_loop().most_under_way

    events, during, first_minute, most_at_once = turned_loop.run(main(), clock)

    assert [event["status"] for event in events] == ["ended"] * count
    # Each wait asks once in an interval at the most, as it does on any other day, and all have ended by now.
    assert during <= count * 600 / INTERVAL * 1.1
    assert len(first_minute) <= count * 60 / INTERVAL
    for begin in first_minute:
        assert sum(begin <= moment < begin + INTERVAL for moment in first_minute) <= 1.1 * count
    assert most_at_once <= 8
    lines = re.findall(r"Video (\S+): no news but \w+", capfd.readouterr().out)
    told = Counter(lines)
    assert len(told) > count / 2
    for trigger in triggers:
        # The jobs that had ended before are not waited for any more.
        assert told[trigger.video_id] == 0 or 9 <= told[trigger.video_id] <= 12


def test_a_wait_is_told_what_concerns_it(triggers, videos_emulator, clock, monkeypatch, capfd):
    turned_loop.watch_requests(monkeypatch)
    triggers = triggers(20)

    async def main():
        await asyncio.gather(*map(fire, triggers))

    turned_loop.run(main(), clock)
    lines = re.findall(r"Video (\S+): completed", capfd.readouterr().out)
    assert sorted(lines) == sorted(trigger.video_id for trigger in triggers)


class TestReplicas:
    @pytest.fixture(params=["connection", "request"])
    def videos_emulator(self, request, clock):
        with Emulator(clock=clock, job_seconds=600, replicas=2, balance=request.param, seed=11) as emulator:
            yield emulator

    def test_a_404_from_the_other_one_loses_no_video(self, triggers, clock, monkeypatch):
        turned_loop.watch_requests(monkeypatch)
        triggers = triggers(20)

        async def main():
            return await asyncio.gather(*map(fire, triggers))

        assert Counter(event["status"] for event in turned_loop.run(main(), clock)) == {"ended": 20}


def ends_after(trouble, waits):
    """How and when waits end that trouble comes upon after ten seconds."""

    async def main():
        now = asyncio.get_running_loop().time
        ends = {}

        async def noted(trigger):
            event = await fire(trigger)
            ends[trigger.video_id] = event["status"], now()

        tasks = [asyncio.create_task(noted(trigger)) for trigger in waits]
        await asyncio.sleep(10)
        trouble()
        await asyncio.gather(*tasks)
        return ends

    return main()


def test_what_a_restart_has_lost_is_known_within_minutes(triggers, videos_emulator, clock, monkeypatch):
    turned_loop.watch_requests(monkeypatch)
    ends = turned_loop.run(ends_after(videos_emulator.restart, triggers(10)), clock)
    for status, at in ends.values():
        assert status == "lost"
        assert 120 <= at <= 300


def test_one_video_that_is_failed_on_for_ever(triggers, videos_emulator, clock, monkeypatch):
    turned_loop.watch_requests(monkeypatch)
    sick, *others = triggers(3)  # too few for the list, which would show it as under way

    def fall_ill():
        fault = Answer(status=500, body={"error": {"message": "filtered"}})
        videos_emulator.inject(Fault(fault, path=f"/v1/videos/{sick.video_id}", times=None))

    ends = turned_loop.run(ends_after(fall_ill, [sick, *others]), clock)
    status, at = ends.pop(sick.video_id)
    assert status == "unavailable"
    assert 900 <= at <= 960
    assert {status for status, _ in ends.values()} == {"ended"}
    assert videos_emulator.record.requests["models"] <= 16
