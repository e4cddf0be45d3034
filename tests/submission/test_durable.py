from __future__ import annotations

import itertools
import json
import logging
import re
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
    Superseded,
    VideosError,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.decision import LATE_SECONDS, LOOKS_NEEDED, Facts
from airflow_provider_videos.submission.durable import KEY, Submission, hand_on, salvage
from airflow_provider_videos.submission.evidence import Anchor, Listing, Wanted, digest_of
from airflow_provider_videos.submission.ledger import Ledger
from airflow_provider_videos.submission.record import Record
from tests.submission.conftest import Registry
from tests.turned_time import TurnedTime

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


@pytest.fixture
def clock():
    """Time that passes at once."""
    return TurnedTime()


class Server:
    """Sells videos, counts them, and knows what the store held at each sale."""

    wanted = Wanted("A secret boat", {"model": "wan"})
    patience = 0.05

    def __init__(self, store, registry, clock):
        self.store, self.registry, self.clock = store, registry, clock
        self.sold, self.known, self.videos, self.looks = 0, [], [], 0
        self.fails_with = self.loses_answer = self.meanwhile = None
        self.store_failures = 0
        self.late = 0  # how many looks pass before the list shows anything
        self.key = "a key"

    def submit(self, before_send):
        before_send()
        self.known.append(Record.read(self.store.get(KEY)))
        if self.fails_with:
            raise self.fails_with
        self.sold += 1
        self.videos.append(self.make(f"v{self.sold}", self.clock.time()))
        if self.meanwhile:
            self.meanwhile()
        if self.loses_answer:
            raise self.loses_answer
        self.store.failures = self.store_failures
        return self.videos[-1]

    def make(self, video_id, created_at, prompt="A secret boat"):
        return Video(id=video_id, status="queued", prompt=prompt, model="wan", created_at=int(created_at))

    def anchor(self):
        newest = [video.id for video in self.videos[::-1]]
        return Anchor(next(iter(newest), None), [digest_of(one) for one in newest], 0.0)

    def listing(self, back_to, anchor=None):
        self.looks += 1
        if self.fails_with:
            raise self.fails_with
        shown = self.videos if self.looks > self.late else self.videos[:1]
        return Listing(shown[::-1], ahead=0.0, fresh=True)

    def find(self, video_id):
        return next((video for video in self.videos if video.id == video_id), None)

    def hash_key(self, salt):
        return f"{salt}:{hash(self.key)}"


@pytest.fixture
def server(store, registry, clock):
    return Server(store, registry, clock)


def start(store, facts, server, log, task="create"):
    owner = {"dag_id": "d", "run_id": "r", "task_id": task, "map_index": 3}
    ledger = Ledger(server.registry, "http://gpu-box/v1", owner)
    return Submission(store, ledger, facts, server, log, server.clock.clock).submit()


def submit(store, facts, server, log, task="create"):
    """A start of the task that Airflow ends in success."""
    video = start(store, facts, server, log, task)
    hand_on(store, facts.max_tries)
    return video


def test_the_intent_is_recorded_before_the_purchase_and_the_id_after_it(store, server, caplog):
    caplog.set_level("INFO")
    video = submit(store, FACTS, server, log)
    (intent,) = server.known
    assert (intent.video_id, intent.fingerprint, intent.max_tries) == (None, "f1", 2)
    bought = Record.read(store[KEY])
    assert bought.video_id == video.id == "v1"
    assert (bought.at, bought.handed_on) == (intent.at, True)
    assert "Bought video v1" in caplog.text


def test_a_retry_takes_up_the_video_and_what_the_server_said_of_it(store, server):
    submit(store, FACTS, server, log)
    again = submit(store, FACTS, server, log)
    assert (again.id, again.model, again.prompt) == ("v1", "wan", None)
    assert server.sold == 1


def test_a_clear_buys_anew(store, server):
    submit(store, FACTS, server, log)
    assert submit(store, Facts("f1", 4), server, log).id == "v2"
    assert submit(store, Facts("f1", 4), server, log).id == "v2"


def test_a_clear_of_what_had_not_finished_takes_it_up(store, server):
    submit(store, FACTS, server, log)
    store[KEY]["handed_on"] = False
    assert submit(store, replace(FACTS, max_tries=4), server, log).id == "v1"


def test_what_a_person_handed_in_is_bought_anew_by_the_next_clear(store, server):
    store[KEY] = {"video_id": "found"}
    submit(store, FACTS, server, log)
    assert submit(store, replace(FACTS, max_tries=4), server, log).id == "v1"


