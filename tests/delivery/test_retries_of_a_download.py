"""One owner of a download's retries: each trouble is one request for the content."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.delivery.deliver import Courier
from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.order import Order
from airflow_provider_videos.delivery.record import Record
from airflow_provider_videos.emulator import Answer, Cut, Drop, Emulator, Fault, ManualClock
from tests.delivery.conftest import Memory, Waits

SOON = {"Retry-After": "1"}
BUSY = {"error": {"message": "Too many requests, the server is busy"}}

TROUBLES = {
    "500": Answer(status=500),
    "502 of a proxy": Answer(status=502, body="<html>Bad Gateway</html>"),
    "503": Answer(status=503),
    "503 that says busy": Answer(status=503, body=BUSY),
    "503 with Retry-After": Answer(status=503, headers=SOON),
    "504": Answer(status=504),
    "408": Answer(status=408),
    "409": Answer(status=409),
    "409 that says busy": Answer(status=409, body=BUSY),
    "409 with Retry-After": Answer(status=409, headers=SOON),
    "425": Answer(status=425),
    "425 with Retry-After": Answer(status=425, headers=SOON),
    "429": Answer(status=429),
    "429 with Retry-After": Answer(status=429, headers=SOON),
    "400": Answer(status=400),
    "202": Answer(status=202),
    "202 with Retry-After": Answer(status=202, headers=SOON),
    "204": Answer(status=204, body=""),
    "empty 200": Answer(status=200, body=""),
    "JSON where a file should be": Answer(status=200, body={"status": "processing"}),
    "a connection dropped before the answer": Drop(),
    "a connection dropped after the headers": Cut(after_bytes=0),
}


@pytest.fixture(scope="module")
def emulator():
    with Emulator(clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def client(emulator):
    """A client as any user has it: its own patience is the default one."""
    emulator.clear_faults()
    emulator.record.clear()
    endpoint = Endpoint(emulator.base_url, api_key=emulator.api_key)
    with VideosClient(endpoint, clock=Waits()) as client:
        yield client


def content_requests(emulator, client, tmp_path, effect):
    """Ask for a file that never comes, and count the requests for it."""
    video = client.create("A boat", seconds=4, size="1280x720")
    emulator.clock.advance(60)
    emulator.inject(Fault(effect, operation="content", times=None))
    courier = Courier(client, None, Stores(None, None), Record(Memory()), logging.getLogger(), clock=Waits())
    with pytest.raises(VideosError):
        courier.deliver(Order(video_id=video.id, destination=Destination.parse(f"{tmp_path}/")))
    assert list(tmp_path.iterdir()) == []
    return emulator.record.requests["content"]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_eight_troubles_in_a_row_are_eight_requests(emulator, client, tmp_path, trouble):
    assert content_requests(emulator, client, tmp_path, TROUBLES[trouble]) == 8
    # One look into the job for the file's address, one for its state; neither is repeated by itself.
    assert emulator.record.requests["retrieve"] <= 16


def test_a_404_is_asked_for_again_more_often_because_it_may_be_a_replica_s(emulator, client, tmp_path):
    assert content_requests(emulator, client, tmp_path, Answer(status=404)) == 22
