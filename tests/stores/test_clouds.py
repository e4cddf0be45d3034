"""Metadata, exclusive commits, buckets and uploads that nobody ended, as only clouds have them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from airflow_provider_videos.adapters.storage import filesystem
from airflow_provider_videos.api.errors import DeliveryError, Taken
from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.filesystem import FilesystemFile
from airflow_provider_videos.delivery.sinks import Description
from tests.delivery.conftest import Waits
from tests.delivery.films import MIB, film, served

pytestmark = pytest.mark.stores

HALF_WRITTEN = """
import os, signal, sys
from airflow_provider_videos.delivery.filesystem import FilesystemFile
from airflow_provider_videos.adapters.storage import filesystem

opened, path = filesystem(sys.argv[1])
with FilesystemFile(opened, path, sys.argv[1], print) as file:
    for _ in range(20):
        file.write(bytes(1024 * 1024))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def stores():
    return Stores(s3=None, filesystem=filesystem)


def sink(uri, **options):
    opened, path = filesystem(uri)
    return FilesystemFile(opened, path, uri, lambda _: None, Description("video/mp4", **options))


def test_an_object_carries_its_labels_and_its_content_type(server, deliver, place):
    server.emulator.serve(served(film(1000)))
    deliver(f"{place.uri}film.mp4")
    info = place.filesystem.info(f"{place.folder}film.mp4")
    assert info["metadata"]["video_id"] == server.video_id
    kept = info.get("contentType") or info["content_settings"]["content_type"]
    assert kept == "video/mp4"
    assert sink(f"{place.uri}film.mp4").standing().labels["video-id"] == server.video_id


def test_another_task_leaves_the_same_video_by_its_labels(server, deliver, memory, place):
    server.emulator.serve(served(film(1000)))
    deliver(f"{place.uri}film.mp4")
    memory.clear()
    assert deliver(f"{place.uri}film.mp4").size_bytes == 1000
    server.new_video()
    memory.clear()
    with pytest.raises(Taken):
        deliver(f"{place.uri}film.mp4")


def test_an_object_that_appears_meanwhile_is_not_replaced(place):
    with sink(f"{place.uri}film.mp4", replace=False) as file:
        file.write(b"ours")
        with pytest.MonkeyPatch.context() as patch:
            # Between the last look and the commit.
            patch.setattr(file, "standing", lambda: place.put("film.mp4", b"theirs"))
            with pytest.raises(Taken):
                file.commit()
    assert place.files() == {"film.mp4": b"theirs"}
    assert file.hint is None


@pytest.mark.parametrize("name", ["", "film.mp4"])
def test_a_preflight_leaves_nothing(stores, place, name):
    Destination.parse(place.uri + name).prove_writable(stores)
    assert place.files() == {}


def test_a_bucket_that_is_not_there_is_found_by_the_preflight_and_not_made(stores, place):
    missing = place.uri.replace("@bucket/", "@nobodys/")
    with pytest.raises(DeliveryError, match="cannot be written"):
        Destination.parse(missing).prove_writable(stores)
    place.filesystem.invalidate_cache()
    assert not place.filesystem.exists("nobodys")


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_killed_delivery_leaves_what_stood_there(place, server, deliver, old):
    if old:
        place.put("film.mp4", old)
    ended = subprocess.run(
        [sys.executable, "-c", HALF_WRITTEN, f"{place.uri}film.mp4"], check=False, env=os.environ
    )
    assert ended.returncode == -signal.SIGKILL
    assert place.files() == ({"film.mp4": old} if old else {})
    data = film(3 * MIB)
    server.emulator.serve(served(data))
    deliver(f"{place.uri}film.mp4", clock=Waits(), if_exists="overwrite")
    assert place.files() == {"film.mp4": data}
