"""A purchase that outlives the task that makes it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

from airflow_provider_videos.api.errors import (
    InDoubt,
    InvalidRequest,
    NotSupported,
    OutcomeUnknown,
    RequestChanged,
    Superseded,
    VideosError,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.decision import (
    SHIFT_SECONDS,
    Action,
    Decision,
    Facts,
    decide,
    find_candidates,
)
from airflow_provider_videos.submission.evidence import Anchor, Claims, Evidence, Listing, digest_of
from airflow_provider_videos.submission.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_videos.submission.evidence import Wanted
    from airflow_provider_videos.submission.ledger import Ledger

KEY = "videos_submission"
"""The record's key in the task state store."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# All that a try sleeps while it looks for a lost video, whatever any clock says.
_LOOKS = (0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0, 6.0)
# How old an intent may be when its request goes out. An older one is written anew, so that no newer try takes
# for never accepted what was not sent yet.
_SEND_SECONDS = 5.0
_MOST_ASKED_FOR = 10


Owner: TypeAlias = "Mapping[str, str | int]"
"""What names a task instance: its ``dag_id``, ``run_id``, ``task_id`` and ``map_index``."""


class Store(Protocol):
    """What survives a retry of a task. Airflow's task state store is one."""

    def get(self, key: str) -> Any:
        """Return the value recorded under a key, or None."""

    def set(self, key: str, value: Any) -> None:
        """Record a value that can be written as JSON."""

    def delete(self, key: str) -> None:
        """Forget what is recorded under a key."""


class Log(Protocol):
    """Where the task's log lines go."""

    def info(self, message: str, /, *args: object) -> object:
        """Tell."""

    def warning(self, message: str, /, *args: object) -> object:
        """Warn."""


class Shop(Protocol):
    """Where the purchase is made; :class:`airflow_provider_videos.submission.shop.Shop` is one."""

    @property
    def wanted(self) -> Wanted:
        """What is bought."""

    @property
    def patience(self) -> float:
        """How many seconds the purchase may take."""

    def buy(self, before_send: Callable[[], None]) -> Video:
        """Make the purchase, and say so each time before its request goes out."""

    def anchor(self) -> Anchor:
        """Return what the server lists right now."""

    def listing(self, back_to: float, anchor: str | None = None) -> Listing:
        """List the server's videos back to a moment, or to a video."""

    def find(self, video_id: str) -> Video | None:
        """Return the video that answers when one is asked for by its listed id."""

    def hash_key(self, salt: str) -> str:
        """Return a salted hash of the key."""