class TestARequestThatCanNoLongerBeMade:
    problem = InvalidRequest("input_reference 'gone.png' cannot be read")

    def salvage(self, store, max_tries=2):
        owner = {"dag_id": "d", "run_id": "r", "task_id": "create", "map_index": -1}
        return salvage(store, owner, max_tries, self.problem, log)

    def test_loses_no_video_that_was_bought(self, store, server):
        submit(store, FACTS, server, log)
        assert self.salvage(store).id == "v1"

    def test_is_the_news_where_nothing_was_bought(self, store, server):
        with pytest.raises(InvalidRequest, match=r"gone\.png"):
            self.salvage(store)
        submit(store, FACTS, server, log)
        with pytest.raises(InvalidRequest, match=r"gone\.png"):
            self.salvage(store, max_tries=4)

    def test_does_not_hide_a_doubt(self, store):
        store[KEY] = INTENT.written()
        with pytest.raises(InDoubt, match=r"bought at 20.*request f1.*gone\.png"):
            self.salvage(store)


def test_a_changed_request_is_named(store, server):
    submit(store, FACTS, server, log)
    with pytest.raises(RequestChanged, match=r"bought video v1 with request f1.*request f2"):
        submit(store, Facts("f2", 2), server, log)
    assert server.sold == 1


@pytest.mark.parametrize("end", [OutcomeUnknown("the answer is lost"), KeyboardInterrupt(), TimeoutError()])
def test_a_purchase_that_was_cut_off_is_not_made_again(store, server, end):
    server.fails_with = end
    with pytest.raises((InDoubt, KeyboardInterrupt, TimeoutError)):
        submit(store, FAIL, server, log)
    server.fails_with = None
    with pytest.raises(
        InDoubt,
        match=r"may have been bought at 20.*request f1.*create/state-store/videos_submission\?map_index=3",
    ):
        submit(store, FAIL, server, log)
    assert server.sold == 0


def test_whoever_says_so_buys_in_doubt(store, server):
    store[KEY] = INTENT.written()
    assert submit(store, Facts("f1", 2, on_unknown="resubmit"), server, log).id == "v1"


def test_the_id_that_a_person_found_is_taken_up(store, server):
    store[KEY] = {"video_id": "found"}
    assert submit(store, FACTS, server, log).id == "found"


def test_what_was_refused_leaves_no_doubt(store, server):
    server.fails_with = Busy("not now")
    with pytest.raises(Busy):
        submit(store, FACTS, server, log)
    assert store == {}
    server.fails_with = None
    assert submit(store, FACTS, server, log).id == "v1"


def test_nothing_is_bought_that_cannot_be_recorded_beforehand(store, server):
    store.failures = 1
    with pytest.raises(ConnectionError):
        submit(store, FACTS, server, log)
    assert server.sold == 0


def test_a_store_that_is_away_for_a_moment_is_waited_for(store, server):
    server.store_failures = 3
    submit(store, FACTS, server, log)
    assert store[KEY]["video_id"] == "v1"


def test_a_store_that_stays_away_loses_neither_the_id_nor_the_money(store, server, caplog):
    caplog.set_level("INFO")
    server.store_failures = 99
    assert submit(store, FACTS, server, log).id == "v1"
    assert "Bought video v1" in caplog.text
    assert "Could not record video v1" in caplog.text
    store.failures = 0
    with pytest.raises(InDoubt):
        submit(store, FAIL, server, log)
    assert submit(store, FACTS, server, log).id == "v1"
    assert server.sold == 1


def test_neither_record_nor_ledger_holds_the_prompt(store, server, registry):
    submit(store, FACTS, server, log)
    assert "v1" in json.dumps(store)
    assert len(registry) == 3
    assert "secret" not in json.dumps([store, registry])


LOST = OutcomeUnknown("the answer is lost")


@pytest.fixture
def lost(store, server):
    """A purchase whose answer was lost."""
    server.videos = [server.make("older", time.time() - 3600, "A kite")]
    server.loses_answer = LOST
    with pytest.raises(InDoubt):
        submit(store, FACTS, server, log)
    server.loses_answer = None
    return server


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


