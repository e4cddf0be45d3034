"""
What a task remembers of its purchase, and what follows from it at the next start. Pure.

Before the request goes out the record says that it will (an intent); after the answer, what was bought. An
intent that is found at a start means that a video may have been bought and nobody knows its id.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

OnUnknown = Literal["fail", "resubmit"]
OnChanged = Literal["fail", "resubmit"]


@dataclass(frozen=True, slots=True)
class Record:
    """
    A purchase, or the intent of one. It holds no prompt and no key.

    :param fingerprint: of the request and the server it goes to.
    :param at: when it was about to be sent, in unix seconds.
    :param max_tries: Airflow's bound of tries at that time; only a clear raises it.
    :param video_id: what was bought; None for an intent.
    :param video: what the server said of it, without its prompt.
    """

    fingerprint: str | None = None
    at: float = 0.0
    max_tries: int | None = None
    video_id: str | None = None
    video: dict[str, Any] | None = None

    @classmethod
    def read(cls, value: object) -> Record | None:
        """
        Read what was recorded, by this release, another one or a person.

        :param value: what the store returned.
        """
        if not isinstance(value, dict):
            return None
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        return cls(**known) if known else None

    def written(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    @property
    def moment(self) -> str:
        """When it was about to be sent, as people write it."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")


class Action(Enum):
    """What a start of the task does."""

    BUY = "buy"
    TAKE_UP = "take up what was bought"
    FAIL_IN_DOUBT = "fail: a video may have been bought"
    FAIL_CHANGED = "fail: the request is not the one that was bought"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is true of the task now.

    :param fingerprint: of the request it would send.
    :param max_tries: Airflow's bound of tries.
    :param on_unknown: what to do about an intent without an id.
    :param on_changed: what to do when the request changed between tries.
    """

    fingerprint: str
    max_tries: int
    on_unknown: OnUnknown = "fail"
    on_changed: OnChanged = "fail"


def decide(record: Record | None, facts: Facts) -> Action:
    """
    Say what a start of the task does.

    :param record: what an earlier start has left.
    :param facts: what is true now.
    """
    if record is None:
        return Action.BUY
    if record.video_id is None:
        return Action.FAIL_IN_DOUBT if facts.on_unknown == "fail" else Action.BUY
    if record.max_tries not in {None, facts.max_tries}:
        return Action.BUY  # the task was cleared after it had bought, which asks for a new video
    if record.fingerprint not in {None, facts.fingerprint}:
        return Action.FAIL_CHANGED if facts.on_changed == "fail" else Action.BUY
    return Action.TAKE_UP
