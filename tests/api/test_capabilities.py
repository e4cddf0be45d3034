"""A server's offer is told without buying, by how it answers."""

from __future__ import annotations

import pytest

from airflow_provider_videos.api.capabilities import Offer, examine, is_well
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import Answer, Emulator, Fault, ManualClock
from tests.emulator.test_profiles import buy, served
from tests.emulator.videos_contract import connect

Y, N, U = "yes", "no", "unknown"

# list, delete, remix, variants, ranges
OFFERS = {
    "openai": (Y, Y, Y, Y, Y),
    "vllm-omni": (Y, Y, N, N, Y),
    "sglang": (Y, Y, N, N, Y),
    "fastvideo": (Y, Y, N, N, Y),
    "aquiles": (Y, Y, N, N, Y),
    "qvac": (Y, Y, N, N, N),
    "litellm": (Y, N, Y, N, N),
    "tensorrt-llm": (Y, Y, N, N, Y),
    "new-api": (N, N, U, U, U),
    "llm-gateway": (N, N, U, U, U),
}


def offers(client) -> tuple[str, ...]:
    findings = list(examine(client))
    assert [finding.name for finding in findings] == [
        *("models", "list", "delete", "remix", "variants", "ranges")
    ]
    assert findings[0].offer is Offer.YES
    return tuple(finding.offer.value for finding in findings[1:])


@pytest.mark.parametrize(("profile", "expected"), OFFERS.items())
def test_each_dialect_shows_what_it_offers(profile, expected, monkeypatch):
    with served(profile, monkeypatch) as subject:
        assert subject.completed
        assert offers(subject.client) == expected


@pytest.fixture
def emulator():
    with Emulator(clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def client(emulator):
    endpoint = Endpoint(emulator.base_url, api_key=emulator.api_key)
    with VideosClient(endpoint, backoff=Backoff(attempts=1)) as client:
        yield client


def test_nothing_is_bought_and_nothing_touched(client, emulator):
    with connect(emulator.base_url, emulator.api_key) as http:
        http.emulator = emulator
        buy(http)
    emulator.clock.advance(60)
    emulator.record.clear()
    list(examine(client))
    assert not [exchange for exchange in emulator.record.exchanges if exchange.method == "POST"]
    assert [video.id for video in client.list()]
    assert sum(exchange.bytes_sent for exchange in emulator.record.exchanges) < 200_000


def test_without_a_completed_video_variants_and_ranges_stay_unknown(client):
    findings = {finding.name: finding for finding in examine(client)}
    assert findings["variants"].offer is findings["ranges"].offer is Offer.UNKNOWN
    assert "no completed video" in findings["variants"].words


@pytest.mark.parametrize(
    ("answer", "offer"),
    [
        (Answer(status=204), Offer.YES),
        (Answer(status=501), Offer.NO),
        (Answer(status=404, body="404 page not found"), Offer.NO),
        (Answer(status=500), Offer.UNKNOWN),
        (Answer(status=401), Offer.UNKNOWN),
    ],
)
def test_a_delete_is_judged_by_its_answer(client, emulator, answer, offer):
    emulator.inject(Fault(answer, method="DELETE", times=None))
    assert {finding.name: finding.offer for finding in examine(client)}["delete"] is offer


def test_a_server_that_says_the_same_to_everything_tells_nothing(client, emulator):
    emulator.inject(Fault(Answer(status=404, body="no"), times=None))
    findings = {finding.name: finding.offer for finding in examine(client)}
    assert findings["delete"] is findings["remix"] is Offer.UNKNOWN


def test_every_unknown_has_a_hint(client, emulator):
    emulator.inject(Fault(Answer(status=500), times=None))
    unknown = [finding for finding in examine(client) if finding.offer is Offer.UNKNOWN]
    assert len(unknown) == 6
    assert all(finding.hint for finding in unknown)


@pytest.mark.parametrize(
    ("fault", "well"),
    [
        (None, True),
        (Fault(Answer(status=404), operation="models", times=None), True),
        (Fault(Answer(status=404), operation="list", times=None), True),
        (Fault(Answer(status=401), operation="list", times=None), False),
        (Fault(Answer(status=403), operation="models", times=None), False),
        (Fault(Answer(status=500), times=None), False),
        (Fault(Answer(status=404), times=None), False),
        (Fault(Answer(status=200, body="<html>Log in</html>"), times=None), False),
    ],
)
def test_a_server_is_well_if_it_can_be_used(client, emulator, fault, well):
    if fault:
        emulator.inject(fault)
    assert is_well(list(examine(client))) is well


def test_a_server_that_is_down_is_unknown_in_everything(emulator, client):
    emulator.stop()
    assert {finding.offer for finding in examine(client)} == {Offer.UNKNOWN}
