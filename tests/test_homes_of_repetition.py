"""Homes of repetition: CONTRIBUTING lists them all, and no path to the server leads through two."""

from __future__ import annotations

import ast
import logging
import re
from contextlib import suppress
from types import SimpleNamespace

import pytest

from airflow_provider_videos.adapters.names import AirflowSensorTimeout
from airflow_provider_videos.api import requests
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.clock import use_clock
from airflow_provider_videos.api.errors import InDoubt, OutcomeUnknown, TransportError, VideosError
from airflow_provider_videos.emulator import Answer, Drop, Emulator, Fault, ManualClock
from airflow_provider_videos.polling import wait_state
from airflow_provider_videos.sensors.videos import VideoSensor
from airflow_provider_videos.submission.decision import Facts
from airflow_provider_videos.submission.durable import Submission
from airflow_provider_videos.submission.ledger import Ledger
from airflow_provider_videos.submission.server import SubmissionServer
from tests.submission.conftest import Registry
from tests.test_architecture import PACKAGE
from tests.turned_time import TurnedTime

SOON = {"Retry-After": "1"}
BUSY = {"error": {"message": "Too many requests, the server is busy"}}
TROUBLES = {
    "500": Answer(status=500),
    "502 of a proxy": Answer(status=502, body="<html>Bad Gateway</html>"),
    "503 that says busy": Answer(status=503, body=BUSY),
    "409 with Retry-After": Answer(status=409, headers=SOON),
    "429 with Retry-After": Answer(status=429, headers=SOON),
    "404": Answer(status=404),
    "nonsense": Answer(status=200, body="{"),
    "a dropped connection": Drop(),
}
# Modules that wait and do not repeat: a breath of the event loop, and the clock of the fixture.
WAIT_ONLY = {"api/reading.py", "api/clock.py", "pytest_plugin.py"}


def modules_that_wait():
    """Whoever repeats waits in between, so a new home of repetition is a module that sleeps."""
    paths = [path for path in PACKAGE.rglob("*.py") if "emulator" not in path.parts]
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"sleep", "async_sleep"}
    }


def modules_of_the_table():
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    table = text.partition("| what is asked again |")[2].partition("\n\n")[0]
    homes = [row.split("|")[2] for row in table.splitlines()[2:]]
    return {name for home in homes for name in re.findall(r"`([a-z_/0-9]+\.py)`", home)}


def test_every_home_of_repetition_is_listed():
    listed = modules_of_the_table()
    assert len(listed) >= 8
    assert {name for name in listed if not (PACKAGE / name).is_file()} == set()
    assert modules_that_wait() - WAIT_ONLY <= listed


@pytest.fixture
def emulator(connect_to):
    turned = TurnedTime()
    with Emulator(clock=ManualClock()) as emulator, use_clock(turned.clock):
        connect_to(emulator)
        yield emulator


@pytest.fixture
def client(emulator):
    with VideosClient(requests.Endpoint(emulator.base_url, api_key=emulator.api_key)) as client:
        yield client


@pytest.fixture
def context():
    return {"ti": SimpleNamespace(try_number=1, xcom_push=lambda key, value: None)}


def troubled(emulator, client, trouble, operation):
    video = client.create("A boat")
    emulator.clock.advance(60)
    emulator.record.clear()
    emulator.inject(Fault(TROUBLES[trouble], operation=operation, times=None))
    return video.id


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_call_is_five_requests_at_the_most(emulator, client, trouble):
    video = troubled(emulator, client, trouble, "retrieve")
    with pytest.raises(VideosError):
        client.retrieve(video)
    assert emulator.record.requests["retrieve"] == (1 if trouble in {"404", "nonsense"} else 5)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_poke_is_one_request(emulator, client, context, trouble):
    video = troubled(emulator, client, trouble, "retrieve")
    wait = VideoSensor(task_id="wait", video_id=video)
    assert not wait.poke(context).is_done
    assert emulator.record.requests["retrieve"] == 1


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("status", ["ended", "error", "timeout"])
def test_the_looks_of_a_task_that_resumes_are_a_request_each(emulator, client, context, trouble, status):
    video = troubled(emulator, client, trouble, "retrieve")
    wait = VideoSensor(task_id="wait", video_id=video, deferrable=True)
    event = {"video_id": video, "status": status, "error": None}
    with pytest.raises((TransportError, AirflowSensorTimeout)):
        wait.resume_execution("execute_complete", {"event": event}, context)
    most = 5 if status == "timeout" and trouble != "404" else wait_state.LOOKS
    assert emulator.record.requests["retrieve"] <= most


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("operation", ["list", "retrieve"])
def test_the_looks_for_a_lost_purchase_ask_once_each(emulator, client, trouble, operation):
    client.create("An earlier boat")
    store, registry = Registry(), Registry()

    def start():
        operation = requests.create(client.endpoint, "A boat")
        owner = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
        ledger = Ledger(registry, client.endpoint.base_url, owner)
        facts = Facts(operation.fingerprint(client.endpoint), 3)
        Submission(store, ledger, facts, SubmissionServer(client, operation), logging.getLogger()).submit()

    emulator.inject(Fault(Drop(), operation="create"))
    with pytest.raises(OutcomeUnknown):
        start()
    emulator.record.clear()
    emulator.inject(Fault(TROUBLES[trouble], operation=operation, times=None))
    with suppress(InDoubt):
        start()
    # Nine looks; each second one lists twice, and each asks for the anchor and for what it found.
    assert emulator.record.requests["list"] <= 13 + 1
    assert emulator.record.requests["retrieve"] <= 2 * 9