def test_what_was_never_accepted_is_bought(store, server, registry):
    server.videos = [server.make("older", time.time() - 3600, "A kite")]
    server.fails_with = LOST
    with pytest.raises(InDoubt):
        submit(store, FACTS, server, log)
    server.fails_with = None
    assert submit(store, FACTS, server, log).id == "v1"
    assert server.looks >= LOOKS_NEEDED
    assert LATE_SECONDS <= server.clock.slept < 50
    # nothing open is left that could keep another task in doubt
    other = Ledger(registry, "http://gpu-box/v1", {"task_id": "other"})
    assert other.claims(time.time(), server.wanted, server.videos, time.time()).rivals == []


def test_a_list_whose_ids_nobody_can_ask_for_leaves_the_doubt(store, lost, monkeypatch):
    monkeypatch.setattr(lost, "find", lambda video_id: None)
    with pytest.raises(InDoubt, match=r"video v1 \(asked for by this id, the server does not know it"):
        submit(store, FACTS, lost, log)


def test_what_a_failed_answer_says_is_not_recorded(store, server, monkeypatch):
    failed = Video(id="v1", status="failed", error={"message": "Blocked: A secret boat"})
    monkeypatch.setattr(server, "submit", lambda before_send: failed)
    submit(store, FACTS, server, log)
    assert "secret" not in json.dumps(store)


def test_a_list_that_cannot_be_read_leaves_the_doubt(store, lost):
    lost.fails_with = NotConnected("list: no answer")
    with pytest.raises(InDoubt, match=r"looking for it failed: NotConnected: list: no answer"):
        submit(store, FACTS, lost, log)
    lost.fails_with = None
    assert submit(store, FACTS, lost, log).id == "v1"


def test_two_tasks_with_the_same_prompt_in_doubt_never_share_a_video(server, registry):
    stores = [Registry(), Registry()]
    server.videos = [server.make("older", time.time() - 3600, "A kite")]
    server.loses_answer = LOST
    for number, store in enumerate(stores):
        with pytest.raises(InDoubt):
            submit(store, FACTS, server, log, task=f"create {number}")
        server.fails_with = LOST  # the second one is not accepted at all
    server.fails_with = server.loses_answer = None
    # The later one chooses first, and can't have bought what was listed before it.
    with pytest.raises(InDoubt, match="video v1 could be it, and could as well be another task"):
        submit(stores[0], FACTS, server, log, task="create 0")
    bought = [submit(stores[number], FACTS, server, log, task=f"create {number}").id for number in (1, 0)]
    assert bought == ["v2", "v1"]
    assert server.sold == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_tasks_with_one_prompt_that_have_all_lost_their_answers_take_turns(server, order):
    stores = [Registry() for _ in order]
    server.videos = [server.make("older", time.time() - 3600, "A kite")]
    server.loses_answer = LOST
    for number in sorted(order):
        with pytest.raises(InDoubt):
            submit(stores[number], FACTS, server, log, task=f"create {number}")
        server.clock.sleep(1)
    server.loses_answer = None
    for number in order:
        submit(stores[number], FACTS, server, log, task=f"create {number}")
    assert sorted(store[KEY]["video_id"] for store in stores) == ["v1", "v2", "v3"]
    assert server.sold == 3


def test_a_twin_whose_answer_may_be_on_its_way_is_waited_for(server, lost, store):
    Ledger(server.registry, "http://gpu-box/v1", {"task_id": "twin"}).open(time.time(), lost.wanted)
    with pytest.raises(InDoubt, match="video v1 could be it, and could as well be another task"):
        submit(store, FACTS, lost, log)


def test_a_video_that_another_task_claims_in_the_same_moment_is_the_others(lost, store, registry):
    other = Ledger(registry, "http://gpu-box/v1", {"task_id": "other"})
    claim = Ledger.claim

    def claimed_at_once(ledger, at, wanted, video):
        claim(ledger, at, wanted, video)
        claim(other, at - 1, wanted, video)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "claim", claimed_at_once)
        assert start(store, FACTS, lost, log).id == "v2"


def test_a_sibling_whose_answer_arrived_leaves_no_doubt(lost, store):
    other = Registry()
    assert submit(other, FACTS, lost, log, task="sibling").id == "v2"
    assert submit(store, FACTS, lost, log).id == "v1"


# --- proofs ---------------------------------------------------------------------------------------------


@pytest.fixture
def refused(store, server):
    """A purchase whose answer was lost, and that was never accepted."""
    server.videos = [server.make("older", time.time() - 3600, "A kite")]
    server.fails_with = LOST
    with pytest.raises(InDoubt):
        submit(store, FACTS, server, log)
    server.fails_with = None
    return server


