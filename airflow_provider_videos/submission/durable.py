"""A purchase that outlives the task that makes it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from airflow_provider_videos.api.errors import (
    InDoubt,
    InvalidRequest,
    OutcomeUnknown,
    RequestChanged,
    VideosError,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.decision import SHIFT_SECONDS, Action, Decision, Facts, decide
from airflow_provider_videos.submission.evidence import Evidence, Listing
from airflow_provider_videos.submission.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_videos.submission.evidence import Wanted
    from airflow_provider_videos.submission.ledger import Ledger

KEY = "videos_submission"
"""The record's key in the task state store."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# Another task's answer may be on its way, and the list may be late, so that a video is not there is believed
# only some time after the request was given up.
_LOOKS = (0.0, 2.0, 4.0, 8.0)
_LATE_SECONDS = 30.0


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

    def buy(self) -> Video:
        """Make the purchase."""

    def listing(self, back_to: float) -> Listing:
        """List the server's videos back to a moment."""

    def knows(self, video: Video) -> bool:
        """Say whether a listed video can be asked for."""


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

    _record: Record | None = field(default=None, init=False)

    def submit(self) -> Video:
        """
        Buy a video, or take up the one that an earlier start of this task has bought.

        :raises InDoubt: if an earlier start may have bought a video whose id nobody knows.
        :raises RequestChanged: if the recorded video was bought with another request.
        """
        record = Record.read(self.store.get(KEY))
        decision = decide(record, self.facts)
        if record is None:
            return self._buy()
        if decision.action is Action.LOOK:
            decision = self._look_for(record)
        return self._carry_out(decision, record)

    def hand_on(self) -> None:
        """Remember that the task has ended with its video: a clear from here on asks for a new one."""
        if self._record:
            done = replace(
                self._record,
                fingerprint=self.facts.fingerprint,
                max_tries=self.facts.max_tries,
                handed_on=True,
            ).written()
            self._persist(lambda: self.store.set(KEY, done), "that the task has ended")

    def _carry_out(self, decision: Decision, record: Record) -> Video:
        match decision.action:
            case Action.BUY:
                if record.video_id:
                    self.log.info("Buying anew; what was bought before is video %s", record.video_id)
                return self._buy()
            case Action.ADOPT if decision.video:
                self.log.info("Found video %s, which an earlier try has bought", decision.video.id)
                return self._own(record, decision.video)
            case Action.TAKE_UP:
                return self._take_up(record)
            case Action.FAIL_CHANGED:
                raise _changed(record, self.facts)
            case _:
                raise in_doubt(record, self.ledger.owner, decision.reason)

    def _take_up(self, record: Record) -> Video:
        video = taken_up(record, self.log)
        self._record = replace(record, at=record.at or time.time())
        self._claim(self._record, video)
        return video

    def _look_for(self, intent: Record) -> Decision:
        """Ask the server's list for what an intent may have bought, until it can no longer turn up."""
        for pause in _LOOKS:
            time.sleep(pause)
            if (decision := self._look_once(intent)).action is Action.ADOPT:
                return decision
        time.sleep(max(0.0, intent.until - time.time()) + _LATE_SECONDS)
        decision = self._look_once(intent)
        if decision.action is Action.BUY:
            self.log.info("The request of %s was never accepted: nothing listed is from it", intent.moment)
            self._persist(lambda: self.ledger.drop(intent.at, self.shop.wanted), "that nothing was bought")
        return decision

    def _look_once(self, intent: Record) -> Decision:
        decision = self._weigh(intent)
        if decision.action is not Action.FAIL_IN_DOUBT:
            return decision
        asked = "".join(f", {name} {value}" for name, value in self.shop.wanted.attributes.items())
        looked_for = f"an unclaimed video with the same prompt{asked}, accepted from {intent.moment} on"
        return replace(decision, reason=f"{decision.reason} (looked for {looked_for})")

    def _weigh(self, intent: Record) -> Decision:
        wanted = self.shop.wanted
        try:
            listing = self.shop.listing(intent.at - SHIFT_SECONDS)
            # Read after the list: whoever owns one of its videos had said so before the video came to be.
            claims = self.ledger.claims(intent.at, wanted, listing.videos, time.time())
            decision = decide(intent, self.facts, Evidence(wanted, listing, claims, time.time()))
            if decision.video is None or self.shop.knows(decision.video):
                return decision
        except Exception as error:  # noqa: BLE001 - whoever does not answer, server or Airflow: the doubt stays
            return Decision(Action.FAIL_IN_DOUBT, f"looking for it failed: {type(error).__name__}: {error}")
        reason = f"the server's list shows video {decision.video.id}, and the server does not know that id"
        return Decision(Action.FAIL_IN_DOUBT, reason)

    def _buy(self) -> Video:
        intent = self._announce()
        # Who ends the task from here on, by marking it say, gets no error out of it: this line has to do.
        self.log.info("Buying a video at %s (request %s)", intent.moment, intent.fingerprint)
        try:
            video = self.shop.buy()
        except OutcomeUnknown as error:
            ended = replace(intent, until=max(intent.until, time.time()))
            self._persist(lambda: self.store.set(KEY, ended.written()), "when the answer was lost")
            raise in_doubt(intent, self.ledger.owner, error.message) from error
        except VideosError:
            # Surely not bought, so there is nothing to be in doubt about.
            self._persist(lambda: self.store.delete(KEY), "that nothing was bought")
            self._persist(lambda: self.ledger.drop(intent.at, self.shop.wanted), "that nothing was bought")
            raise
        self.log.info("Bought video %s (%s)", video.id, video.status)
        return self._own(intent, video)

    def _announce(self) -> Record:
        """Say in the ledger and in the task's memory that a purchase is about to be made."""
        at, wanted = time.time(), self.shop.wanted
        intent = Record(
            fingerprint=self.facts.fingerprint,
            at=at,
            until=at + self.shop.patience,
            max_tries=self.facts.max_tries,
        )
        self.ledger.open(at, wanted)
        try:
            self.store.set(KEY, intent.written())
        except BaseException:
            self._persist(lambda: self.ledger.drop(at, wanted), "that nothing was bought", patient=False)
            raise
        return intent

    def _own(self, intent: Record, video: Video) -> Video:
        # Neither the prompt nor the server's words, which may repeat it.
        known = {name: value for name, value in video.contract().items() if name not in {"prompt", "error"}}
        self._record = replace(
            intent, max_tries=self.facts.max_tries, video_id=video.id, video=known, handed_on=False
        )
        bought = self._record.written()
        self._persist(lambda: self.store.set(KEY, bought), f"video {video.id}")
        self._claim(intent, video)
        return video

    def _claim(self, record: Record, video: Video) -> None:
        wanted = self.shop.wanted
        self._persist(lambda: self.ledger.claim(record.at, wanted, video), f"whose video {video.id} is")
        self._persist(lambda: self.ledger.tidy(time.time()), "what the ledger may forget", patient=False)

    def _persist(self, write: Callable[[], None], what: str, *, patient: bool = True) -> None:
        """Write to what may be away for a while; what it does not take is no reason to fail."""
        for pause in (*(_PAUSES if patient else ()), None):
            try:
                return write()
            except Exception as error:  # noqa: BLE001 - a store's errors are its own; a retry finds the intent
                self.log.warning("Could not record %s: %s", what, error)
            if pause is not None:
                time.sleep(pause)
        return None


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
        raise in_doubt(record, owner, f"the request can't be made any more: {problem}") from problem
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


def in_doubt(intent: Record, owner: Owner, reason: str) -> InDoubt:
    """
    Return the error that says what may have been bought, and how to go on.

    :param intent: what was about to be bought.
    :param owner: what names the task instance.
    :param reason: why nobody knows.
    """
    place = "/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/state-store/{key}?map_index={map_index}"
    return InDoubt(
        f"a video may have been bought at {intent.moment} (request {intent.fingerprint}), and its id is not "
        f"known: {reason}. Look for it in the server's list of videos. If it is there, go on with it: write "
        f"its id to this task's state store (PUT {place.format(key=KEY, **owner)} with "
        '{"value": {"video_id": "ID"}}) and clear the task. If it is not, DELETE that key and clear the '
        "task, which buys a new one. From Airflow 3.4 on a clear forgets the key, and the next start buys, "
        "unless the clear is told to keep the task's state (keep_task_state)"
    )


def _changed(record: Record, facts: Facts) -> RequestChanged:
    return RequestChanged(
        f"this task has bought video {record.video_id} with request {record.fingerprint}, and now asks for "
        f"something else (request {facts.fingerprint}). Undo the change, clear the task to buy anew, or set "
        'on_changed="resubmit" to buy whenever the request changes',
        video_id=record.video_id,
    )
