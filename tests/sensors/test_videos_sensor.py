"""The sensor, run by Airflow itself in each of its modes."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.errors import Unauthorized
from airflow_provider_videos.emulator import Answer, Drop, Emulator, Failed, Fault, ManualClock, Stuck
from airflow_provider_videos.polling import watch
from airflow_provider_videos.sensors.videos import VideoSensor

MODES = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferred": {"deferrable": True},
}


@pytest.fixture
def steps():
    """By how many seconds the server's clock is turned before each of the next GETs."""
    return []


@pytest.fixture
def videos_emulator(steps):
    clock = ManualClock()

    def turning(app):
        async def turned(scope, receive, send):
            if steps and scope.get("method") == "GET":
                clock.advance(steps.pop(0))
            await app(scope, receive, send)

        return turned

    with Emulator(clock=clock, middleware=turning) as emulator:
        yield emulator


@pytest.fixture(params=MODES)
def wait(request, run_dag, connection):
    """Wait for a video in one of the modes; what went wrong is in ``wait.errors``."""

    def wait(video_id, **options):
        wait.errors = []
        with DAG("waiting", schedule=None) as dag:
            VideoSensor(
                task_id="wait",
                video_id=video_id,
                retries=1,
                retry_delay=timedelta(0),
                on_failure_callback=lambda context: wait.errors.append(context["exception"]),
                **{"poke_interval": 0.05, "timeout": 20, **MODES[request.param], **options},
            )
        return run_dag(dag)["wait"]

    wait.mode = request.param
    return wait


@pytest.fixture
def buy(endpoint):
    with VideosClient(endpoint) as client:
        yield lambda: client.create("A paper boat").id


def test_a_completed_video_ends_the_wait(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.clock.advance(60)
    ran = wait(video_id)
    assert ran.state == "success"
    assert ran.xcoms["return_value"] == video_id
    assert ran.xcoms["video"]["status"] == "completed"
    assert set(ran.xcoms) == {"return_value", "video"}


def test_a_video_on_its_way_is_waited_for(wait, buy, videos_emulator, steps):
    video_id = buy()
    steps += [1, 1, 1, 60]
    videos_emulator.inject(Fault(Answer(status=503), operation="retrieve"))
    ran = wait(video_id)
    assert ran.state == "success"
    assert ran.xcoms["return_value"] == video_id
    assert len(videos_emulator.purchases) == 1


@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
class TestABadEndIsTheSameInEveryMode:
    def test_failed(self, wait, buy, videos_emulator, soft_fail, state):
        videos_emulator.inject(Fault(Failed(code="content_filter", message="Blocked by policy.")))
        video_id = buy()
        videos_emulator.clock.advance(60)
        ran = wait(video_id, soft_fail=soft_fail)
        assert ran.state == state
        for error in wait.errors:
            assert type(error) is AirflowFailException
            assert str(error) == (
                f"the video ended as failed: Blocked by policy. (video {video_id}, code content_filter)"
            )
        assert len(wait.errors) == (not soft_fail)

    def test_lost(self, wait, videos_emulator, monkeypatch, soft_fail, state):
        monkeypatch.setattr(watch, "LOST_AFTER_SECONDS", 0.0)
        ran = wait("video_gone", soft_fail=soft_fail)
        assert ran.state == state
        for error in wait.errors:
            assert type(error) is AirflowFailException
            assert "the video is lost: the server did not know it 3 times in a row" in str(error)
            assert "video_gone" in str(error)
        assert len(wait.errors) == (not soft_fail)
        assert videos_emulator.record.requests["retrieve"] in (3, 4)

    def test_late(self, wait, buy, videos_emulator, soft_fail, state):
        videos_emulator.inject(Fault(Stuck()))
        video_id = buy()
        ran = wait(video_id, timeout=0.3, soft_fail=soft_fail)
        assert ran.state == state
        for error in wait.errors:
            assert type(error) is AirflowSensorTimeout
            assert str(error).startswith(f"Video {video_id} was not completed within 0 s. It lives on")
        assert len(wait.errors) == (not soft_fail)


def test_what_waiting_does_not_cure_fails_and_may_be_retried(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", times=None))
    ran = wait(video_id, soft_fail=True)
    assert ran.state == "failed"
    assert [type(error) for error in wait.errors] == [Unauthorized]


def test_never_fail_skips_whatever_happens(wait, buy, videos_emulator):
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", times=None))
    assert wait(buy(), never_fail=True).state == "skipped"


def test_silent_fail_waits_everything_out(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.clock.advance(60)
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", times=3))
    assert wait(video_id, silent_fail=True).state == "success"


def test_a_server_that_goes_away_and_comes_back_is_waited_out(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.clock.advance(60)
    videos_emulator.inject(
        Fault(Drop(), operation="retrieve", times=2), Fault(Answer(status=502), operation="retrieve", times=2)
    )
    assert wait(video_id).state == "success"


def test_an_interval_that_grows_is_no_obstacle(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.clock.advance(60)
    assert wait(video_id, exponential_backoff=True, max_wait=timedelta(seconds=1)).state == "success"


def test_the_log_has_a_line_for_each_change(wait, buy, capfd, steps):
    video_id = buy()
    steps += [0, 0, 3, 0, 60]
    wait(video_id)
    lines = re.findall(rf"Video {video_id}: (.*), \d+ s waited", capfd.readouterr().out)
    assert lines[0] == "queued, 0 %"
    assert lines[1].startswith("in_progress, ")
    assert lines[2:] == ["completed, 100 %"]
