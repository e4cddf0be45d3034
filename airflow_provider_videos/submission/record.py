"""
Record of a task's purchase, which its retries find again.

Before the request goes out the record says that it will (an intent); after the answer, what was bought. An
intent that is found at a start means that a video may have been bought and nobody knows its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_videos.api.persisted import (
    Unknown,
    count,
    decode,
    encode,
    flag,
    json_object,
    list_of,
    number,
    stored,
    text,
    unknown_fields,
)

_LATEST = 4_102_444_800.0  # the year 2100
_LONGEST_ID = 4096
_LONGEST_WORD = 500
_LONGEST_NUMBER = 40
_MOST_IDS = 200


def _stored_id(value: object) -> str | None:
    """Read an id as a server has sent it."""
    return _bounded(text(value), _LONGEST_ID)


def _typed_id(value: object) -> str | None:
    """Read an id that a person may have written: a text, or a number for one."""
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_LONGEST_NUMBER
    found = _stored_id(str(value) if is_number else value)
    return found if found and found.strip(" .") else None


def _word(value: object) -> str | None:
    return _bounded(text(value), _LONGEST_WORD)


def _bounded(found: str | None, longest: int) -> str | None:
    return found if found is not None and len(found) <= longest else None


def _moment(value: object) -> float | None:
    found = number(value)
    return found if found is not None and 0 < found < _LATEST else None


def _difference(value: object) -> float | None:
    found = number(value)
    return found if found is not None and abs(found) < _LATEST else None


def _tries(value: object) -> int | None:
    found = count(value)
    return found if found is not None and found < _LATEST else None


def _ids(value: object) -> tuple[str, ...]:
    given = value[:_MOST_IDS] if isinstance(value, list | tuple) else ()
    return tuple(list_of(_stored_id)(given) or ())


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

    fingerprint: str | None = stored(_word, default=None)
    at: float = stored(_moment, default=0.0)
    until: float = stored(_moment, default=0.0)
    is_over: bool = stored(flag, default=False)
    max_tries: int | None = stored(_tries, default=None)
    video_id: str | None = stored(_typed_id, default=None)
    video: dict[str, Any] | None = stored(json_object, default=None)
    handed_on: bool = stored(flag, default=False)
    attempt: str | None = stored(_word, default=None)
    anchor: str | None = stored(_stored_id, default=None)
    no_anchor: str = stored(_word, default="")
    before: tuple[str, ...] = stored(_ids, default=())
    ahead: float | None = stored(_difference, default=None)
    key: str | None = stored(_word, default=None)
    seen: tuple[str, ...] = stored(_ids, default=())
    unknown: Unknown = unknown_fields()

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
            return cls(video_id=_typed_id(value))
        return decode(cls, value)

    def written(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return encode(self)

    def is_same_purchase(self, other: Record) -> bool:
        """Say whether another record is of the very same purchase."""
        mine, theirs = (self.attempt, self.at, self.fingerprint), (other.attempt, other.at, other.fingerprint)
        return mine == theirs

    @property
    def moment(self) -> str:
        """The time it was about to be sent, as people write it."""
        if not self.at:
            return "a time that is not recorded"
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")