@pytest.mark.parametrize("end", [OutcomeUnknown("timed out", is_pending=True), KeyboardInterrupt()], ids=repr)
def test_a_request_whose_end_nobody_saw_is_waited_for(store, server, clock, end):
    server.videos = [server.make("older", time.time() - 3600, "A kite")]
    server.patience, server.fails_with = 120.0, end
    with pytest.raises(type(end) if isinstance(end, KeyboardInterrupt) else InDoubt):
        submit(store, FACTS, server, log)
    server.fails_with = None
    with pytest.raises(InDoubt, match="may still be on its way"):
        submit(store, FACTS, server, log)
    assert server.sold == 0
    clock.sleep(120)
    assert submit(store, FACTS, server, log).id == "v1"


def test_the_newest_listed_video_and_a_hash_of_the_key_are_recorded_with_the_intent(store, refused):
    intent = Record.read(store[KEY])
    assert (intent.anchor, intent.before) == ("older", (digest_of("older"),))
    assert intent.key == refused.hash_key(intent.key.partition(":")[0])
    assert "a key" not in json.dumps(store)


def test_a_list_that_cannot_be_read_beforehand_is_noted_and_not_fatal(store, server, monkeypatch):
    monkeypatch.setattr(server, "anchor", lambda: Anchor(missing="the list could not be read: list: 500"))
    server.videos = [server.make("older", time.time() - 3600, "A kite")]
    server.fails_with = LOST
    with pytest.raises(InDoubt):
        submit(store, FACTS, server, log)
    server.fails_with = None
    with pytest.raises(
        InDoubt, match=r"proves nothing: no newest .*\(the list could not be read: list: 500\)"
    ):
        submit(store, FACTS, server, log)
    assert server.sold == 0


def test_nobody_asks_for_the_list_where_nobody_will_look(store, server, monkeypatch):
    monkeypatch.delattr(Server, "anchor")
    assert submit(store, FAIL, server, log).id == "v1"


def test_a_changed_key_proves_nothing(store, refused):
    refused.key = "another key"
    with pytest.raises(InDoubt, match="the key is not the one that the request was sent with"):
        submit(store, FACTS, refused, log)
    assert refused.sold == 0


def test_what_one_try_saw_the_next_ones_remember(store, lost):
    ours = lost.videos.pop()
    lost.videos.append(ours.model_copy(update={"seconds": "9", "prompt": None}))
    with pytest.raises(InDoubt, match="video v1"):
        submit(store, FACTS, lost, log)
    lost.videos.pop()
    for _ in range(2):
        with pytest.raises(
            InDoubt, match=r"video v1 \(an earlier look saw it, and it is not listed any more\)"
        ):
            submit(store, FACTS, lost, log)
    assert lost.sold == 1


def test_one_look_in_two_asks_twice_so_that_a_balancer_that_takes_turns_shows_all(
    store, refused, monkeypatch
):
    older = list(refused.videos)
    replicas = [older, [*older, refused.make("ours", time.time())]]
    requests = itertools.count()

    def find(video_id):
        return next((video for video in replicas[next(requests) % 2] if video.id == video_id), None)

    monkeypatch.setattr(refused, "find", find)
    monkeypatch.setattr(
        refused, "listing", lambda *_: Listing(replicas[next(requests) % 2][::-1], ahead=0.0, fresh=True)
    )
    assert start(store, FACTS, refused, log).id == "ours"
    assert refused.sold == 0


# --- clocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [-7 * 3600, -600, -30, 30, 600, 7 * 3600])
def test_a_worker_whose_clock_is_off_delays_a_retry_by_less_than_a_minute(store, lost, ahead, clock):
    clock.ahead = ahead
    assert submit(store, FACTS, lost, log).id == "v1"
    assert clock.slept < 50


@pytest.mark.parametrize("ahead", [-7 * 3600, -30, 30, 7 * 3600])
def test_a_worker_whose_clock_is_off_buys_after_less_than_a_minute(store, refused, ahead, clock):
    clock.ahead = ahead
    assert submit(store, FACTS, refused, log).id == "v1"
    assert clock.slept < 50


# --- tries that overlap ---------------------------------------------------------------------------------


