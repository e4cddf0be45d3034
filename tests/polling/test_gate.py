from __future__ import annotations

import pytest

from airflow_provider_videos.api.errors import Busy, NotConnected, NotFound, ServerFault, TransportError
from airflow_provider_videos.polling.gate import OUTAGE_AFTER_FAILURES, Gate
from airflow_provider_videos.polling.watch import LONGEST_RETRY_AFTER

INTERVAL = 5.0


def busy(seconds: float | None) -> Busy:
    return Busy("slow down", video_id="video_of_another_wait", retry_after=seconds)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.mark.parametrize("error", [None, NotFound("no"), ServerFault("boom"), TransportError("dropped")])
def test_what_concerns_one_video_closes_nothing(gate, error):
    gate.heard(error, 0.0)
    assert gate.refusal(0.0, INTERVAL) is None


@pytest.mark.parametrize("error", [busy(60), ServerFault("maintenance", retry_after=60)])
def test_what_the_server_asks_for_is_obeyed(gate, error):
    gate.heard(error, 0.0)
    assert type(gate.refusal(59.0, INTERVAL)) is type(error)
    assert gate.refusal(60.0, INTERVAL) is None


def test_but_not_for_ever(gate):
    gate.heard(busy(1e9), 0.0)
    assert gate.refusal(LONGEST_RETRY_AFTER, INTERVAL) is None


def test_a_busy_server_that_names_no_time_is_left_alone_for_an_interval(gate):
    gate.heard(busy(None), 0.0)
    assert gate.refusal(4.9, INTERVAL)
    assert gate.refusal(5.0, INTERVAL) is None


def test_an_answer_that_was_on_its_way_does_not_open_it(gate):
    gate.heard(busy(60), 0.0)
    gate.heard(None, 1.0)
    assert gate.refusal(59.0, INTERVAL)


def test_one_goes_ahead_to_see_and_an_answer_opens_it(gate):
    gate.heard(busy(60), 0.0)
    assert gate.refusal(60.0, INTERVAL) is None
    assert gate.refusal(60.0, INTERVAL)
    gate.heard(None, 60.1)
    assert [gate.refusal(60.2, INTERVAL) for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("kind", [TransportError, NotConnected])
def test_answers_lost_in_a_row_are_an_outage(gate, kind):
    for _ in range(OUTAGE_AFTER_FAILURES):
        assert gate.refusal(0.0, INTERVAL) is None
        gate.heard(kind("no route"), 0.0)
    assert isinstance(gate.refusal(1.0, INTERVAL), kind)
    assert gate.refusal(INTERVAL, INTERVAL) is None
    gate.heard(kind("no route"), INTERVAL)
    assert gate.refusal(INTERVAL + 1, INTERVAL)


def test_any_answer_in_between_shows_that_the_server_is_there(gate):
    for _ in range(10):
        gate.heard(TransportError("dropped"), 0.0)
        gate.heard(ServerFault("boom"), 0.0)
    assert gate.refusal(0.0, INTERVAL) is None


def test_the_reason_names_no_other_wait_s_video(gate):
    gate.heard(busy(60), 0.0)
    assert "video_of_another_wait" not in str(gate.refusal(1.0, INTERVAL))
