"""A purchase that outlives the task that makes it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

from airflow_provider_videos.api.clock import Clock, default_clock
from airflow_provider_videos.api.errors import (
    InDoubt,
    InvalidRequest,
    OutcomeUnknown,
    RequestChanged,
    Superseded,
    VideosError,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.decision import (
    Action,
    Decision,
    Facts,
    decide,
)
from airflow_provider_videos.submission.evidence import Anchor
from airflow_provider_videos.submission.reconciliation import Reconciliation
from airflow_provider_videos.submission.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_videos.submission.ledger import Ledger
    from airflow_provider_videos.submission.server import SubmissionServer

KEY = "videos_submission"
"""The record's key in the task state store."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# How old an intent may be when its request goes out. An older one is written anew, so that no newer try takes
# for never accepted what was not sent yet.
_SEND_SECONDS = 5.0

Owner: TypeAlias = "Mapping[str, str | int]"
"""What names a task instance: its ``dag_id``, ``run_id``, ``task_id`` and ``map_index``."""


class Store(Protocol):
    """Values that survive a retry of a task. Airflow's task state store is one."""

    def get(self, key: str) -> Any:
        """Return the value recorded under a key, or None."""

    def set(self, key: str, value: Any) -> None:
        """Record a value that can be written as JSON."""

    def delete(self, key: str) -> None:
        """Forget what is recorded under a key."""


class Log(Protocol):
    """Receiver of the task's log lines."""

    def info(self, message: str, /, *args: object) -> object:
        """Tell."""

    def warning(self, message: str, /, *args: object) -> object:
        """Warn."""


@dataclass(slots=True)
class Submission:
    """
    A task's one purchase.

    :param store: the task's memory.
    :param ledger: what it tells other tasks.
    :param facts: what is true of the task now.
    :param server: where it buys.
    :param log: where the id is named before anything else can go wrong.
    :param clock: the time it goes by; the process's own by default.
    :param handwork: what a person does about a doubt; by default it is done in the task state store.
    """

    store: Store
    ledger: Ledger
    facts: Facts
    server: SubmissionServer
    log: Log
    clock: Clock = field(default_factory=default_clock)
    handwork: str | None = None

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
                raise self._in_doubt(record, decision)

    def _take_up(self, record: Record) -> Video:
        video = reuse(record, self.log)
        known = replace(
            record,
            at=record.at or self.clock.now(),
            fingerprint=record.fingerprint or self.facts.fingerprint,
            max_tries=self.facts.max_tries if record.max_tries is None else record.max_tries,
        )
        if known != record:  # a person has written it
            self._persist(lambda: self._replace(record, known), "what was taken up")
        self._claim(known, video)
        return video

    def _settle(self, intent: Record) -> Video:
        """Look for what an intent may have bought, and act on what is found."""
        decision = Reconciliation(self.server, self.ledger, self.facts, intent, self.clock).run()
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
        raise self._in_doubt(intent, decision)

    def _buy(self, found: Record | None) -> Video:
        self._announce(found)
        try:
            video = self.server.submit(self._renew_intent)
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
        anchor = self.server.anchor() if is_looked_for else Anchor(missing="nobody looks for it")
        intent = Record(
            fingerprint=self.facts.fingerprint,
            max_tries=self.facts.max_tries,
            anchor=anchor.video_id,
            no_anchor=anchor.missing,
            before=tuple(anchor.before),
            ahead=anchor.ahead,
            key=self.server.hash_key(secrets.token_hex(8)) if is_looked_for else None,
        )
        self._write_intent(found, intent)

    def _renew_intent(self) -> None:
        """Write the intent again where the request goes out later than it says."""
        if self.clock.monotonic() - self._written > _SEND_SECONDS:
            earlier = self._intent
            self._write_intent(earlier, earlier)
            self._forget(earlier)

    def _write_intent(self, found: Record | None, intent: Record) -> None:
        """Record an intent of now, unless a newer try has recorded something since this one has looked."""
        at, wanted = self.clock.now(), self.server.wanted
        new = replace(
            intent, at=at, until=at + self.server.patience, is_over=False, attempt=secrets.token_hex(8)
        )
        self._written = self.clock.monotonic()
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
        until = max(intent.until, self.clock.now())
        ended = replace(intent, until=until, is_over=not error.is_pending)
        self._persist(lambda: self._replace(intent, ended), "when the answer was lost")
        self._persist(lambda: self.ledger.lose(intent.at, self.server.wanted), "that the answer was lost")
        is_final = self.facts.on_unknown == "fail"
        lost = Decision(Action.FAIL_IN_DOUBT, error.message, is_final=is_final)
        raise self._in_doubt(intent, lost) from error

    def _in_doubt(self, intent: Record, decision: Decision) -> InDoubt:
        looks_again = self.facts.tries_left > 0 and not decision.is_final
        next_look = _next_look(self.facts, self.clock.now()) if looks_again else None
        return in_doubt(intent, self.ledger.owner, decision, next_look or self.handwork)

    def _forget(self, intent: Record) -> None:
        self._persist(lambda: self.ledger.drop(intent.at, self.server.wanted), "that nothing was bought")

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
        wanted = self.server.wanted
        self._persist(lambda: self.ledger.claim(record.at, wanted, video), f"whose video {video.id} is")
        self._persist(lambda: self.ledger.tidy(self.clock.now()), "what the ledger may forget", patient=False)

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
                self.clock.sleep(pause)
        return None


