"""The sensor's own looks behind one address of several servers, and while a server stumbles."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_videos.adapters.names import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.clock import use_clock
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.errors import TransportError, Unauthorized
from airflow_provider_videos.emulator import Answer, Drop, Emulator, Failed, Fault, ManualClock
from airflow_provider_videos.polling import wait_state
from airflow_provider_videos.sensors.videos import VideoSensor
from tests.names import TaskDeferred
from tests.turned_time import TurnedTime

WAITS = 150
CASES = [(2, "request"), (2, "connection"), (3, "request"), (3, "connection")]


@pytest.fixture(autouse=True)
def turned():
    turned = TurnedTime()
    with use_clock(turned.clock):
        yield turned


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-by-{case[1]}")
def behind(request, connect_to):
    """A server of several replicas."""
    count, balance = request.param
    with Emulator(clock=ManualClock(), replicas=count, balance=balance, seed=7) as emulator:
        connect_to(emulator)
        yield emulator


@pytest.fixture
def alone(connect_to):
    with Emulator(clock=ManualClock()) as emulator:
        connect_to(emulator)
        yield emulator


@pytest.fixture
def context():
    return {"ti": SimpleNamespace(try_number=1, xcom_push=lambda key, value: None)}


def bought(emulator, count=1):
    endpoint = Endpoint(emulator.base_url, api_key=emulator.api_key)
    with VideosClient(endpoint) as shop:
        return [shop.create(f"Film {number}").id for number in range(count)]


def sensor(video_id, **options):
    return VideoSensor(task_id="wait", video_id=video_id, **{"deferrable": True, **options})


def resume(video_id, status, context, **options):
    event = {"video_id": video_id, "status": status, "error": None}
    return sensor(video_id, **options).resume_execution("execute_complete", {"event": event}, context)


@pytest.mark.parametrize("status", ["ended", "timeout", "error"])
def test_a_task_that_resumes_finds_what_is_there(behind, context, status):
    found = bought(behind, WAITS)
    behind.clock.advance(60)
    assert [resume(video, status, context) for video in found] == found


def test_a_task_that_resumes_finds_why_a_video_failed(behind, context):
    behind.inject(Fault(Failed(code="content_filter", message="Blocked by policy."), times=None))
    failed = bought(behind, WAITS // 3)
    behind.clock.advance(60)
    for video in failed:
        with pytest.raises(AirflowFailException, match="Blocked by policy"):
            resume(video, "ended", context)


def test_a_video_that_servers_fail_on_is_not_called_unknown(behind, context):
    behind.inject(Fault(Answer(status=500, body={"error": "filtered"}), operation="retrieve", times=None))
    for video in bought(behind, 20):
        with pytest.raises(AirflowFailException, match="filtered"):
            resume(video, "unavailable", context)


def test_the_first_look_of_a_deferred_wait_loses_nothing(behind, context):
    for video in bought(behind, WAITS // 3):
        with pytest.raises(TaskDeferred):
            sensor(video).execute(context)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_the_last_poke_before_the_time_is_up_may_meet_the_wrong_one(behind, context, mode, soft_fail):
    found = bought(behind, WAITS // 3)
    behind.clock.advance(60)
    context["ti"].get_first_reschedule_date = lambda _: None
    context["task_state_store"] = SimpleNamespace(get=lambda _: None, set=lambda *_: None)
    options = {"deferrable": False, "mode": mode, "timeout": 0, "soft_fail": soft_fail}
    assert [sensor(video, **options).execute(context) for video in found] == found


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(status=503),
        Answer(status=429, headers={"retry-after": "3"}),
        Answer(status=200, body="{"),
        Drop(),
    ],
    ids=["503", "429", "nonsense", "drop"],
)
def test_trouble_that_lasts_for_seconds_is_waited_out(alone, context, turned, trouble):
    (video,) = bought(alone)
    alone.clock.advance(60)
    alone.inject(Fault(trouble, operation="retrieve", times=7))
    assert resume(video, "ended", context) == video
    assert turned.slept > 1


@pytest.mark.parametrize("trouble", [Answer(status=503), Answer(status=404), Drop()])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_trouble_that_lasts_is_told_for_what_it_is_and_may_be_retried(
    alone, context, turned, trouble, soft_fail
):
    (video,) = bought(alone)
    alone.clock.advance(60)
    alone.inject(Fault(trouble, operation="retrieve", times=None))
    with pytest.raises(TransportError, match=r"has ended.* The last error: .* A retry looks again"):
        resume(video, "ended", context, soft_fail=soft_fail)
    assert turned.slept < wait_state.LOOKS_SECONDS
    assert alone.record.requests["retrieve"] <= wait_state.LOOKS


def test_each_look_has_a_connection_of_its_own(alone, context):
    before = alone.record.connections
    with pytest.raises(TransportError):
        resume("video_gone", "ended", context)
    assert alone.record.requests["retrieve"] == wait_state.LOOKS
    assert alone.record.connections - before == wait_state.LOOKS


def test_a_server_that_asks_for_minutes_is_left_alone(alone, context, turned):
    (video,) = bought(alone)
    alone.inject(Fault(Answer(status=429, headers={"retry-after": "300"}), operation="retrieve", times=None))
    with pytest.raises(TransportError, match="The last error"):
        resume(video, "ended", context)
    assert alone.record.requests["retrieve"] == 1
    assert turned.slept == 0


@pytest.mark.parametrize("status", ["timeout", "error", "unavailable"])
def test_a_video_under_way_is_no_reason_to_look_twice(alone, context, turned, status):
    (video,) = bought(alone)
    with pytest.raises((AirflowSensorTimeout, TransportError)):
        resume(video, status, context)
    assert alone.record.requests["retrieve"] == 1
    assert turned.slept == 0


def test_a_replica_that_is_behind_is_given_time(alone, context):
    (video,) = bought(alone)
    stale = Answer(status=200, body={"id": video, "object": "video", "status": "in_progress"})
    alone.clock.advance(60)
    alone.inject(Fault(stale, operation="retrieve", times=3))
    assert resume(video, "ended", context) == video
    alone.inject(Fault(stale, operation="retrieve", times=None))
    with pytest.raises(TransportError, match="still under way there"):
        resume(video, "ended", context)


def test_a_key_that_is_refused_is_told_at_once(alone, context, turned):
    (video,) = bought(alone)
    alone.inject(Fault(Answer(status=401), operation="retrieve", times=None))
    with pytest.raises(Unauthorized):
        resume(video, "ended", context)
    assert turned.slept == 0


def test_time_that_is_up_while_the_server_is_gone_ends_a_poke_all_the_same(alone, context):
    alone.inject(Fault(Drop(), operation="retrieve", times=None))
    options = {"deferrable": False, "mode": "poke", "timeout": 0}
    for soft_fail, end in ((False, AirflowSensorTimeout), (True, AirflowSkipException)):
        with pytest.raises(end, match="was not completed within 0 s"):
            sensor("video_v", soft_fail=soft_fail, **options).execute(context)
    assert alone.record.requests["retrieve"] == 2  # whoever pokes asks once


@pytest.mark.parametrize("replicas", [2, 3])
@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_sound_video_is_missed_less_than_once_in_a_thousand_times(replicas, seconds):
    looks = min(wait_state.LOOKS, wait_state.LOOKS_SECONDS // (seconds + wait_state._ANOTHER_REPLICA_SECONDS))
    assert (1 - 1 / replicas) ** looks < 0.001
