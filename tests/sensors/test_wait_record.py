"""Record of a rescheduled wait, read whoever wrote it: another release, or a person."""

from __future__ import annotations

import copy
import json
import math
from types import SimpleNamespace

import pytest

from airflow_provider_videos.api.errors import NotFound
from airflow_provider_videos.api.persisted import encode
from airflow_provider_videos.polling.wait_state import WaitState
from airflow_provider_videos.sensors.videos import VideoSensor
from tests.junk import JUNK

VIDEO = "video_gone"
FIELDS = sorted(encode(WaitState(VIDEO, 0.0)))
# Without those nobody knows whose wait it was, or since when: it begins anew.
IDENTITY = {"video_id", "started_at"}


class Store(dict):
    """The task state store: what is read from it was JSON."""

    def get(self, key):
        return json.loads(json.dumps(super().get(key)))

    def set(self, key, value):
        self[key] = value


@pytest.fixture
def context(connection):
    return {"ti": SimpleNamespace(try_number=1), "task_state_store": Store()}


@pytest.fixture
def poke(context):
    """Poke once in a new process, and return what is kept of it."""

    def poke(**options):
        sensor = VideoSensor(task_id="wait", video_id=VIDEO, mode="reschedule", deferrable=False, **options)
        assert not sensor.poke(context).is_done
        assert isinstance(sensor._status.answer, NotFound)
        return context["task_state_store"]["videos_wait"]

    return poke


@pytest.fixture
def kept(poke):
    """What two pokes have kept of a video that the server does not know."""
    poke()
    return poke()


def test_each_poke_adds_to_the_state_of_the_one_before(kept, poke):
    assert sorted(kept["watch"]) == FIELDS
    assert (kept["watch"]["missing"], poke()["watch"]["missing"]) == (2, 3)
    assert poke()["watch"]["started_at"] == kept["watch"]["started_at"]


def test_what_a_newer_release_has_added_is_kept(kept, poke, context):
    kept["since"] = 7
    kept["watch"]["replicas"] = ["a", "b"]
    again = poke()
    assert (again["since"], again["watch"]["replicas"]) == (7, ["a", "b"])
    assert again["watch"]["missing"] == 3
    context["ti"].try_number = 2
    assert poke()["since"] == 7


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_an_older_release_did_not_write_gets_its_default(kept, poke, field):
    del kept["watch"][field]
    again = poke()
    assert sorted(again["watch"]) == FIELDS
    assert again["watch"]["missing"] == (1 if field in IDENTITY | {"missing"} else 3)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_a_garbled_field_costs_no_other_one(kept, poke, field, junk):
    kept["watch"][field] = junk
    again = poke()["watch"]
    assert again["video_id"] == VIDEO
    assert all(math.isfinite(again[name]) for name in ("started_at", "missing_since", "faulty_since"))
    if field not in IDENTITY | {"missing"}:
        assert again["missing"] == 3


@pytest.mark.parametrize("junk", ["missing", *JUNK], ids=repr)
@pytest.mark.parametrize("field", ["try_number", "watch"])
def test_a_garbled_part_of_the_record_begins_the_wait_anew(kept, poke, field, junk):
    kept[field] = junk
    if junk == "missing":
        del kept[field]
    again = poke()
    assert (again["try_number"], again["watch"]["missing"]) == (1, 1)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_garbled_record_is_an_empty_one(kept, poke, context, junk):
    context["task_state_store"]["videos_wait"] = copy.deepcopy(junk)
    assert poke()["watch"]["missing"] == 1


def test_the_state_of_another_video_is_not_this_one_s(kept, poke):
    kept["watch"]["video_id"] = "video_other"
    assert poke()["watch"]["missing"] == 1


def test_whether_errors_are_waited_out_is_what_the_task_says_now(kept, poke):
    assert poke(silent_fail=True)["watch"]["patient"]
    assert not poke()["watch"]["patient"]