def test_a_late_answer_does_not_overwrite_what_a_newer_try_has_recorded(store, server, registry):
    newer = {"video_id": "newer", "attempt": "of a newer try"}
    server.meanwhile = lambda: store.set(KEY, newer)
    with pytest.raises(Superseded, match=r"recorded video newer .*video v1, which this try has bought"):
        start(store, FACTS, server, log)
    assert store[KEY] == newer
    # nobody takes what is left over for theirs
    other = Ledger(registry, "http://gpu-box/v1", {"task_id": "other"})
    assert other.claims(time.time(), server.wanted, server.videos, time.time()).videos == {"v1"}


@pytest.mark.parametrize("end", [OutcomeUnknown("the answer is lost"), Busy("not now")])
def test_no_late_error_removes_what_a_newer_try_has_recorded(store, server, end):
    newer = Record(fingerprint="f1", at=5.0, until=9.0, attempt="of a newer try").written()
    server.loses_answer, server.meanwhile = end, lambda: store.set(KEY, newer)
    with pytest.raises(Superseded, match="recorded another purchase"):
        start(store, FACTS, server, log)
    assert store[KEY] == newer


def test_a_try_that_comes_late_to_its_intent_does_not_buy(store, server, monkeypatch):
    anchor = server.anchor

    def meanwhile():
        store.set(KEY, {"video_id": "newer"})
        return anchor()

    monkeypatch.setattr(server, "anchor", meanwhile)
    with pytest.raises(Superseded):
        start(store, FACTS, server, log)
    assert (server.sold, store[KEY]) == (0, {"video_id": "newer"})


def test_a_request_that_goes_out_late_writes_its_intent_anew(store, server, monkeypatch, registry):
    submit = Server.submit

    def held(self, before_send):
        before_send()
        first.append(Record.read(store.get(KEY)))
        server.clock.sleep(60)
        return submit(self, before_send)

    first = []
    monkeypatch.setattr(Server, "submit", held)
    start(store, FACTS, server, log)
    assert server.known[0].at >= first[0].at + 60
    assert len([key for key in registry if "tidied" not in key]) == 2  # one entry, one claim


def test_a_request_that_was_held_is_not_sent_once_a_newer_try_has_bought(store, server, monkeypatch):
    def held(self, before_send):
        server.clock.sleep(60)
        store.set(KEY, {"video_id": "newer"})
        before_send()

    monkeypatch.setattr(Server, "submit", held)
    with pytest.raises(Superseded):
        start(store, FACTS, server, log)
    assert store[KEY] == {"video_id": "newer"}


def test_a_late_answer_that_is_recorded_meanwhile_is_taken_up(store, refused):
    intent = Record.read(store[KEY])
    listing = refused.listing

    def late(*where):
        store[KEY] = replace(intent, video_id="late").written()
        return listing(*where)

    refused.listing = late
    assert start(store, FACTS, refused, log).id == "late"
    assert refused.sold == 0


# --- records of any shape -------------------------------------------------------------------------------

FULL = Record(
    fingerprint="f1",
    at=1_790_000_000.0,
    until=1_790_000_120.0,
    is_over=True,
    max_tries=2,
    video_id="v",
    video={"id": "v", "status": "queued"},
    handed_on=True,
    attempt="a1",
    anchor="v0",
    no_anchor="the list was empty",
    before=("d0",),
    ahead=-1.5,
    key="salt:hash",
    seen=("v", "w"),
)
ANYTHING: tuple[object, ...] = (
    *(None, True, 0, -1, 3, 1.5, 1e300, float("nan"), float("inf"), 10**400, -(10**400), 1_790_000_000),
    *("", "v", ".", "yesterday", "\ud800", "x" * 10_000, [], ["v"], [None, {}], {}, {"a": [1]}, {"id": 5}),
)
KNOWN = (INTENT.written(), BOUGHT.written())
SHAPES = [
    *({other: value for other, value in known.items() if other != name} for known in KNOWN for name in known),
    *({**known, "later": anything} for known in KNOWN for anything in ANYTHING),
    *({"fingerprint": "f1", "at": at, "until": until} for at in ANYTHING for until in ANYTHING),
    *({"video_id": anything} for anything in ANYTHING),
    *({**known, name: anything} for known in KNOWN for name in known for anything in ANYTHING),
    *ANYTHING,
]


def outcome(end, store, max_tries, server):
    try:
        video = end(store, max_tries, server)
    except VideosError as error:
        return str(error)
    return f"video {video.id}"


def prepared(store, max_tries, server):
    return submit(store, Facts("f1", max_tries), server, log)


def unprepared(store, max_tries, server):
    """A start of the task whose request can no longer be made."""
    owner = {"dag_id": "d", "run_id": "r", "task_id": "create", "map_index": -1}
    return salvage(store, owner, max_tries, InvalidRequest("no such image"), log)


