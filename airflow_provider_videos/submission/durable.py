"""A purchase that outlives the task that makes it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_videos.api.errors import InDoubt, OutcomeUnknown, RequestChanged, VideosError
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.record import Action, Facts, Record, decide

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "videos_submission"
"""The record's key in the task state store."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


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


def submit(store: Store, facts: Facts, buy: Callable[[], Video], log: Log) -> Video:
    """
    Buy a video, or take up the one that an earlier start of this task has bought.

    :param store: the task's memory.
    :param facts: what is true of the task now.
    :param buy: makes the purchase.
    :param log: where the id is named before anything else can go wrong.
    :raises InDoubt: if an earlier start may have bought a video whose id nobody knows.
    :raises RequestChanged: if the recorded video was bought with another request.
    """
    record = Record.read(store.get(KEY))
    action = decide(record, facts)
    if record is None or action is Action.BUY:
        return _buy(store, facts, buy, log)
    if action is Action.TAKE_UP:
        log.info("An earlier try of this task has bought video %s; taking it up", record.video_id)
        return Video.model_validate({**(record.video or {}), "id": record.video_id})
    if action is Action.FAIL_IN_DOUBT:
        raise _in_doubt(record, "an earlier try was cut off between the request and the answer")
    raise _changed(record, facts)


def _buy(store: Store, facts: Facts, buy: Callable[[], Video], log: Log) -> Video:
    intent = Record(fingerprint=facts.fingerprint, at=time.time(), max_tries=facts.max_tries)
    store.set(KEY, intent.written())
    # Who ends the task from here on, by marking it say, gets no error out of it: this line has to do.
    log.info("Buying a video at %s (request %s)", intent.moment, intent.fingerprint)
    try:
        video = buy()
    except OutcomeUnknown as error:
        raise _in_doubt(intent, error.message) from error
    except VideosError:
        # Surely not bought, so there is nothing to be in doubt about.
        _persist(lambda: store.delete(KEY), "that nothing was bought", log)
        raise
    log.info("Bought video %s (%s)", video.id, video.status)
    known = {name: value for name, value in video.contract().items() if name != "prompt"}
    bought = replace(intent, video_id=video.id, video=known).written()
    _persist(lambda: store.set(KEY, bought), f"video {video.id}", log)
    return video


def _persist(write: Callable[[], None], what: str, log: Log) -> None:
    """Write to the store, which may be away for a while; what it does not take is no reason to fail."""
    for pause in (*_PAUSES, None):
        try:
            return write()
        except Exception as error:  # noqa: BLE001 - a store's errors are its own; a retry would find the intent
            log.warning("Could not record %s: %s", what, error)
        if pause is not None:
            time.sleep(pause)
    return None


def _in_doubt(intent: Record, reason: str) -> InDoubt:
    return InDoubt(
        f"a video may have been bought at {intent.moment} (request {intent.fingerprint}), and its id is not "
        f"known: {reason}. Look for it in the server's list of videos. If it is there, go on with it: write "
        f"its id to this task's state store (PUT .../taskInstances/TASK/state-store/{KEY} with "
        '{"value": {"video_id": "ID"}}) and clear the task. If it is not, DELETE that key and clear the '
        "task, which buys a new one"
    )


def _changed(record: Record, facts: Facts) -> RequestChanged:
    return RequestChanged(
        f"this task has bought video {record.video_id} with request {record.fingerprint}, and now asks for "
        f"something else (request {facts.fingerprint}). Undo the change, clear the task to buy anew, or set "
        'on_changed="resubmit" to buy whenever the request changes',
        video_id=record.video_id,
    )
