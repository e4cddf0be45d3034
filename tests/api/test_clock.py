from __future__ import annotations

import asyncio
import time

import pytest

from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient
from airflow_provider_videos.api.clock import Clock, default_clock, use_clock
from airflow_provider_videos.api.errors import Busy
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import Answer, Fault
from tests.turned_time import TurnedTime

HOUR = 3600.0
PATIENT = Backoff(attempts=4, total=10 * HOUR, base=0, longest_retry_after=HOUR)
BUSY = Fault(Answer(status=429, headers={"Retry-After": "3600"}), operation="models", times=None)


def ask(endpoint, clock):
    with VideosClient(endpoint, backoff=PATIENT, clock=clock) as client:
        return client.list_models()


def ask_from_a_loop(endpoint, clock):
    async def ask():
        async with AsyncVideosClient(endpoint, backoff=PATIENT, clock=clock) as client:
            return await client.list_models()

    return asyncio.run(ask())


@pytest.fixture(params=[ask, ask_from_a_loop], ids=["sync", "async"])
def asked(request):
    return request.param


def test_a_client_waits_by_its_clock_alone(asked, endpoint, videos_emulator):
    videos_emulator.inject(BUSY)
    turned, begun = TurnedTime(), time.monotonic()
    with pytest.raises(Busy):
        asked(endpoint, turned.clock)
    assert turned.slept == 3 * HOUR
    assert time.monotonic() - begun < 60
    assert videos_emulator.record.requests["models"] == 4


def test_the_total_of_a_call_is_measured_by_its_clock(asked, endpoint, videos_emulator):
    videos_emulator.inject(BUSY)
    turned, sleep = TurnedTime(), TurnedTime.sleep
    turned.sleep = lambda seconds: sleep(turned, 9.5 * seconds)
    with pytest.raises(Busy):
        asked(endpoint, turned.clock)
    assert videos_emulator.record.requests["models"] == 2


def test_a_date_to_wait_until_is_read_by_the_clock(asked, endpoint, videos_emulator):
    late = {"Retry-After": "Thu, 01 Jan 2099 00:10:00 GMT", "Date": "never"}
    videos_emulator.inject(Fault(Answer(status=429, headers=late), operation="models"))
    turned = TurnedTime(ahead=4_070_908_800 - time.time())
    asked(endpoint, turned.clock)
    assert turned.slept == pytest.approx(600, abs=60)


def test_another_default_is_what_new_clients_go_by(asked, endpoint, videos_emulator):
    videos_emulator.inject(BUSY)
    turned, before = TurnedTime(), default_clock()
    with use_clock(turned.clock), pytest.raises(Busy):
        asked(endpoint, None)
    assert turned.slept == 3 * HOUR
    assert default_clock() == before


def test_the_machine_s_time_is_back_after_an_error():
    with pytest.raises(ZeroDivisionError), use_clock(TurnedTime().clock):
        1 / 0  # noqa: B018
    assert default_clock() == Clock()
