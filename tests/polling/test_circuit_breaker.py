from __future__ import annotations

import pytest

from airflow_provider_videos.api.errors import Busy, NotConnected, NotFound, ServerFault, TransportError
from airflow_provider_videos.polling.circuit_breaker import OUTAGE_AFTER_FAILURES, CircuitBreaker
from airflow_provider_videos.polling.wait_state import LONGEST_RETRY_AFTER

INTERVAL = 5.0


def busy(seconds: float | None) -> Busy:
    return Busy("slow down", video_id="video_of_another_wait", retry_after=seconds)


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker()


@pytest.mark.parametrize("error", [None, NotFound("no"), ServerFault("boom"), TransportError("dropped")])
def test_what_concerns_one_video_opens_nothing(breaker, error):
    breaker.record_result(error, 0.0)
    assert breaker.check(0.0, INTERVAL) is None


@pytest.mark.parametrize("error", [busy(60), ServerFault("maintenance", retry_after=60)])
def test_what_the_server_asks_for_is_obeyed(breaker, error):
    breaker.record_result(error, 0.0)
    assert type(breaker.check(59.0, INTERVAL)) is type(error)
    assert breaker.check(60.0, INTERVAL) is None


def test_but_not_for_ever(breaker):
    breaker.record_result(busy(1e9), 0.0)
    assert breaker.check(LONGEST_RETRY_AFTER, INTERVAL) is None


def test_a_busy_server_that_names_no_time_is_left_alone_for_an_interval(breaker):
    breaker.record_result(busy(None), 0.0)
    assert breaker.check(4.9, INTERVAL)
    assert breaker.check(5.0, INTERVAL) is None


def test_an_answer_that_was_on_its_way_does_not_close_it(breaker):
    breaker.record_result(busy(60), 0.0)
    breaker.record_result(None, 1.0)
    assert breaker.check(59.0, INTERVAL)


def test_one_goes_ahead_to_see_and_an_answer_closes_it(breaker):
    breaker.record_result(busy(60), 0.0)
    assert breaker.check(60.0, INTERVAL) is None
    assert breaker.check(60.0, INTERVAL)
    breaker.record_result(None, 60.1)
    assert [breaker.check(60.2, INTERVAL) for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("kind", [TransportError, NotConnected])
def test_answers_lost_in_a_row_are_an_outage(breaker, kind):
    for _ in range(OUTAGE_AFTER_FAILURES):
        assert breaker.check(0.0, INTERVAL) is None
        breaker.record_result(kind("no route"), 0.0)
    assert isinstance(breaker.check(1.0, INTERVAL), kind)
    assert breaker.check(INTERVAL, INTERVAL) is None
    breaker.record_result(kind("no route"), INTERVAL)
    assert breaker.check(INTERVAL + 1, INTERVAL)


def test_any_answer_in_between_shows_that_the_server_is_there(breaker):
    for _ in range(10):
        breaker.record_result(TransportError("dropped"), 0.0)
        breaker.record_result(ServerFault("boom"), 0.0)
    assert breaker.check(0.0, INTERVAL) is None


def test_the_reason_names_no_other_wait_s_video(breaker):
    breaker.record_result(busy(60), 0.0)
    assert "video_of_another_wait" not in str(breaker.check(1.0, INTERVAL))
