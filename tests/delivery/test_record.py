"""Record of a delivery, read whoever wrote it: another release, or a person."""

from __future__ import annotations

import copy
import logging

import pytest

from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.preflight import Preflight
from airflow_provider_videos.delivery.record import Record
from tests.delivery.films import film, served
from tests.junk import JUNK

FIELDS = ("video_id", "variant", "uri", "size_bytes", "sha256", "content_type", "version")
LEARNED = {"s3://bucket": {"checksum": "md5", "conditional": False}}


@pytest.fixture
def delivered(server, deliver, memory, tmp_path):
    server.emulator.serve(served(film(1000)))
    receipt = deliver(f"{tmp_path}/film.mp4")
    memory["videos_delivery"]["stores"] = copy.deepcopy(LEARNED)
    return receipt


def again(deliver, memory, tmp_path, kept):
    memory["videos_delivery"] = kept
    return deliver(f"{tmp_path}/film.mp4")


def altered(kept, field, value):
    changed = copy.deepcopy(kept)
    changed["files"]["video"][field] = value
    return changed


def test_what_a_newer_release_has_added_is_kept(server, deliver, memory, tmp_path, delivered):
    kept = altered(memory["videos_delivery"], "etag", {"of": "the store"})
    kept |= {"attempts": 3, "unfinished": [{"kind": "tape", "reel": 7}]}
    assert again(deliver, memory, tmp_path, kept) == delivered
    assert server.downloads == 1
    assert memory["videos_delivery"]["attempts"] == 3
    assert memory["videos_delivery"]["unfinished"] == [{"kind": "tape", "reel": 7}]
    assert memory["videos_delivery"]["files"]["video"]["etag"] == {"of": "the store"}


@pytest.mark.parametrize("field", FIELDS)
def test_a_file_of_which_less_is_known_is_delivered(deliver, memory, tmp_path, delivered, field):
    kept = copy.deepcopy(memory["videos_delivery"])
    del kept["files"]["video"][field]
    receipt = again(deliver, memory, tmp_path, kept)
    assert (receipt.uri, receipt.size_bytes) == (delivered.uri, delivered.size_bytes)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_a_garbled_field_of_a_file_ends_in_the_same_file(deliver, memory, tmp_path, delivered, field, junk):
    receipt = again(deliver, memory, tmp_path, altered(memory["videos_delivery"], field, junk))
    assert (receipt.uri, receipt.size_bytes) == (delivered.uri, delivered.size_bytes)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("field", ["files", "unfinished", "stores"])
def test_a_garbled_part_of_the_record_costs_no_other_one(memory, deliver, tmp_path, delivered, field, junk):
    receipt = again(deliver, memory, tmp_path, memory["videos_delivery"] | {field: junk})
    assert (receipt.uri, receipt.size_bytes) == (delivered.uri, delivered.size_bytes)
    if field != "stores":
        assert memory["videos_delivery"]["stores"] == LEARNED


@pytest.mark.parametrize("field", ["files", "unfinished", "stores"])
def test_a_part_that_an_older_release_did_not_write_is_empty(memory, deliver, tmp_path, delivered, field):
    del memory["videos_delivery"][field]
    assert deliver(f"{tmp_path}/film.mp4").uri == delivered.uri


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_garbled_record_is_an_empty_one(memory, junk):
    memory["videos_delivery"] = junk
    record = Record(memory)
    assert (record.file("video"), record.stores) == (None, {})


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize("trait", ["checksum", "conditional", "new"])
def test_what_was_learned_of_a_store_may_be_garbled(server, deliver, memory, trait, junk):
    server.emulator.serve(served(film(1000)))
    memory["videos_delivery"] = {"stores": {"s3://bucket": LEARNED["s3://bucket"] | {trait: junk}}}
    assert deliver("s3://bucket/{video_id}.mp4").size_bytes == 1000


class TestPreflight:
    def check(self, memory, tmp_path):
        place = Destination.parse(f"{tmp_path}/film.mp4")
        Preflight(place, Stores(None, None), memory, logging.getLogger()).check(may_replace=False)
        return memory["videos_preflight"]

    def test_what_a_newer_release_has_added_is_kept(self, memory, tmp_path):
        memory["videos_preflight"] = {"free": [], "stores": LEARNED, "since": 7}
        kept = self.check(memory, tmp_path)
        assert (kept["since"], kept["stores"]) == (7, LEARNED)

    @pytest.mark.parametrize("junk", ["missing", *JUNK], ids=repr)
    @pytest.mark.parametrize("field", ["free", "stores"])
    def test_a_garbled_field_costs_no_other_one(self, memory, tmp_path, field, junk):
        memory["videos_preflight"] = {"free": ["file:///elsewhere"], "stores": LEARNED, field: junk}
        if junk == "missing":
            del memory["videos_preflight"][field]
        kept = self.check(memory, tmp_path)
        assert f"file://{tmp_path}/film.mp4" in kept["free"]
        assert kept["stores"] == LEARNED or field == "stores"

    @pytest.mark.parametrize("junk", JUNK, ids=repr)
    def test_a_garbled_record_is_an_empty_one(self, memory, tmp_path, junk):
        memory["videos_preflight"] = junk
        assert self.check(memory, tmp_path)["free"] == [f"file://{tmp_path}/film.mp4"]