@dataclass(slots=True)
class Submission:
    """
    A task's one purchase.

    :param store: the task's memory.
    :param ledger: what it tells other tasks.
    :param facts: what is true of the task now.
    :param shop: where it buys.
    :param log: where the id is named before anything else can go wrong.
    """

    store: Store
    ledger: Ledger
    facts: Facts
    shop: Shop
    log: Log

    _intent: Record = field(default_factory=Record, init=False)
    _written: float = field(default=0.0, init=False)

    def submit(self) -> Video:
        """
        Buy a video, or take up the one that an earlier start of this task has bought.

        :raises InDoubt: if an earlier start may have bought a video whose id nobody knows.
        :raises RequestChanged: if the recorded video was bought with another request.
        :raises Superseded: if a newer try has recorded something meanwhile.
        """
        record = Record.read(self.store.get(KEY))
        decision = decide(record, self.facts)
        if record is None:
            return self._buy(None)
        if decision.action is Action.LOOK:
            return self._settle(record)
        return self._carry_out(decision, record)

    def _carry_out(self, decision: Decision, record: Record) -> Video:
        match decision.action:
            case Action.BUY:
                if record.video_id:
                    self.log.info("Buying anew; what was bought before is video %s", record.video_id)
                return self._buy(record)
            case Action.TAKE_UP:
                return self._take_up(record)
            case Action.FAIL_CHANGED:
                raise _changed(record, self.facts)
            case _:
                raise in_doubt(record, self.ledger.owner, decision, self.facts)

    def _take_up(self, record: Record) -> Video:
        video = taken_up(record, self.log)
        known = replace(
            record,
            at=record.at or time.time(),
            fingerprint=record.fingerprint or self.facts.fingerprint,
            max_tries=self.facts.max_tries if record.max_tries is None else record.max_tries,
        )
        if known != record:  # a person has written it
            self._persist(lambda: self._replace(record, known), "what was taken up")
        self._claim(known, video)
        return video

    def _settle(self, intent: Record) -> Video:
        """Look for what an intent may have bought, and act on what is found."""
        search = _Search(self.shop, self.ledger, self.facts, intent)
        decision = search.run()
        current = Record.read(self.store.get(KEY))
        if current and current.video_id and intent.is_same_purchase(current):
            return self._take_up(current)  # its answer has arrived, late
        if decision.action is Action.ADOPT and decision.video:
            self.log.info("Found video %s, which an earlier try has bought", decision.video.id)
            return self._own(intent, decision.video)
        if decision.action is Action.BUY:
            self.log.info("The request of %s was never accepted: no look at the list saw it", intent.moment)
            self._forget(intent)
            return self._buy(intent)
        seen = (*intent.seen, *(one for one in decision.candidates if one not in intent.seen))
        if seen != intent.seen:
            self._persist(lambda: self._replace(intent, replace(intent, seen=seen)), "what could be it")
        raise in_doubt(intent, self.ledger.owner, decision, self.facts)

    def _buy(self, found: Record | None) -> Video:
        self._announce(found)
        try:
            video = self.shop.buy(self._renew_intent)
        except OutcomeUnknown as error:
            self._lose(self._intent, error)
        except VideosError:
            # Surely not bought, so there is nothing to be in doubt about.
            self._persist(lambda: self._replace(self._intent, None), "that nothing was bought")
            self._forget(self._intent)
            raise
        self.log.info("Bought video %s (%s)", video.id, video.known_status)
        return self._own(self._intent, video)

    def _announce(self, found: Record | None) -> None:
        """Say in the ledger and in the task's memory that a purchase is about to be made."""
        is_looked_for = self.facts.on_unknown == "adopt"
        anchor = self.shop.anchor() if is_looked_for else Anchor(missing="nobody looks for it")
        intent = Record(
            fingerprint=self.facts.fingerprint,
            max_tries=self.facts.max_tries,
            anchor=anchor.video_id,
            no_anchor=anchor.missing,
            before=tuple(anchor.before),
            ahead=anchor.ahead,
            key=self.shop.hash_key(secrets.token_hex(8)) if is_looked_for else None,
        )
        self._write_intent(found, intent)

    def _renew_intent(self) -> None:
        """Write the intent again where the request goes out later than it says."""
        if time.monotonic() - self._written > _SEND_SECONDS:
            earlier = self._intent
            self._write_intent(earlier, earlier)
            self._forget(earlier)

    def _write_intent(self, found: Record | None, intent: Record) -> None:
        """Record an intent of now, unless a newer try has recorded something since this one has looked."""
        at, wanted = time.time(), self.shop.wanted
        new = replace(
            intent, at=at, until=at + self.shop.patience, is_over=False, attempt=secrets.token_hex(8)
        )
        self._written = time.monotonic()
        self.ledger.open(at, wanted)
        try:
            self._replace(found, new)
        except BaseException:
            self._persist(lambda: self.ledger.drop(at, wanted), "that nothing was bought", patient=False)
            raise
        self._intent = new
        # Who ends the task from here on, by marking it say, gets no error out of it: this line has to do.
        self.log.info("Buying a video at %s (request %s)", new.moment, new.fingerprint)

    def _lose(self, intent: Record, error: OutcomeUnknown) -> NoReturn:
        until = max(intent.until, time.time())
        ended = replace(intent, until=until, is_over=not error.is_pending)
        self._persist(lambda: self._replace(intent, ended), "when the answer was lost")
        self._persist(lambda: self.ledger.lose(intent.at, self.shop.wanted), "that the answer was lost")
        is_final = self.facts.on_unknown == "fail"
        lost = Decision(Action.FAIL_IN_DOUBT, error.message, is_final=is_final)
        raise in_doubt(intent, self.ledger.owner, lost, self.facts) from error

    def _forget(self, intent: Record) -> None:
        self._persist(lambda: self.ledger.drop(intent.at, self.shop.wanted), "that nothing was bought")

    def _own(self, intent: Record, video: Video) -> Video:
        # Neither the prompt nor the server's words, which may repeat it.
        known = {name: value for name, value in video.contract().items() if name not in {"prompt", "error"}}
        bought = replace(
            intent,
            max_tries=self.facts.max_tries,
            video_id=video.id,
            video=known,
            handed_on=False,
            before=(),
            seen=(),
        )
        try:
            self._persist(lambda: self._replace(intent, bought), f"video {video.id}")
        finally:
            self._claim(intent, video)
        return video

    def _claim(self, record: Record, video: Video) -> None:
        wanted = self.shop.wanted
        self._persist(lambda: self.ledger.claim(record.at, wanted, video), f"whose video {video.id} is")
        self._persist(lambda: self.ledger.tidy(time.time()), "what the ledger may forget", patient=False)

    def _replace(self, found: Record | None, new: Record | None) -> None:
        """Write what follows a record, unless a newer try has recorded something else meanwhile."""
        current = Record.read(self.store.get(KEY))
        if current == new:
            return
        if not _still_stands(found, current, new):
            raise _superseded(current, new)
        if new is None:
            self.store.delete(KEY)
        else:
            self.store.set(KEY, new.written())

    def _persist(self, write: Callable[[], None], what: str, *, patient: bool = True) -> None:
        """Write to what may be away for a while; what it does not take is no reason to fail."""
        for pause in (*(_PAUSES if patient else ()), None):
            try:
                return write()
            except Superseded:
                raise
            except Exception as error:  # noqa: BLE001 - a store's errors are its own; a retry finds the intent
                self.log.warning("Could not record %s: %s", what, error)
            if pause is not None:
                time.sleep(pause)
        return None


