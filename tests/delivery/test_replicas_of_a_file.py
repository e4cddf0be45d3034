"""Files of servers behind one address, each of which knows its own jobs alone."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.delivery.deliver import Courier
from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.order import Order
from airflow_provider_videos.delivery.record import Record
from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.delivery.conftest import Memory, Waits


@pytest.mark.parametrize("balance", ["request", "connection"])
def test_a_replica_that_does_not_know_the_video_does_not_fail_its_download(tmp_path, balance):
    with Emulator(clock=ManualClock(), replicas=2, balance=balance, seed=7) as emulator:
        endpoint = Endpoint(emulator.base_url, api_key=emulator.api_key)
        with VideosClient(endpoint) as client:
            bought = [client.create("A boat", seconds=4, size="1280x720") for _ in range(20)]
            emulator.serve_bytes(1000)
            emulator.clock.advance(60)
            for video in bought:
                log = logging.getLogger("replicas")
                courier = Courier(client, None, Stores(None, None), Record(Memory()), log, clock=Waits())
                courier.deliver(Order(video_id=video.id, destination=Destination.parse(f"{tmp_path}/")))
    assert len(list(tmp_path.iterdir())) == len(bought)