@pytest.mark.parametrize("end", [prepared, unprepared])
def test_a_record_of_any_shape_ends_in_a_video_or_in_an_error_that_says_what_to_do(server, end):
    for shape in SHAPES:
        store = Registry({KEY: shape})
        for max_tries in (2, 4):
            said = outcome(end, store, max_tries, server)
            json.dumps(said).encode()
            assert re.search("^video|state-store/videos_submission|on_changed|no such image", said)


@pytest.mark.parametrize("name", INTENT.written())
def test_a_field_that_is_missing_or_makes_no_sense_is_as_if_it_had_never_been_set(name):
    missing = replace(FULL, **{name: getattr(Record(), name)})
    without = {other: value for other, value in FULL.written().items() if other != name}
    assert Record.read(without) == missing
    assert Record.read({**FULL.written(), name: object()}) == missing
    assert Record.read({**FULL.written(), name: None}) == missing


def test_what_a_release_writes_it_reads():
    assert Record.read(json.loads(json.dumps(FULL.written()))) == FULL


@pytest.mark.parametrize("left_out", [(), ("is_over", "attempt", "anchor", "before", "ahead", "key", "seen")])
def test_what_an_older_release_wrote_is_read(left_out):
    """A purchase as 0.1.0 has recorded it, and as it was recorded before lists were looked at."""
    recorded = {
        "fingerprint": "f1",
        "at": 1_790_000_000.25,
        "until": 1_790_000_120.25,
        "is_over": False,
        "max_tries": 2,
        "video_id": "video_1",
        "video": {"id": "video_1", "status": "queued", "model": "wan"},
        "handed_on": True,
        "attempt": "0123456789abcdef",
        "anchor": "video_0",
        "no_anchor": "",
        "before": [],
        "ahead": 0.5,
        "key": "salt:hash",
        "seen": [],
    }
    found = Record.read({name: value for name, value in recorded.items() if name not in left_out})
    assert (found.video_id, found.fingerprint, found.at) == ("video_1", "f1", 1_790_000_000.25)
    assert (found.max_tries, found.handed_on, found.video["model"]) == (2, True, "wan")


def test_what_a_later_release_has_added_outlives_the_tries_of_this_one(store, server):
    store[KEY] = {**BOUGHT.written(), "handed_on": False, "max_tries": None, "later": {"a": [1]}}
    submit(store, FACTS, server, log)
    assert store[KEY]["later"] == {"a": [1]}
    assert (store[KEY]["max_tries"], store[KEY]["handed_on"]) == (2, True)
    assert server.sold == 0


def test_an_id_that_a_person_wrote_as_a_number_is_an_id():
    assert Record.read({"video_id": 12345}).video_id == "12345"


# --- what is said ---------------------------------------------------------------------------------------


def test_while_tries_are_left_nobody_is_asked_for_handwork(store, server):
    server.fails_with = LOST
    with pytest.raises(InDoubt) as lost:
        submit(store, replace(FACTS, tries_left=2, next_try=300.0), server, log)
    assert "the task's next try looks again, from 20" in str(lost.value)
    assert "(2 tries are left)" in str(lost.value)
    assert "state-store" not in str(lost.value)
    server.fails_with = None
    with pytest.raises(InDoubt) as again:
        submit(store, replace(FACTS, tries_left=1), server, log)
    assert "looks again (it is the last one)" in str(again.value)
    with pytest.raises(InDoubt, match=r"Look for it in the server's list.*state-store/videos_submission"):
        submit(store, FACTS, server, log)


def test_what_no_look_settles_asks_for_handwork_at_once(store, lost):
    with pytest.raises(InDoubt, match=r"the request has changed since.*state-store/videos_submission"):
        submit(store, replace(FACTS, fingerprint="f2", tries_left=2), lost, log)


def test_a_clear_buys_only_after_airflow_has_ended_a_try_in_success(store, server):
    assert start(store, FACTS, server, log).id == "v1"
    assert start(store, replace(FACTS, max_tries=4), server, log).id == "v1"
    hand_on(store, 4)
    assert start(store, replace(FACTS, max_tries=6), server, log).id == "v2"


def test_to_hand_on_what_is_not_there_is_nothing(store):
    hand_on(store, 2)
    assert store == {}
    store[KEY] = INTENT.written()
    hand_on(store, 2)
    assert store[KEY] == INTENT.written()
