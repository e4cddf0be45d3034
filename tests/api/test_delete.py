"""Deletes behind several servers that do not know each other's videos, and their price where there is one."""

from __future__ import annotations

import itertools

import httpx
import pytest

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.clock import Clock
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import Answer, Emulator, Fault, ManualClock
from tests.turned_time import TurnedTime

RUNS = 60
SEARCHED = 20
IMPATIENT = Backoff(attempts=5, total=60, base=0)


def endpoint_of(emulator):
    return Endpoint(emulator.base_url, api_key=emulator.api_key)


def requests_of(emulator):
    return [exchange.operation for exchange in emulator.record.exchanges]


@pytest.mark.parametrize("balance", ["request", "connection"])
@pytest.mark.parametrize(("count", "seed"), [(2, 1), (2, 2), (3, 3)])
def test_a_delete_finds_the_server_that_has_the_video(count, seed, balance):
    with Emulator(clock=ManualClock(), replicas=count, balance=balance, seed=seed) as emulator:
        with VideosClient(endpoint_of(emulator), backoff=IMPATIENT) as client:
            bought = [client.create(f"Boat {number}").id for number in range(RUNS)]
        deleted = []
        for video in bought:
            with VideosClient(endpoint_of(emulator), backoff=IMPATIENT) as client:
                deleted.append(client.delete(video).deleted)
        assert deleted == [True] * RUNS
        accepted = [e for e in emulator.record.exchanges if e.operation == "delete" and e.status == 200]
        assert len(accepted) == RUNS


@pytest.mark.parametrize("balance", ["request", "connection"])
def test_what_no_server_knows_is_gone_after_a_bounded_search(balance):
    with Emulator(clock=ManualClock(), replicas=2, balance=balance, seed=4) as emulator:
        with VideosClient(endpoint_of(emulator), backoff=IMPATIENT) as client:
            assert client.delete("video_nobody_has").deleted is False
        assert requests_of(emulator) == ["delete", "retrieve"] * (SEARCHED // 2)


class TestOneServer:
    """Cost of a delete where there is but one."""

    @pytest.fixture
    def video(self, client, videos_emulator):
        video = client.create("A boat").id
        videos_emulator.record.exchanges.clear()
        return video

    def test_a_video_that_is_there_costs_one_request(self, client, videos_emulator, video):
        assert client.delete(video).deleted is True
        assert requests_of(videos_emulator) == ["delete"]

    @pytest.mark.parametrize("status", [405, 501])
    def test_a_refusal_costs_one_request(self, client, videos_emulator, video, status):
        videos_emulator.inject(Fault(Answer(status=status), operation="delete", times=None))
        with pytest.raises(errors.NotSupported):
            client.delete(video)
        assert requests_of(videos_emulator) == ["delete"]

    @pytest.mark.parametrize("body", [{"detail": "Not Found"}, {"error": {"message": "Invalid URL"}}, ""])
    def test_a_server_without_the_route_costs_two(self, client, videos_emulator, video, body):
        videos_emulator.inject(Fault(Answer(status=404, body=body), operation="delete", times=None))
        with pytest.raises(errors.NotSupported, match="still has the video"):
            client.delete(video)
        assert requests_of(videos_emulator) == ["delete", "retrieve"]

    def test_a_server_that_never_deletes_what_it_shows_is_left(self, client, videos_emulator, video):
        no = {"error": {"message": "No such video here"}}
        videos_emulator.inject(Fault(Answer(status=404, body=no), operation="delete", times=None))
        with pytest.raises(errors.NotSupported, match="still has the video"):
            client.delete(video)
        assert requests_of(videos_emulator) == ["delete", "retrieve"] + ["delete"] * (SEARCHED - 2)


NO_VIDEO = httpx.Response(404, json={"error": {"message": "No such video"}})
SEEN = httpx.Response(200, json={"id": "v", "status": "completed"})


def deleted(answers, backoff=IMPATIENT, clock=None):
    """Delete by a script whose last answer is repeated; return what was asked, and what came of it."""
    asked = []

    def answer(request):
        asked.append(request.method)
        reply = answers[min(len(asked), len(answers)) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply

    endpoint, transport = Endpoint("http://gpu.invalid/v1"), httpx.MockTransport(answer)
    with VideosClient(endpoint, backoff=backoff, transport=transport, clock=clock) as client:
        return client.delete("v").deleted, asked


def test_a_delete_whose_answer_was_lost_is_no_refusal():
    """It was seen, it was deleted without an answer, and nobody knows it any more."""
    lost = httpx.ReadError("reset")
    found, asked = deleted([NO_VIDEO, SEEN, lost, NO_VIDEO])
    assert found is False
    assert asked[:5] == ["DELETE", "GET", "DELETE", "DELETE", "GET"]
    assert len(asked) <= SEARCHED + 1


def test_a_busy_server_is_waited_for_in_the_search():
    turned = TurnedTime()
    busy = httpx.Response(429, headers={"retry-after": "7"})
    done = httpx.Response(200, json={})
    found, asked = deleted([NO_VIDEO, SEEN, NO_VIDEO, busy, NO_VIDEO, SEEN, done], clock=turned.clock)
    assert (found, asked) == (True, ["DELETE", "GET", "DELETE", "DELETE", "DELETE", "GET", "DELETE"])
    assert turned.slept == 7


def test_a_video_seen_at_the_end_of_a_search_is_deleted_all_the_same():
    found, asked = deleted([*[NO_VIDEO] * (SEARCHED - 1), SEEN, *[NO_VIDEO] * 9, httpx.Response(204)])
    assert (found, len(asked)) == (True, SEARCHED + 10)


def test_a_search_ends_with_the_time_of_the_call():
    ticks = itertools.count(step=2)
    found, asked = deleted([NO_VIDEO], Backoff(total=50), Clock(monotonic=lambda: next(ticks)))
    assert found is False
    assert 2 <= len(asked) < SEARCHED