@dataclass(slots=True)
class _Search:
    """
    Looks at the server's list for what an intent may have bought.

    :param shop: where it would be.
    :param ledger: who owns what.
    :param facts: what is true of the task now.
    :param intent: the purchase.
    """

    shop: Shop
    ledger: Ledger
    facts: Facts
    intent: Record
    _listings: list[Listing] = field(default_factory=list, init=False)
    _answers: dict[str, Video | None] = field(default_factory=dict, init=False)

    def run(self) -> Decision:
        """Look again and again, until it is settled or can no longer turn up."""
        begun, decision = time.monotonic(), Decision(Action.FAIL_IN_DOUBT)
        for number, pause in enumerate(_LOOKS):
            time.sleep(pause)
            decision = self._look(number, time.monotonic() - begun)
            if decision.action is not Action.FAIL_IN_DOUBT or decision.is_final:
                break
        return self._told(decision)

    def _told(self, decision: Decision) -> Decision:
        if decision.action is not Action.FAIL_IN_DOUBT:
            return decision
        asked = "".join(f", {name} {value}" for name, value in self.shop.wanted.attributes.items())
        looked_for = f"an unclaimed video with the same prompt{asked}, accepted from {self.intent.moment} on"
        return replace(decision, reason=f"{decision.reason} (looked for {looked_for})")

    def _look(self, number: int, looked: float) -> Decision:
        try:
            self._listings += self._list(number)
            decision = self._decide(looked)
            return self._claimed(decision) if decision.action is Action.ADOPT else decision
        except NotSupported as error:
            return Decision(
                Action.FAIL_IN_DOUBT, f"the server has no list to look at: {error}", is_final=True
            )
        except Exception as error:  # noqa: BLE001 - whoever does not answer, server or Airflow: the doubt stays
            return Decision(Action.FAIL_IN_DOUBT, f"looking for it failed: {type(error).__name__}: {error}")

    def _list(self, number: int) -> list[Listing]:
        anchor, back_to = self.intent.anchor, self.intent.at - SHIFT_SECONDS
        # The first look goes deeper, should the list's order or times be none. Every other one asks an odd
        # number of questions, so that a load balancer that takes turns shows the lists of all servers.
        listings = [self.shop.listing(back_to, anchor if number else None) for _ in range(1 + number % 2)]
        is_known = anchor is not None and self.shop.find(anchor) is not None
        return [replace(listing, anchor_known=is_known) for listing in listings]

    def _decide(self, looked: float) -> Decision:
        evidence = self._evidence(looked)
        candidates = find_candidates(self.intent, evidence)
        asked = [one.video.id for one in candidates if evidence.listing.place_of(one.video.id) is not None]
        for video_id in asked[:_MOST_ASKED_FOR]:
            # One server behind an address may not know what another one lists.
            self._answers[video_id] = self._answers.get(video_id) or self.shop.find(video_id)
        return decide(self.intent, self.facts, self._evidence(looked) if asked else evidence)

    def _evidence(self, looked: float) -> Evidence:
        salt = (self.intent.key or "").partition(":")[0]
        return Evidence(
            self.shop.wanted,
            self._listings[-1],
            self._claims(),
            time.time(),
            earlier=tuple(self._listings[:-1]),
            looked=looked,
            answers=dict(self._answers),
            same_key=self.shop.hash_key(salt) == self.intent.key if self.intent.key else None,
        )

    def _claims(self) -> Claims:
        """Read after the list: whoever owns one of its videos had said so before the video came to be."""
        listed = [video for listing in self._listings for video in listing.videos]
        listed += [Video(id=video_id) for video_id in self.intent.seen]
        if all(digest_of(video.id) in self.intent.before for video in listed):
            return Claims(frozenset(), (), repeats_prompts=False)
        aliases = {video_id: video.id for video_id, video in self._answers.items() if video}
        return self.ledger.claims(self.intent.at, self.shop.wanted, listed, time.time(), aliases)

    def _claimed(self, decision: Decision) -> Decision:
        """Claim what is adopted, and take it back where another task claims it in the same moment."""
        at, wanted = self.intent.at, self.shop.wanted
        videos = _distinct(decision.video, *(Video(id=one) for one in decision.candidates))
        for video in videos:
            self.ledger.claim(at, wanted, video)
        if not self.ledger.claims(at, wanted, videos, time.time()).videos:
            return decision
        for video in videos:
            self.ledger.unclaim(at, wanted, video)
        reason = f"another task has claimed video {decision.candidates[0]} in the same moment"
        return Decision(Action.FAIL_IN_DOUBT, reason, candidates=decision.candidates)