def hand_on(store: Store, max_tries: int) -> None:
    """
    Remember that Airflow has ended the task with its video: a clear from here on asks for a new one.

    :param store: the task's memory.
    :param max_tries: Airflow's bound of tries.
    """
    record = Record.read(store.get(KEY))
    if record and record.video_id:
        store.set(KEY, replace(record, max_tries=max_tries, handed_on=True).written())


def salvage(
    store: Store,
    owner: Owner,
    max_tries: int,
    problem: InvalidRequest,
    log: Log,
    *,
    handwork: str | None = None,
) -> Video:
    """
    Take up what an earlier start has bought though its request can no longer be made.

    :param store: the task's memory.
    :param owner: what names the task instance.
    :param max_tries: Airflow's bound of tries.
    :param problem: why it can't be made; raised where nothing was bought.
    :param log: where the task's log lines go.
    :param handwork: what a person does about a doubt; by default it is done in the task state store.
    """
    record = Record.read(store.get(KEY))
    if record and record.video_id is None:
        reason = f"the request can't be made any more: {problem}"
        doubt = Decision(Action.FAIL_IN_DOUBT, reason, is_final=True)
        raise in_doubt(record, owner, doubt, handwork) from problem
    # What it asks for now is not known, so it counts as what it asked for then.
    if record is None or decide(record, Facts(record.fingerprint or "", max_tries)).action is Action.BUY:
        raise problem
    return reuse(record, log)


def reuse(record: Record, log: Log) -> Video:
    """
    Return the video that a record names, as far as the record describes it.

    :param record: a purchase.
    :param log: where it is said.
    """
    log.info("An earlier try of this task has bought video %s; taking it up", record.video_id)
    return Video.model_validate({**(record.video or {}), "id": record.video_id})


def in_doubt(intent: Record, owner: Owner, decision: Decision, next_step: str | None = None) -> InDoubt:
    """
    Return the error that says what may have been bought, and how it goes on.

    :param intent: what was about to be bought.
    :param owner: what names the task instance.
    :param decision: why nobody knows.
    :param next_step: what comes next; by default a person writes to the task state store.
    """
    return InDoubt(
        f"a video may have been bought at {intent.moment} (request {intent.fingerprint}), and its id is not "
        f"known: {decision.reason}. {next_step or _handwork(owner)}"
    )


def _next_look(facts: Facts, now: float) -> str:
    left = "it is the last one" if facts.tries_left == 1 else f"{facts.tries_left} tries are left"
    if facts.next_try is None:
        return f"Nothing has to be done: the task's next try looks again ({left})"
    at = datetime.fromtimestamp(now + facts.next_try, UTC).isoformat(timespec="seconds")
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
