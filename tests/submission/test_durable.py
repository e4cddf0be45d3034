from __future__ import annotations

import logging

import pytest

from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission import durable
from airflow_provider_videos.submission.durable import KEY, submit

log = logging.getLogger("task")


class Store(dict):
    """A store that fails as often as it is told to before it works."""

    failures = 0

    def set(self, key, value):
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the API server restarts")
        self[key] = value


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(durable, "_SECONDS_BETWEEN_TRIES", 0)


@pytest.fixture
def shop():
    """Sells videos and counts them."""

    def buy():
        buy.sold += 1
        return Video(id=f"v{buy.sold}", status="queued", prompt="A secret boat")

    buy.sold = 0
    return buy


def test_the_id_is_logged_and_recorded(shop, caplog):
    caplog.set_level("INFO")
    store = Store()
    video_id, video = submit(store, shop, log)
    assert video_id == video.id == "v1"
    assert store == {KEY: {"video_id": "v1"}}
    assert "v1" in caplog.text


def test_the_second_try_buys_nothing(shop):
    store = Store()
    submit(store, shop, log)
    assert submit(store, shop, log) == ("v1", None)
    assert shop.sold == 1


def test_a_store_that_is_away_for_a_moment_is_waited_for(shop):
    store = Store()
    store.failures = 4
    submit(store, shop, log)
    assert store[KEY] == {"video_id": "v1"}
    assert shop.sold == 1


def test_the_id_is_in_the_log_even_if_it_cannot_be_recorded(shop, caplog):
    caplog.set_level("INFO")
    store = Store()
    store.failures = 99
    with pytest.raises(ConnectionError):
        submit(store, shop, log)
    assert "Bought video v1" in caplog.text


def test_the_record_holds_no_prompt(shop):
    store = Store()
    submit(store, shop, log)
    assert "secret" not in str(store)
