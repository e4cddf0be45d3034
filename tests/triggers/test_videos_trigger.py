from __future__ import annotations

import json
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from airflow._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.observability import stats
from airflow.sdk.execution_time import task_runner
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import TaskSuccessEvent

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.emulator import Answer, Failed, Fault, Stuck
from airflow_provider_videos.polling import wait_state
from airflow_provider_videos.triggers.videos import VideoTrigger
from tests.supervisor import STUMBLES, Supervisor, stored

pytestmark = pytest.mark.usefixtures("connection")

PROMPT = "A very secret paper boat"


@pytest.fixture
def video_id(endpoint) -> str:
    with VideosClient(endpoint) as client:
        return client.create(PROMPT).id


@pytest.fixture
def metrics():
    """What Airflow's metrics are told, by name: the values of gauges and timers, the tags of errors."""
    told = defaultdict(list)

    class Backend:
        def incr(self, name, tags=None, **_):
            told[name].append(tags if "error" in tags else None)

        def gauge(self, name, value, **_):
            told[name].append(value)

        def timing(self, name, value, **_):
            told[name].append(value)

    stats.initialize(factory=Backend, export_legacy_names=False)
    yield told
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


def trigger(video_id: str, *, patience: float = 20, **options) -> VideoTrigger:
    now = time.time()
    settings = {"poke_interval": 0.01, "started_at": now, "deadline": now + patience, **options}
    return VideoTrigger(video_id=video_id, videos_conn_id="videos_default", **settings)


async def fire(trigger: VideoTrigger) -> dict:
    (event,) = [event async for event in trigger.run()]
    return event.payload


async def test_a_completed_video_ends_it(video_id, videos_emulator):
    videos_emulator.clock.advance(60)
    assert await fire(trigger(video_id)) == {"video_id": video_id, "status": "ended", "error": None}


async def test_a_failed_video_ends_it_without_its_words(videos_emulator, endpoint):
    videos_emulator.inject(Fault(Failed(message=f"Blocked: {PROMPT}")))
    with VideosClient(endpoint) as client:
        video_id = client.create(PROMPT).id
    videos_emulator.clock.advance(60)
    event = await fire(trigger(video_id))
    assert (event["status"], event["error"]) == ("ended", None)


async def test_a_lost_video_is_said_to_be_lost(monkeypatch):
    monkeypatch.setattr(wait_state, "LOST_AFTER_SECONDS", 0.0)
    event = await fire(trigger("video_gone"))
    assert event["status"] == "lost"
    assert "30 times in a row" in event["error"]


async def test_each_question_about_a_video_nobody_knows_goes_out_on_a_connection_of_its_own(
    monkeypatch, videos_emulator
):
    monkeypatch.setattr(wait_state, "LOST_AFTER_SECONDS", 0.0)
    await fire(trigger("video_gone"))
    assert videos_emulator.record.requests["retrieve"] == 30
    assert videos_emulator.record.connections == 30


async def test_a_video_that_alone_is_failed_on_ends_it_without_a_word(video_id, videos_emulator, monkeypatch):
    monkeypatch.setattr(wait_state, "UNAVAILABLE_AFTER_SECONDS", 0.2)
    videos_emulator.inject(
        Fault(Answer(status=500, body={"error": PROMPT}), operation="retrieve", times=None)
    )
    event = await fire(trigger(video_id))
    assert event == {"video_id": video_id, "status": "unavailable", "error": None}
    assert videos_emulator.record.requests["models"] == 1


@pytest.mark.parametrize("models", [Answer(status=500), Answer(status=404)])
async def test_but_not_in_an_outage(video_id, videos_emulator, monkeypatch, models):
    monkeypatch.setattr(wait_state, "UNAVAILABLE_AFTER_SECONDS", 0.0)
    videos_emulator.inject(
        Fault(Answer(status=500), operation="retrieve", times=None),
        Fault(models, operation="models", times=None),
    )
    assert (await fire(trigger(video_id, patience=0.5)))["status"] == "timeout"


