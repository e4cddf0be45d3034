"""Waits of the provider in a user's test: they turn the fixture's clock, and take none of the test's time."""

from __future__ import annotations

import time

import pytest

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.emulator import Answer, Drop, Fault, ListedLate
from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoDownloadOperator

pytestmark = pytest.mark.usefixtures("connection")


class Timed:
    """An operator whose own code is timed, Airflow's left aside."""

    waited = 0.0

    def execute(self, context):
        begun = time.monotonic()
        try:
            return super().execute(context)
        finally:
            Timed.waited += time.monotonic() - begun


class Create(Timed, VideoCreateOperator):
    """A purchase."""


class Download(Timed, VideoDownloadOperator):
    """A delivery."""


@pytest.fixture(autouse=True)
def turned(videos_emulator):
    """Return by how many seconds waits have turned the clock, once they have not been waited for."""
    begun, Timed.waited = videos_emulator.clock.now(), 0.0

    def turned():
        seconds = videos_emulator.clock.now() - begun
        assert Timed.waited < seconds / 2, "it has waited for real"
        return seconds

    return turned


def test_a_lost_answer_with_retries(run, videos_emulator, turned):
    videos_emulator.inject(
        Fault(Drop(accepted=True), operation="create"), Fault(ListedLate(after=18), operation="create")
    )
    ran = run(Create, prompt="A boat", retries=2)
    assert [one.video_id for one in videos_emulator.purchases] == [ran.xcoms["return_value"]]
    assert turned() >= 18


def test_a_request_that_never_arrived(run, endpoint, videos_emulator, turned):
    with VideosClient(endpoint) as client:
        client.create("A list that shows something reaches back far enough")
    videos_emulator.inject(Fault(Drop(), operation="create"))
    ran = run(Create, prompt="A boat", retries=2)
    assert ran.state == "success"
    assert len(videos_emulator.purchases) == 2
    assert turned() >= 30


def test_an_outage_of_the_server(run, completed, tmp_path, videos_emulator, turned):
    videos_emulator.inject(Fault(Answer(status=503, headers={"Retry-After": "20"}), times=4))
    ran = run(Download, video_id=completed, destination=f"{tmp_path}/boat.mp4")
    assert ran.state == "success"
    assert turned() >= 80


def test_a_busy_server(run, videos_emulator, turned):
    body = {"error": {"message": "busy", "type": "server_error", "code": None, "param": None}}
    busy = Answer(status=503, headers={"Retry-After": "20"}, body=body)
    videos_emulator.inject(Fault(busy, operation="create", times=2))
    assert run(Create, prompt="A boat").state == "success"
    assert len(videos_emulator.purchases) == 1
    assert turned() >= 40
