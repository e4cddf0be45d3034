"""News that wakes a wait, and answers that are only counted."""

from __future__ import annotations

import asyncio
import time

import pytest

from airflow_provider_videos.api.errors import (
    NotFound,
    ServerFault,
    TransportError,
    Unauthorized,
    VideoFailed,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.polling.subscription import Subscription
from airflow_provider_videos.polling.wait_state import LONGEST_INTERVAL_WHILE_MISSING, WaitState
from tests.polling import turned_loop

INTERVAL = 60.0


def video(status: str, **fields) -> Video:
    return Video.model_validate({"id": "v", "status": status, **fields})


@pytest.fixture
def told():
    """Take in answers, one in each interval, and return which news woke the wait at which of them."""

    def told(*answers, shown="", serves_others=None):
        async def main():
            subscription = Subscription(WaitState("v", time.time(), shown=shown), lambda _: INTERVAL)
            loop, news = asyncio.get_running_loop(), []
            waiting = asyncio.create_task(subscription.next_log_line())
            for number, answer in enumerate(answers):
                await asyncio.sleep(INTERVAL)
                subscription.update(answer, loop.time(), serves_others=serves_others)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if waiting.done():
                    news.append((number, waiting.exception() or waiting.result()))
                    waiting = asyncio.create_task(subscription.next_log_line())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return news, subscription

        return turned_loop.run(main())

    return told


def test_an_unchanged_answer_wakes_nobody(told):
    news, subscription = told(*[video("in_progress", progress=40)] * 20)
    assert [number for number, _ in news] == [0]
    assert not subscription.has_ended


def test_neither_does_the_first_if_the_task_has_logged_it(told):
    news, _ = told(video("queued"), video("queued"), video("in_progress"), shown="queued")
    assert [number for number, _ in news] == [2]


def test_a_change_does(told):
    changes = [("queued", 0), ("queued", 0), ("queued", 10), ("in_progress", 10), ("in_progress", 10)]
    news, _ = told(*(video(status, progress=progress) for status, progress in changes))
    assert [number for number, _ in news] == [0, 2, 3]


def test_trouble_does_when_it_begins_and_once_a_minute(told):
    news, _ = told(video("queued"), *[TransportError("dropped")] * 3, video("queued"))
    assert [number for number, _ in news] == [0, 1, 2, 3, 4]


def test_an_end_is_told_after_its_line(told):
    async def main():
        subscription = Subscription(WaitState("v", time.time()), lambda _: INTERVAL)
        subscription.update(video("completed"), 0.0, serves_others=None)
        assert subscription.has_ended
        return [await subscription.next_log_line(), await subscription.next_log_line()]

    line, end = turned_loop.run(main())
    assert "completed" in line
    assert end is None


@pytest.mark.parametrize(
    ("answers", "kind"),
    [([video("queued"), video("failed")], VideoFailed), ([Unauthorized("no")], Unauthorized)],
)
def test_a_bad_end_is_raised(told, answers, kind):
    news, subscription = told(*answers)
    assert type(news[-1][1]) is kind
    assert subscription.has_ended


def test_no_answer_is_welcome_after_the_end(told):
    _, subscription = told(video("failed"))
    subscription.is_due = False
    assert not subscription.welcomes_answer(1e12)


def test_an_answer_is_welcome_half_an_interval_after_the_last_or_when_one_is_due(told):
    _, subscription = told(video("queued"))
    assert not subscription.welcomes_answer(1.4 * INTERVAL)
    assert subscription.welcomes_answer(1.5 * INTERVAL)
    subscription.is_due = True
    assert subscription.welcomes_answer(INTERVAL)


def test_a_video_that_is_missing_is_asked_for_more_often(told):
    _, subscription = told(video("queued"))
    assert 1.5 * INTERVAL <= subscription.due <= 2.1 * INTERVAL
    _, subscription = told(NotFound("no"))
    assert subscription.due <= INTERVAL + LONGEST_INTERVAL_WHILE_MISSING
    _, subscription = told(NotFound("no"), ServerFault("boom"))
    assert subscription.interval == INTERVAL
