"""A purchase that outlives the task that makes it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_videos.api.errors import InDoubt, OutcomeUnknown, RequestChanged, VideosError
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.decision import Action, Decision, decide
from airflow_provider_videos.submission.evidence import Evidence, Listing
from airflow_provider_videos.submission.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_videos.submission.decision import Facts
    from airflow_provider_videos.submission.evidence import Wanted
    from airflow_provider_videos.submission.ledger import Ledger

KEY = "videos_submission"
"""The record's key in the task state store."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
# A list may be late, and another task's answer on its way: that a video is not there is believed at the end.
_LOOKS = (0.0, 2.0, 4.0, 8.0, 16.0)


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


@dataclass(frozen=True, slots=True)
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

    def _carry_out(self, decision: Decision, record: Record) -> Video:
        match decision.action:
            case Action.BUY:
                return self._buy()
            case Action.ADOPT if decision.video:
                self.log.info("Found video %s, which an earlier try has bought", decision.video.id)
                return self._own(record, decision.video)
            case Action.TAKE_UP:
                self.log.info(
                    "An earlier try of this task has bought video %s; taking it up", record.video_id
                )
                video = Video.model_validate({**(record.video or {}), "id": record.video_id})
                self._claim(replace(record, at=record.at or time.time()), video)
                return video
            case Action.FAIL_CHANGED:
                raise _changed(record, self.facts)
            case _:
                raise _in_doubt(record, decision.reason)

    def _look_for(self, intent: Record) -> Decision:
        """Ask the server's list for what an intent may have bought, several times over half a minute."""
        decision = Decision(Action.FAIL_IN_DOUBT)
        for pause in _LOOKS:
            time.sleep(pause)
            decision = self._look_once(intent)
            if decision.action is Action.ADOPT:
                return decision
        if decision.action is Action.BUY:
            self.log.info("The request of %s was never accepted: nothing listed is from it", intent.moment)
            self._persist(lambda: self.ledger.drop(intent.at, self.shop.wanted), "that nothing was bought")
        return replace(decision, reason=f"{decision.reason} (looked for {self._description(intent)})")

    def _description(self, intent: Record) -> str:
        asked = "".join(f", {name} {value}" for name, value in self.shop.wanted.attributes.items())
        return f"an unclaimed video with the same prompt{asked}, accepted from {intent.moment} on"

    def _look_once(self, intent: Record) -> Decision:
        wanted, now = self.shop.wanted, time.time()
        try:
            listing = self.shop.listing(intent.at)
        except VideosError as error:
            return Decision(Action.FAIL_IN_DOUBT, f"the server's list is of no use: {error}")
        # Read after the list: whoever owns one of its videos had said so before the video came to be.
        claims = self.ledger.claims(intent.at, wanted, listing.videos, now)
        return decide(intent, self.facts, Evidence(wanted, listing, claims, now))

    def _buy(self) -> Video:
        at, wanted = time.time(), self.shop.wanted
        intent = Record(
            fingerprint=self.facts.fingerprint,
            at=at,
            until=at + self.shop.patience,
            max_tries=self.facts.max_tries,
        )
        self.ledger.open(at, wanted)
        self.store.set(KEY, intent.written())
        try:
            video = self.shop.buy()
        except OutcomeUnknown as error:
            raise _in_doubt(intent, error.message) from error
        except VideosError:
            # Surely not bought, so there is nothing to be in doubt about.
            self._persist(lambda: self.store.delete(KEY), "that nothing was bought")
            self._persist(lambda: self.ledger.drop(at, wanted), "that nothing was bought")
            raise
        self.log.info("Bought video %s (%s)", video.id, video.status)
        return self._own(intent, video)

    def _own(self, intent: Record, video: Video) -> Video:
        known = {name: value for name, value in video.contract().items() if name != "prompt"}
        bought = replace(intent, max_tries=self.facts.max_tries, video_id=video.id, video=known).written()
        self._persist(lambda: self.store.set(KEY, bought), f"video {video.id}")
        self._claim(intent, video)
        return video

    def _claim(self, record: Record, video: Video) -> None:
        wanted = self.shop.wanted
        self._persist(lambda: self.ledger.claim(record.at, wanted, video), f"whose video {video.id} is")
        self._persist(lambda: self.ledger.tidy(time.time()), "what the ledger may forget", _PAUSES[:0])

    def _persist(self, write: Callable[[], None], what: str, pauses: tuple[float, ...] | None = None) -> None:
        """Write to what may be away for a while; what it does not take is no reason to fail."""
        for pause in (*(_PAUSES if pauses is None else pauses), None):
            try:
                return write()
            except Exception as error:  # noqa: BLE001 - a store's errors are its own; a retry finds the intent
                self.log.warning("Could not record %s: %s", what, error)
            if pause is not None:
                time.sleep(pause)
        return None


def _in_doubt(intent: Record, reason: str) -> InDoubt:
    return InDoubt(
        f"a video may have been bought at {intent.moment} (request {intent.fingerprint}), and its id is not "
        f"known: {reason}. Look for it in the server's list of videos. If it is there, go on with it: write "
        f"its id to this task's state store (PUT .../taskInstances/TASK/state-store/{KEY} with "
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