async def test_a_deadline_is_a_deadline(videos_emulator, endpoint):
    videos_emulator.inject(Fault(Stuck()))
    with VideosClient(endpoint) as client:
        video_id = client.create(PROMPT).id
    assert (await fire(trigger(video_id, patience=0.1)))["status"] == "timeout"
    assert (await fire(trigger(video_id, patience=-5)))["status"] == "timeout"


async def test_an_error_that_waiting_does_not_cure_is_handed_over(video_id, videos_emulator):
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", times=None))
    event = await fire(trigger(video_id))
    assert event["status"] == "error"
    assert "401" in event["error"]


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_an_event_repeats_no_word_of_the_server(video_id, videos_emulator, status):
    words = f"see https://accounts/keys?sig=1; you asked: {PROMPT}"
    videos_emulator.inject(
        Fault(Answer(status=status, body={"error": words}), operation="retrieve", times=None)
    )
    event = json.dumps(await fire(trigger(video_id)))
    assert str(status) in event
    assert PROMPT not in event
    assert "http:" not in event
    assert "https:" not in event


async def test_an_outage_longer_than_a_call_is_waited_out(video_id, videos_emulator):
    videos_emulator.clock.advance(60)
    videos_emulator.inject(Fault(Answer(status=503), operation="retrieve", times=7))
    assert (await fire(trigger(video_id)))["status"] == "ended"
    assert videos_emulator.record.requests["retrieve"] == 8


async def test_what_the_server_asks_for_is_waited_but_not_beyond_the_deadline(video_id, videos_emulator):
    headers = {"Retry-After": "999999"}
    videos_emulator.inject(Fault(Answer(status=429, headers=headers), operation="retrieve", times=None))
    assert (await fire(trigger(video_id, patience=0.3)))["status"] == "timeout"
    # The last look, at the deadline, is the task's that resumes.
    assert videos_emulator.record.requests["retrieve"] == 1


async def test_intervals_grow_when_asked_to(videos_emulator, endpoint):
    videos_emulator.inject(Fault(Stuck()))
    with VideosClient(endpoint) as client:
        video_id = client.create(PROMPT).id
    long_ago = time.time() - 100
    await fire(trigger(video_id, patience=0.5, poke_interval=0.05, started_at=long_ago))
    steady = videos_emulator.record.requests["retrieve"]
    await fire(
        trigger(video_id, patience=0.5, poke_interval=0.05, started_at=long_ago, exponential_backoff=True)
    )
    assert steady > 3
    assert videos_emulator.record.requests["retrieve"] == steady
    await fire(
        trigger(
            video_id,
            patience=0.5,
            poke_interval=0.05,
            started_at=long_ago,
            exponential_backoff=True,
            max_wait=0.05,
        )
    )
    assert videos_emulator.record.requests["retrieve"] > steady + 4


async def test_a_connection_that_is_missing_is_handed_over(monkeypatch, video_id):
    monkeypatch.delenv("AIRFLOW_CONN_VIDEOS_DEFAULT")
    event = await fire(trigger(video_id))
    assert event["status"] == "error"
    assert "videos_default" in event["error"]


async def test_a_wait_that_begins_while_airflow_stumbles_goes_on(monkeypatch, video_id, videos_emulator):
    monkeypatch.delenv("AIRFLOW_CONN_VIDEOS_DEFAULT")
    there = stored(host=videos_emulator.base_url, password=videos_emulator.api_key)
    supervisor = Supervisor(STUMBLES, STUMBLES, STUMBLES, STUMBLES, there)
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    videos_emulator.clock.advance(60)
    assert await fire(trigger(video_id)) == {"video_id": video_id, "status": "ended", "error": None}
    assert supervisor.asked == 5


