from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.api.persisted import (
    Unknown,
    count,
    decode,
    encode,
    flag,
    json_object,
    list_of,
    map_of,
    number,
    record_of,
    stored,
    text,
    unknown_fields,
)

JUNK: tuple[object, ...] = (
    None,
    True,
    -1,
    0.5,
    1e400,
    10**400,
    float("nan"),
    "",
    "\ud800",
    [],
    [[]],
    {},
    {"a": {"b": [None]}},
)


@dataclass(frozen=True)
class Answer:
    status: int = stored(count)
    words: str = stored(text, default="none")
    unknown: Unknown = unknown_fields()


@dataclass(slots=True)
class Wait:
    video_id: str = stored(text)
    offset: float | None = stored(number, default=None, key="ahead")
    is_over: bool = stored(flag, default=False)
    ids: list[str] = stored(list_of(text), factory=list)
    answers: dict[str, Answer] = stored(map_of(record_of(Answer)), factory=dict)
    last: Answer | None = stored(record_of(Answer), default=None)
    facts: dict[str, object] = stored(json_object, factory=dict)
    polled: int = 0
    unknown: Unknown = unknown_fields()


WHOLE = {
    "video_id": "v",
    "ahead": 1.5,
    "is_over": True,
    "ids": ["a", "b"],
    "answers": {"first": {"status": 200, "words": "yes"}},
    "last": {"status": 404, "words": "no"},
    "facts": {"deep": {"er": [1]}},
}


def test_what_is_written_is_read_back():
    wait = decode(Wait, WHOLE)
    assert wait.offset == 1.5
    assert wait.answers["first"] == Answer(200, "yes")
    assert json.loads(json.dumps(encode(wait))) == WHOLE


def test_what_is_not_stored_is_not_written():
    assert "polled" not in encode(Wait("v", polled=7))
    assert decode(Wait, WHOLE | {"polled": 7}).polled == 0


def test_what_a_newer_release_has_added_is_written_back():
    newer = WHOLE | {"new": [1], "last": {"status": 404, "words": "no", "also": {"x": None}}}
    newer["answers"] = {"first": {"status": 200, "words": "yes", "too": 1}}
    assert encode(decode(Wait, newer)) == newer


def test_a_change_leaves_what_is_unknown_alone():
    wait = decode(Wait, WHOLE | {"new": 1})
    wait.is_over = False
    assert encode(wait) == WHOLE | {"new": 1, "is_over": False}


@pytest.mark.parametrize("key", [key for key in WHOLE if key != "video_id"])
def test_what_an_older_release_did_not_write_has_its_default(key):
    older = {name: value for name, value in WHOLE.items() if name != key}
    assert encode(decode(Wait, older)) == older | {key: encode(Wait("v"))[key]}


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("key", [key for key in WHOLE if key != "video_id"])
def test_a_garbled_field_costs_no_other_one(key, junk):
    read = encode(decode(Wait, WHOLE | {key: junk}))
    assert {name: value for name, value in read.items() if name != key} == {
        name: value for name, value in WHOLE.items() if name != key
    }
    json.dumps(read, allow_nan=False)


@pytest.mark.parametrize("junk", [*JUNK, "missing"], ids=repr)
def test_a_field_without_a_default_is_one_clear_error(junk):
    garbled = {} if junk == "missing" else {"video_id": junk}
    with pytest.raises(VideosError, match="what is persisted of a Wait has no usable 'video_id'"):
        decode(Wait, garbled)


@pytest.mark.parametrize("junk", [*JUNK, "junk", ["video_id"]], ids=repr)
def test_what_is_no_object_counts_as_an_empty_one(junk):
    @dataclass
    class Counter:
        times: int = stored(count, default=3)
        unknown: Unknown = unknown_fields()

    assert decode(Counter, junk).times == 3


def test_what_makes_no_sense_in_a_container_is_left_out():
    wait = decode(
        Wait, WHOLE | {"ids": ["a", 1, None, "b"], "answers": {"x": {"status": "?"}, "y": [], "z": None}}
    )
    assert (wait.ids, wait.answers) == (["a", "b"], {})


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        (count, 2**70, 2**70),
        (count, 3.0, 3),
        (count, True, None),
        (number, 3, 3.0),
        (number, False, None),
        (flag, 1, None),
        (text, 7, None),
    ],
)
def test_a_reader_takes_no_other_type_for_its_own(reader, value, read):
    assert (reader(value), type(reader(value))) == (read, type(read))
