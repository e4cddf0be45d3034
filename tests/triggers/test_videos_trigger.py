from __future__ import annotations

import json
import time

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.emulator import Answer, Failed, Fault, Stuck
from airflow_provider_videos.polling import watch
from airflow_provider_videos.triggers.videos import VideoTrigger

pytestmark = pytest.mark.usefixtures("connection")

PROMPT = "A very secret paper boat"


@pytest.fixture
def video_id(endpoint) -> str:
    with VideosClient(endpoint) as client:
        return client.create(PROMPT).id


def trigger(video_id: str, *, patience: float = 20, **options) -> VideoTrigger:
    now = time.time()
    settings = {"poke_interval": 0.01, "started_at": now, "deadline": now + patience, **options}
    return VideoTrigger(video_id=video_id, videos_conn_id="videos_default", **settings)


async def fire(trigger: VideoTrigger) -> dict:
    (event,) = [event async for event in trigger.run()]
    return event.payload


async def test_a_completed_video_ends_it(video_id, videos_emulator):
    videos_emulator.clock.advance(60)
    waiting = trigger(video_id)
    assert await fire(waiting) == {
        "video_id": video_id,
        "status": "ended",
        "error": None,
        "started_at": waiting.started_at,
        "deadline": waiting.deadline,
    }


async def test_a_failed_video_ends_it_without_its_words(videos_emulator, endpoint):
    videos_emulator.inject(Fault(Failed(message=f"Blocked: {PROMPT}")))
    with VideosClient(endpoint) as client:
        video_id = client.create(PROMPT).id
    videos_emulator.clock.advance(60)
    event = await fire(trigger(video_id))
    assert (event["status"], event["error"]) == ("ended", None)


async def test_a_lost_video_is_said_to_be_lost(monkeypatch):
    monkeypatch.setattr(watch, "LOST_AFTER_SECONDS", 0.0)
    event = await fire(trigger("video_gone"))
    assert event["status"] == "lost"
    assert "3 times in a row" in event["error"]


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


async def test_a_connection_that_is_missing_is_handed_over(monkeypatch, video_id):
    monkeypatch.delenv("AIRFLOW_CONN_VIDEOS_DEFAULT")
    event = await fire(trigger(video_id))
    assert event["status"] == "error"
    assert "videos_default" in event["error"]


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


async def test_releases_before_ours_are_understood(video_id):
    """Triggers in flight are rebuilt by newer code, so what was once optional stays so."""
    now = time.time()
    VideoTrigger(video_id=video_id, videos_conn_id="c", poke_interval=1.0, started_at=now, deadline=now + 1)