def _distinct(*videos: Video | None) -> Sequence[Video]:
    return list({video.id: video for video in videos if video}.values())


def hand_on(store: Store, max_tries: int) -> None:
    """
    Remember that Airflow has ended the task with its video: a clear from here on asks for a new one.

    :param store: the task's memory.
    :param max_tries: Airflow's bound of tries.
    """
    record = Record.read(store.get(KEY))
    if record and record.video_id:
        store.set(KEY, replace(record, max_tries=max_tries, handed_on=True).written())


def salvage(store: Store, owner: Owner, max_tries: int, problem: InvalidRequest, log: Log) -> Video:
    """
    Take up what an earlier start has bought though its request can no longer be made.

    :param store: the task's memory.
    :param owner: what names the task instance.
    :param max_tries: Airflow's bound of tries.
    :param problem: why it can't be made; raised where nothing was bought.
    :param log: where the task's log lines go.
    """
    record = Record.read(store.get(KEY))
    if record and record.video_id is None:
        reason = f"the request can't be made any more: {problem}"
        raise in_doubt(record, owner, Decision(Action.FAIL_IN_DOUBT, reason, is_final=True)) from problem
    # What it asks for now is not known, so it counts as what it asked for then.
    if record is None or decide(record, Facts(record.fingerprint or "", max_tries)).action is Action.BUY:
        raise problem
    return taken_up(record, log)


def taken_up(record: Record, log: Log) -> Video:
    """
    Return the video that a record names, as far as the record describes it.

    :param record: a purchase.
    :param log: where it is said.
    """
    log.info("An earlier try of this task has bought video %s; taking it up", record.video_id)
    return Video.model_validate({**(record.video or {}), "id": record.video_id})


def in_doubt(intent: Record, owner: Owner, decision: Decision, facts: Facts | None = None) -> InDoubt:
    """
    Return the error that says what may have been bought, and how it goes on.

    :param intent: what was about to be bought.
    :param owner: what names the task instance.
    :param decision: why nobody knows.
    :param facts: what is true of the task.
    """
    looks_again = facts is not None and facts.tries_left > 0 and not decision.is_final
    return InDoubt(
        f"a video may have been bought at {intent.moment} (request {intent.fingerprint}), and its id is not "
        f"known: {decision.reason}. {_next_look(facts) if facts and looks_again else _handwork(owner)}"
    )


def _next_look(facts: Facts) -> str:
    left = "it is the last one" if facts.tries_left == 1 else f"{facts.tries_left} tries are left"
    if facts.next_try is None:
        return f"Nothing has to be done: the task's next try looks again ({left})"
    at = datetime.fromtimestamp(time.time() + facts.next_try, UTC).isoformat(timespec="seconds")
    return f"Nothing has to be done: the task's next try looks again, from {at} on ({left})"


def _handwork(owner: Owner) -> str:
    place = "/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/state-store/{key}?map_index={map_index}"
    return (
        "Look for it in the server's list of videos. If it is there, go on with it: write "
        f"its id to this task's state store (PUT {place.format(key=KEY, **owner)} with "
        '{"value": {"video_id": "ID"}}) and clear the task. If it is not, DELETE that key and clear the '
        "task, which buys a new one. From Airflow 3.4 on a clear forgets the key, and the next start buys, "
        "unless the clear is told to keep the task's state (keep_task_state)"
    )


def _still_stands(found: Record | None, current: Record | None, new: Record | None) -> bool:
    """Say whether a record is as it was found, or names what is about to be written."""
    if found is None or current is None:
        return found is current
    return found.is_same_purchase(current) and current.video_id in {found.video_id, new and new.video_id}


def _superseded(current: Record | None, mine: Record | None) -> Superseded:
    theirs = f"video {current.video_id}" if current and current.video_id else "another purchase"
    bought = mine.video_id if mine else None
    return Superseded(
        f"a newer try of this task has recorded {theirs} meanwhile, and that counts"
        + (
            f"; video {bought}, which this try has bought, is left over: use it or delete it"
            if bought
            else ""
        ),
        video_id=bought,
    )


def _changed(record: Record, facts: Facts) -> RequestChanged:
    return RequestChanged(
        f"this task has bought video {record.video_id} with request {record.fingerprint}, and now asks for "
        f"something else (request {facts.fingerprint}). Undo the change, clear the task to buy anew, or set "
        'on_changed="resubmit" to buy whenever the request changes',
        video_id=record.video_id,
    )
