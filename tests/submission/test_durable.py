from __future__ import annotations

import json
import logging
import time
from dataclasses import replace

import pytest

from airflow_provider_videos.api.errors import (
    Busy,
    InDoubt,
    InvalidRequest,
    NotConnected,
    OutcomeUnknown,
    RequestChanged,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission import durable
from airflow_provider_videos.submission.decision import Facts
from airflow_provider_videos.submission.durable import KEY, Submission, salvage
from airflow_provider_videos.submission.evidence import Listing, Wanted
from airflow_provider_videos.submission.ledger import Ledger
from airflow_provider_videos.submission.record import Record
from tests.submission.conftest import Registry

log = logging.getLogger("task")
FACTS = Facts(fingerprint="f1", max_tries=2)
FAIL = replace(FACTS, on_unknown="fail")
INTENT = Record(fingerprint="f1", at=1_790_000_000, max_tries=2)
BOUGHT = Record(fingerprint="f1", at=1_790_000_000, max_tries=2, video_id="v")


@pytest.mark.parametrize("value", [[], ["v"], 3, "", {}, {"unknown": 1}, {"id": "v"}])
def test_what_nobody_understands_is_an_intent(value):
    assert Record.read(value) == Record()


def test_no_record_is_none_and_a_text_is_an_id():
    assert Record.read(None) is None
    assert Record.read("v") == Record(video_id="v")


def test_a_record_of_a_later_release_is_read():
    assert Record.read({**BOUGHT.written(), "later": 1}) == BOUGHT


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(durable, "_PAUSES", (0, 0, 0))
    monkeypatch.setattr(durable, "_LOOKS", (0, 0))
    monkeypatch.setattr(durable, "_LATE_SECONDS", 0)


class Shop:
    """Sells videos, counts them, and knows what the store held at each sale."""

    wanted = Wanted("A secret boat", {"model": "wan"})
    patience = 0.05

    def __init__(self, store, registry):
        self.store, self.registry = store, registry
        self.sold, self.known, self.videos, self.looks = 0, [], [], 0
        self.fails_with = self.loses_answer = None
        self.store_failures = 0
        self.late = 0  # how many looks pass before the list shows anything

    def buy(self):
        self.known.append(Record.read(self.store.get(KEY)))
        if self.fails_with:
            raise self.fails_with
        self.sold += 1
        self.videos.append(self.make(f"v{self.sold}", time.time()))
        if self.loses_answer:
            raise self.loses_answer
        self.store.failures = self.store_failures
        return self.videos[-1]

    def make(self, video_id, created_at, prompt="A secret boat"):
        return Video(id=video_id, status="queued", prompt=prompt, model="wan", created_at=int(created_at))

    def listing(self, back_to):
        self.looks += 1
        if self.fails_with:
            raise self.fails_with
        return Listing(self.videos[::-1] if self.looks > self.late else [], ahead=0.0)

    def knows(self, video):
        return video in self.videos


@pytest.fixture
def shop(store, registry):
    return Shop(store, registry)


def submit(store, facts, shop, log, task="create"):
    owner = {"dag_id": "d", "run_id": "r", "task_id": task, "map_index": 3}
    submission = Submission(store, Ledger(shop.registry, "http://gpu-box/v1", owner), facts, shop, log)
    video = submission.submit()
    submission.hand_on()
    return video


def test_the_intent_is_recorded_before_the_purchase_and_the_id_after_it(store, shop, caplog):
    caplog.set_level("INFO")
    video = submit(store, FACTS, shop, log)
    (intent,) = shop.known
    assert (intent.video_id, intent.fingerprint, intent.max_tries) == (None, "f1", 2)
    bought = Record.read(store[KEY])
    assert bought.video_id == video.id == "v1"
    assert (bought.at, bought.handed_on) == (intent.at, True)
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


def test_a_clear_of_what_had_not_finished_takes_it_up(store, shop):
    submit(store, FACTS, shop, log)
    store[KEY]["handed_on"] = False
    assert submit(store, replace(FACTS, max_tries=4), shop, log).id == "v1"


def test_what_a_person_handed_in_is_bought_anew_by_the_next_clear(store, shop):
    store[KEY] = {"video_id": "found"}
    submit(store, FACTS, shop, log)
    assert submit(store, replace(FACTS, max_tries=4), shop, log).id == "v1"


class TestARequestThatCanNoLongerBeMade:
    problem = InvalidRequest("input_reference 'gone.png' cannot be read")

    def salvage(self, store, max_tries=2):
        owner = {"dag_id": "d", "run_id": "r", "task_id": "create", "map_index": -1}
        return salvage(store, owner, max_tries, self.problem, log)

    def test_loses_no_video_that_was_bought(self, store, shop):
        submit(store, FACTS, shop, log)
        assert self.salvage(store).id == "v1"

    def test_is_the_news_where_nothing_was_bought(self, store, shop):
        with pytest.raises(InvalidRequest, match=r"gone\.png"):
            self.salvage(store)
        submit(store, FACTS, shop, log)
        with pytest.raises(InvalidRequest, match=r"gone\.png"):
            self.salvage(store, max_tries=4)

    def test_does_not_hide_a_doubt(self, store):
        store[KEY] = INTENT.written()
        with pytest.raises(InDoubt, match=r"bought at 20.*request f1.*gone\.png"):
            self.salvage(store)


def test_a_changed_request_is_named(store, shop):
    submit(store, FACTS, shop, log)
    with pytest.raises(RequestChanged, match=r"bought video v1 with request f1.*request f2"):
        submit(store, Facts("f2", 2), shop, log)
    assert shop.sold == 1


@pytest.mark.parametrize("end", [OutcomeUnknown("the answer is lost"), KeyboardInterrupt(), TimeoutError()])
def test_a_purchase_that_was_cut_off_is_not_made_again(store, shop, end):
    shop.fails_with = end
    with pytest.raises((InDoubt, KeyboardInterrupt, TimeoutError)):
        submit(store, FAIL, shop, log)
    shop.fails_with = None
    with pytest.raises(
        InDoubt,
        match=r"may have been bought at 20.*request f1.*create/state-store/videos_submission\?map_index=3",
    ):
        submit(store, FAIL, shop, log)
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
        submit(store, FAIL, shop, log)
    assert submit(store, FACTS, shop, log).id == "v1"
    assert shop.sold == 1


def test_neither_record_nor_ledger_holds_the_prompt(store, shop, registry):
    submit(store, FACTS, shop, log)
    assert "v1" in json.dumps(store)
    assert len(registry) == 3
    assert "secret" not in json.dumps([store, registry])


LOST = OutcomeUnknown("the answer is lost")


@pytest.fixture
def lost(store, shop):
    """A purchase whose answer was lost."""
    shop.videos = [shop.make("older", time.time() - 3600, "A kite")]
    shop.loses_answer = LOST
    with pytest.raises(InDoubt):
        submit(store, FACTS, shop, log)
    shop.loses_answer = None
    return shop


def test_a_lost_video_is_found_recorded_and_claimed(store, lost, registry):
    assert submit(store, FACTS, lost, log).id == "v1"
    assert Record.read(store[KEY]).video_id == "v1"
    assert submit(store, FACTS, lost, log).id == "v1"
    claims = Ledger(registry, "http://gpu-box/v1", {"task_id": "other"}).claims(
        time.time(), lost.wanted, lost.videos, time.time()
    )
    assert (claims.videos, claims.rivals) == ({"v1"}, [])
    assert lost.sold == 1


def test_a_late_list_is_waited_for(store, lost):
    lost.late = 2
    assert submit(store, FACTS, lost, log).id == "v1"
    assert lost.sold == 1


def test_what_was_never_accepted_is_bought(store, shop, registry):
    shop.videos = [shop.make("older", time.time() - 3600, "A kite")]
    shop.fails_with = LOST
    with pytest.raises(InDoubt):
        submit(store, FACTS, shop, log)
    shop.fails_with = None
    assert submit(store, FACTS, shop, log).id == "v1"
    assert shop.looks == 3
    # nothing open is left that could keep another task in doubt
    other = Ledger(registry, "http://gpu-box/v1", {"task_id": "other"})
    assert other.claims(time.time(), shop.wanted, shop.videos, time.time()).rivals == []


def test_a_list_whose_ids_nobody_can_ask_for_leaves_the_doubt(store, lost, monkeypatch):
    monkeypatch.setattr(lost, "knows", lambda video: False)
    with pytest.raises(InDoubt, match="shows video v1, and the server does not know that id"):
        submit(store, FACTS, lost, log)


def test_what_a_failed_answer_says_is_not_recorded(store, shop, monkeypatch):
    failed = Video(id="v1", status="failed", error={"message": "Blocked: A secret boat"})
    monkeypatch.setattr(shop, "buy", lambda: failed)
    submit(store, FACTS, shop, log)
    assert "secret" not in json.dumps(store)


def test_a_list_that_cannot_be_read_leaves_the_doubt(store, lost):
    lost.fails_with = NotConnected("list: no answer")
    with pytest.raises(InDoubt, match=r"looking for it failed: NotConnected: list: no answer"):
        submit(store, FACTS, lost, log)
    lost.fails_with = None
    assert submit(store, FACTS, lost, log).id == "v1"


def test_two_tasks_with_the_same_prompt_in_doubt_never_share_a_video(shop, registry):
    stores = [Registry(), Registry()]
    shop.videos = [shop.make("older", time.time() - 3600, "A kite")]
    shop.loses_answer = LOST
    for number, store in enumerate(stores):
        with pytest.raises(InDoubt):
            submit(store, FACTS, shop, log, task=f"create {number}")
        shop.fails_with = LOST  # the second one is not accepted at all
    shop.fails_with = shop.loses_answer = None
    for number, store in enumerate(stores):
        with pytest.raises(InDoubt, match="video v1 could be it, and could as well be another task"):
            submit(store, FACTS, shop, log, task=f"create {number}")
    assert shop.sold == 1
    # A person has found out whose it is.
    stores[0][KEY] = {"video_id": "v1"}
    assert submit(stores[0], FACTS, shop, log, task="create 0").id == "v1"


def test_a_sibling_whose_answer_arrived_leaves_no_doubt(lost, store):
    other = Registry()
    assert submit(other, FACTS, lost, log, task="sibling").id == "v2"
    assert submit(store, FACTS, lost, log).id == "v1"
