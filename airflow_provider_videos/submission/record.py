"""
What a task remembers of its purchase.

Before the request goes out the record says that it will (an intent); after the answer, what was bought. An
intent that is found at a start means that a video may have been bought and nobody knows its id.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LATEST = 4_102_444_800.0  # the year 2100
_LONGEST_ID = 4096
_LONGEST_WORD = 500
_LONGEST_NUMBER = 40
_MOST_IDS = 200


@dataclass(frozen=True, slots=True)
class Record:
    """
    A purchase, or the intent of one. It holds no prompt and no key.

    :param fingerprint: of the request and the server it goes to.
    :param at: when it was about to be sent, in unix seconds by the worker's clock.
    :param until: when it was given up at the latest.
    :param is_over: whether its request is surely at an end; a killed worker's may still be on its way.
    :param max_tries: Airflow's bound of tries at that time; only a clear raises it.
    :param video_id: what was bought; None for an intent.
    :param video: what the server said of it, without its prompt.
    :param handed_on: whether Airflow has ended a try of the task with it in success.
    :param attempt: a name of the purchase that no other has.
    :param anchor: the newest video that the server listed right before it.
    :param no_anchor: why there is none.
    :param before: digests of the ids that the server listed right before it.
    :param ahead: by how many seconds the server's clock was ahead of the worker's then.
    :param key: a salted hash of the key it was sent with.
    :param seen: the listed videos that could be it, as an earlier try saw them.
    """

    fingerprint: str | None = None
    at: float = 0.0
    until: float = 0.0
    is_over: bool = False
    max_tries: int | None = None
    video_id: str | None = None
    video: dict[str, Any] | None = None
    handed_on: bool = False
    attempt: str | None = None
    anchor: str | None = None
    no_anchor: str = ""
    before: tuple[str, ...] = ()
    ahead: float | None = None
    key: str | None = None
    seen: tuple[str, ...] = ()

    @classmethod
    def read(cls, value: object) -> Record | None:
        """
        Read what was recorded, by this release, another one or a person.

        What makes no sense is an intent of which nothing is known: somebody meant something by it.

        :param value: what the store returned.
        """
        if value is None:
            return None
        if isinstance(value, str):
            return cls(video_id=_id(value))
        given = value if isinstance(value, dict) else {}
        return cls(
            **{one.name: _READERS[one.name](given[one.name]) for one in fields(cls) if one.name in given}
        )

    def written(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self) | {"before": list(self.before), "seen": list(self.seen)}

    def is_same_purchase(self, other: Record) -> bool:
        """Say whether another record is of the very same purchase."""
        mine, theirs = (self.attempt, self.at, self.fingerprint), (other.attempt, other.at, other.fingerprint)
        return mine == theirs

    @property
    def moment(self) -> str:
        """When it was about to be sent, as people write it."""
        if not self.at:
            return "a time that is not recorded"
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")


def _id(value: object) -> str | None:
    """Read an id: a text, or a number that a person wrote for one."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_LONGEST_NUMBER
    text = str(value) if is_number else value
    return text if _is_text(text, _LONGEST_ID) and text.strip(" .") else None


def _word(value: object) -> str | None:
    return value if _is_text(value, _LONGEST_WORD) else None


def _is_text(value: object, longest: int) -> TypeGuard[str]:
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        return False
    return value.encode("utf-8", "ignore").decode() == value


def _moment(value: object) -> float:
    number = _number(value)
    return number if number is not None and 0 < number < _LATEST else 0.0


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LATEST and math.isfinite(value) else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _LATEST else None


def _fields_of(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _words(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else ()
    return tuple(one for one in given[:_MOST_IDS] if _is_text(one, _LONGEST_ID))


_READERS: Mapping[str, Callable[[object], Any]] = {
    "fingerprint": _word,
    "at": _moment,
    "until": _moment,
    "is_over": lambda value: value is True,
    "max_tries": _count,
    "video_id": _id,
    "video": _fields_of,
    "handed_on": lambda value: value is True,
    "attempt": _word,
    "anchor": lambda value: value if _is_text(value, _LONGEST_ID) else None,
    "no_anchor": lambda value: _word(value) or "",
    "before": _words,
    "ahead": _number,
    "key": _word,
    "seen": _words,
}
