from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_videos.api.errors import Busy, InDoubt, OutcomeUnknown, RequestChanged
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission import durable
from airflow_provider_videos.submission.durable import KEY, submit
from airflow_provider_videos.submission.record import Action, Facts, Record, decide

log = logging.getLogger("task")
FACTS = Facts(fingerprint="f1", max_tries=2)
INTENT = Record(fingerprint="f1", at=1_790_000_000, max_tries=2)
BOUGHT = Record(fingerprint="f1", at=1_790_000_000, max_tries=2, video_id="v")

B, T, D, C = Action.BUY, Action.TAKE_UP, Action.FAIL_IN_DOUBT, Action.FAIL_CHANGED


@pytest.mark.parametrize(
    ("record", "facts", "action"),
    [
        # the first start
        (None, FACTS, B),
        # a retry
        (BOUGHT, FACTS, T),
        (BOUGHT, Facts("f2", 2), C),
        (BOUGHT, Facts("f2", 2, on_changed="resubmit"), B),
        # a clear, which raises the bound of tries
        (BOUGHT, Facts("f1", 4), B),
        (BOUGHT, Facts("f2", 4), B),
        # an intent without an id: a retry and a clear are settled alike
        (INTENT, FACTS, D),
        (INTENT, Facts("f2", 2), D),
        (INTENT, Facts("f1", 4), D),
        (INTENT, Facts("f1", 2, on_unknown="resubmit"), B),
        (INTENT, Facts("f1", 4, on_unknown="resubmit"), B),
        # an id that a person has written
        (Record(video_id="v"), FACTS, T),
    ],
)
def test_what_a_start_does(record, facts, action):
    assert decide(record, facts) is action


@pytest.mark.parametrize("value", [None, [], "v", 3, {}, {"unknown": 1}])
def test_what_is_no_record_is_none(value):
    assert Record.read(value) is None


def test_a_record_of_a_later_release_is_read():
    assert Record.read({**BOUGHT.written(), "later": 1}) == BOUGHT


class Store(dict):
    """A store that fails as often as it is told to before it works."""

    failures = 0

    def set(self, key, value):
        self._fail()
        self[key] = json.loads(json.dumps(value))

    def delete(self, key):
        self._fail()
        self.pop(key, None)

    def _fail(self):
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the API server restarts")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(durable, "_PAUSES", (0, 0, 0))


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def shop(store):
    """Sells videos and counts them; what the store knew at each sale is in ``shop.known``."""

    def buy():
        shop_records.append(Record.read(store.get(KEY)))
        if buy.fails_with:
            raise buy.fails_with
        buy.sold += 1
        store.failures = buy.store_failures
        return Video(id=f"v{buy.sold}", status="queued", prompt="A secret boat", model="wan")

    shop_records: list = []
    buy.sold, buy.fails_with, buy.store_failures, buy.known = 0, None, 0, shop_records
    return buy


def test_the_intent_is_recorded_before_the_purchase_and_the_id_after_it(store, shop, caplog):
    caplog.set_level("INFO")
    video = submit(store, FACTS, shop, log)
    (intent,) = shop.known
    assert (intent.video_id, intent.fingerprint, intent.max_tries) == (None, "f1", 2)
    bought = Record.read(store[KEY])
    assert bought.video_id == video.id == "v1"
    assert bought.at == intent.at
    assert "Bought video v1" in caplog.text


def test_a_retry_takes_up_the_video_and_what_the_server_said_of_it(store, shop):
    submit(store, FACTS, shop, log)
    again = submit(store, FACTS, shop, log)
    assert (again.id, again.model, again.prompt) == ("v1", "wan", None)
    assert shop.sold == 1


def test_a_clear_buys_anew(store, shop):
    submit(store, FACTS, shop, log)
    assert submit(store, Facts("f1", 4), shop, log).id == "v2"
    assert submit(store, Facts("f1", 4), shop, log).id == "v2"


def test_a_changed_request_is_named(store, shop):
    submit(store, FACTS, shop, log)
    with pytest.raises(RequestChanged, match=r"bought video v1 with request f1.*request f2"):
        submit(store, Facts("f2", 2), shop, log)
    assert shop.sold == 1


@pytest.mark.parametrize("end", [OutcomeUnknown("the answer is lost"), KeyboardInterrupt(), TimeoutError()])
def test_a_purchase_that_was_cut_off_is_not_made_again(store, shop, end):
    shop.fails_with = end
    with pytest.raises((InDoubt, KeyboardInterrupt, TimeoutError)):
        submit(store, FACTS, shop, log)
    shop.fails_with = None
    with pytest.raises(
        InDoubt, match=r"may have been bought at 20.*request f1.*state-store/videos_submission"
    ):
        submit(store, FACTS, shop, log)
    assert shop.sold == 0


def test_whoever_says_so_buys_in_doubt(store, shop):
    store[KEY] = INTENT.written()
    assert submit(store, Facts("f1", 2, on_unknown="resubmit"), shop, log).id == "v1"


def test_the_id_that_a_person_found_is_taken_up(store, shop):
    store[KEY] = {"video_id": "found"}
    assert submit(store, FACTS, shop, log).id == "found"


def test_what_was_refused_leaves_no_doubt(store, shop):
    shop.fails_with = Busy("not now")
    with pytest.raises(Busy):
        submit(store, FACTS, shop, log)
    assert store == {}
    shop.fails_with = None
    assert submit(store, FACTS, shop, log).id == "v1"


def test_nothing_is_bought_that_cannot_be_recorded_beforehand(store, shop):
    store.failures = 1
    with pytest.raises(ConnectionError):
        submit(store, FACTS, shop, log)
    assert shop.sold == 0


def test_a_store_that_is_away_for_a_moment_is_waited_for(store, shop):
    shop.store_failures = 3
    submit(store, FACTS, shop, log)
    assert store[KEY]["video_id"] == "v1"


def test_a_store_that_stays_away_loses_neither_the_id_nor_the_money(store, shop, caplog):
    caplog.set_level("INFO")
    shop.store_failures = 99
    assert submit(store, FACTS, shop, log).id == "v1"
    assert "Bought video v1" in caplog.text
    assert "Could not record video v1" in caplog.text
    store.failures = 0
    with pytest.raises(InDoubt):
        submit(store, FACTS, shop, log)


def test_the_record_holds_no_prompt(store, shop):
    submit(store, FACTS, shop, log)
    assert "secret" not in json.dumps(store)
