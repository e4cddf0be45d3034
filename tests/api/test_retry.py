from __future__ import annotations

import random
import time
from email.utils import formatdate

import httpx
import pytest

from airflow_provider_videos.api.retry import (
    Backoff,
    Call,
    Event,
    Outcome,
    Verdict,
    http_date,
    judge,
    parse_retry_after,
)

R, X, G, U = Verdict.RETRY, Verdict.RAISE, Verdict.GONE, Verdict.UNKNOWN


def answered(status: int, **facts) -> Outcome:
    return Outcome(Event.ANSWERED, status, **facts)


# The table of the README: what happened, then GET, DELETE and a POST that buys.
TABLE = [
    (Outcome(Event.NOT_SENT), R, R, R),
    (answered(429), R, R, R),
    (answered(429, code="rate_limit_exceeded", retry_after=2), R, R, R),
    (answered(503, words="The limit of 1 concurrent job is reached"), R, R, R),
    (answered(503, words="try again", retry_after=1), R, R, R),
    (answered(503, retry_after=1), R, R, U),
    (answered(503, words="too many requests", retry_after=1, is_own=False), R, R, U),
    (answered(409, words="server is busy"), R, R, R),
    (answered(409, words="try again", retry_after=1), R, R, R),
    (answered(409, retry_after=1), R, R, U),
    (answered(429, code="insufficient_quota"), X, X, X),
    (answered(429, code="billing_hard_limit_reached", retry_after=1), X, X, X),
    (Outcome(Event.LOST), R, R, U),
    (answered(408), R, R, U),
    (answered(500), R, R, U),
    (answered(502), R, R, U),
    (answered(503), R, R, U),
    (answered(503, words="no healthy upstream"), R, R, U),
    (answered(503, words="Service Unavailable"), R, R, U),
    (answered(503, words="upstream connect error, retried and the limit exceeded"), R, R, U),
    (answered(503, code="too many", words="try again later"), R, R, U),
    (answered(301), X, X, U),
    (answered(303), X, X, U),
    (answered(504), R, R, U),
    (answered(599), R, R, U),
    (answered(404), X, G, X),
    (answered(410), X, G, X),
    (answered(400), X, X, X),
    (answered(401), X, X, X),
    (answered(403), X, X, X),
    (answered(405), X, X, X),
    (answered(409, words="the video is not completed"), X, X, X),
    (answered(409, words="a job for this prompt is already in the queue"), X, X, X),
    (answered(422), X, X, X),
    (answered(501), X, X, X),
    (answered(307), X, X, X),
    (Outcome(Event.UNREADABLE), X, G, U),
]


@pytest.mark.parametrize(("outcome", "read", "delete", "buy"), TABLE)
def test_the_table(outcome, read, delete, buy):
    verdicts = [judge(call, outcome) for call in (Call.READ, Call.DELETE, Call.BUY)]
    assert verdicts == [read, delete, buy]


def test_waits_double_up_to_the_cap_and_are_drawn_from_zero():
    backoff = Backoff(attempts=9, total=1000, base=0.5, cap=8)
    longest = [backoff.wait(attempt, 0, None, chance=1) for attempt in range(1, 8)]
    assert longest == [0.5, 1, 2, 4, 8, 8, 8]
    assert backoff.wait(5, 0, None, chance=0) == 0


def test_a_call_gives_up_after_its_attempts_and_after_its_time():
    backoff = Backoff(attempts=3, total=10)
    assert backoff.wait(2, 0, None, chance=0) is not None
    assert backoff.wait(3, 0, None, chance=0) is None
    assert backoff.wait(1, 10, None, chance=0) is None
    assert backoff.wait(1, 5, retry_after=6, chance=0) is None


def test_retry_after_is_obeyed_up_to_its_cap():
    backoff = Backoff(longest_retry_after=30)
    assert backoff.wait(1, 0, retry_after=30, chance=0) == 30
    assert backoff.wait(1, 0, retry_after=31, chance=0) is None
    assert backoff.wait(1, 0, retry_after=7, chance=random.random()) >= 7


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True), "Date": formatdate(NOW + 60, usegmt=True)}, 30),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, 0),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": ""}, None),
        ({"llm_provider-retry-after": "7"}, 7),
        ({"llm_provider-retry-after-ms": "250"}, 0.25),
        ({"llm_provider-retry-after": formatdate(NOW + 90, usegmt=True)}, 90),
        ({"llm_provider-retry-after": "7", "Retry-After": "3"}, 3),
        ({"llm_provider-retry-after": "7", "Retry-After": "soon"}, 7),
        ({"llm_provider-retry-after": "soon"}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers, seconds):
    assert parse_retry_after(httpx.Headers(headers), NOW) == seconds


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777),
        ("Sun, 06 Nov 1994 08:49:37", 784_111_777),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 784_111_777),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 784_111_777),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_799),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Mon, 30 Feb 2026 00:00:00 GMT", None),
        ("Sun, 06 Nov 1994 25:00:00 GMT", None),
        ("soon", None),
        ("0", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_in_any_form_is_in_gmt_wherever_the_worker_is(text, moment):
    assert http_date(text) == moment