async def test_what_is_stored_rebuilds_it_and_holds_nothing_secret(video_id, videos_emulator):
    videos_emulator.clock.advance(60)
    waiting = trigger(
        video_id, exponential_backoff=True, max_wait=60.0, silent_fail=True, shown="queued, 0 %"
    )
    path, kwargs = waiting.serialize()
    assert path == f"{VideoTrigger.__module__}.{VideoTrigger.__qualname__}"
    again = VideoTrigger(**BaseSerialization.deserialize(BaseSerialization.serialize(kwargs)))
    assert again.serialize() == waiting.serialize()
    stored = json.dumps([kwargs, await fire(waiting)])
    assert PROMPT not in stored
    assert videos_emulator.api_key not in stored
    assert "http" not in stored


@pytest.mark.parametrize(
    "kwargs",
    [{"video_id": "v", "videos_conn_id": "c", "poke_interval": 15.0, "started_at": 1.0, "deadline": 2.0}],
    ids=["0.1.0"],
)
def test_what_a_release_has_stored_is_understood_by_ours(kwargs):
    """Triggers in flight are rebuilt by newer code: the arguments each release stored are kept here."""
    _, stored = VideoTrigger(**kwargs).serialize()
    assert kwargs.items() <= stored.items()


def test_what_a_newer_release_has_stored_beside_it_is_kept():
    stored = {"video_id": "v", "poke_interval": 15.0, "attention": 3, "zones": ["a"]}
    waiting = VideoTrigger(**stored)
    assert stored.items() <= waiting.serialize()[1].items()
    assert VideoTrigger(**waiting.serialize()[1]).serialize() == waiting.serialize()
    assert (waiting.videos_conn_id, waiting.poke_interval) == ("videos_default", 15.0)


def test_the_names_of_what_is_stored_are_frozen():
    _, stored = VideoTrigger(video_id="v").serialize()
    assert list(stored) == [
        *("video_id", "videos_conn_id", "poke_interval", "started_at", "deadline", "exponential_backoff"),
        *("max_wait", "silent_fail", "shown", "cancel_on_kill", "timeout", "end_from_trigger"),
    ]


class TestWhereTheSchedulerStartsIt:
    def started(self, video_id, **options):
        """As the scheduler and the triggerer make it: from arguments fixed at parse time, and a deadline."""
        trigger = VideoTrigger(
            video_id=video_id, videos_conn_id="videos_default", poke_interval=0.01, timeout=20, **options
        )
        trigger.timeout_after = datetime.now(UTC) + timedelta(seconds=20)
        return trigger

    @pytest.mark.parametrize("ends_here", [False, True])
    async def test_only_success_ends_there(self, video_id, videos_emulator, endpoint, ends_here):
        videos_emulator.inject(Fault(Failed()))
        with VideosClient(endpoint) as client:
            failed = client.create(PROMPT).id
        videos_emulator.clock.advance(60)
        (good,) = [event async for event in self.started(video_id, end_from_trigger=ends_here).run()]
        (bad,) = [event async for event in self.started(failed, end_from_trigger=ends_here).run()]
        assert isinstance(good, TaskSuccessEvent) is ends_here
        assert not isinstance(bad, TaskSuccessEvent)
        assert bad.payload == {"video_id": failed, "status": "ended", "error": None}

    @pytest.mark.parametrize("zone", [UTC, None])
    async def test_its_deadline_is_airflow_s(self, video_id, zone):
        trigger = self.started(video_id)
        trigger.timeout_after = datetime.now(UTC).replace(tzinfo=zone) + timedelta(seconds=0.1)
        assert (await fire(trigger))["status"] == "timeout"


async def test_metrics_tell_what_waiting_costs(video_id, videos_emulator, metrics):
    videos_emulator.clock.advance(60)
    videos_emulator.inject(Fault(Answer(status=500), operation="retrieve", times=1))
    await fire(trigger(video_id))
    assert metrics["videos.polls"] == [None, None]
    assert metrics["videos.poll_errors"] == [{"conn_id": "videos_default", "error": "ServerFault"}]
    assert len(metrics["videos.poll_duration"]) == 2
    assert len(metrics["videos.notice_delay"]) == 1
    assert metrics["videos.waits"] == [1, 0]
    assert "videos.polls_listed" not in metrics
