"""The verdict on a fault: what was seen goes in, the breaches come out. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:\+\d\d:\d\d|Z)")
LONGEST_SUBMIT = 240.0
"""Seconds from an intent to the purchase; a process that is held comes late."""


@dataclass(frozen=True)
class Bought:
    """A purchase on the server's record, and the hash of the file that the server has for it."""

    video_id: str
    at: float
    sha256: str | None = None


@dataclass(frozen=True)
class Line:
    """A line of a task's log."""

    task: str
    text: str
    is_error: bool = True


@dataclass(frozen=True)
class Seen:
    """
    Everything a fault has left behind.

    :param allowed: how many videos may be bought: one for each create, one more for each clear of a create
        that had recorded what it bought.
    :param bought: what the server counted.
    :param files: the hashes of the files at the destination, by video id.
    :param owners: the ids that the create tasks returned.
    :param lines: the logs of all tries.
    :param fingerprint: of the request.
    :param unfinished: task instances that were not terminal when the time was up.
    :param set_aside: whether a person ended or renewed what would have delivered; then no error need name
        what was bought, but the logs must.
    :param struck: whether the fault happened at all.
    :param tries: of all create tasks.
    :param kept: the video that a create had on record before an abandoned try came late.
    :param on_record: the videos that the creates have on record in the end.
    :param lost: how many creates did not hear what they had bought.
    :param settled: how many of those have ended well.
    :param delivers: whether nothing went wrong but the answer to the POST, and what the list shows; then what
        a create returned has to be delivered.
    """

    allowed: int
    bought: tuple[Bought, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    fingerprint: str = ""
    unfinished: tuple[str, ...] = ()
    set_aside: bool = False
    struck: bool = True
    tries: int = 1
    kept: str | None = None
    on_record: tuple[str, ...] = ()
    lost: int = 0
    settled: int = 0
    delivers: bool = False


@dataclass(frozen=True)
class Verdict:
    """
    Verdict on a fault.

    :param delivered: videos that are there, byte for byte.
    :param named: videos that are not delivered, and that a log names.
    :param in_doubt: create tasks that ended saying that a video may have been bought.
    :param breaches: what must not be.
    """

    delivered: int
    named: int
    in_doubt: int
    breaches: tuple[str, ...]


def judge(seen: Seen) -> Verdict:
    """
    Hold what was seen against what was promised.

    :param seen: what the fault has left behind.
    """
    whole = {one.video_id for one in seen.bought if one.sha256 and seen.files.get(one.video_id) == one.sha256}
    lost = _lost(seen, whole)
    doubting = {line.task for line in seen.lines if line.is_error and _doubts(line, seen.fingerprint)}
    breaches = [
        *([] if seen.struck else ["the fault did not strike"]),
        *(f"{name} is stuck" for name in seen.unfinished),
        *_bought_too_often(seen),
        *_owned_twice(seen),
        *_overwritten(seen),
        *(f"the file of {video_id} is not what the server has" for video_id in seen.files.keys() - whole),
        *lost,
        *_undelivered(seen, whole),
    ]
    named = len(seen.bought) - len(whole) - len(lost)
    return Verdict(len(whole), named, len(doubting), tuple(breaches))


def _bought_too_often(seen: Seen) -> list[str]:
    if len(seen.bought) <= seen.allowed:
        return []
    return [f"{len(seen.bought)} videos were bought where {seen.allowed} may be"]


def _owned_twice(seen: Seen) -> list[str]:
    twice = {owner for owner in seen.owners if seen.owners.count(owner) > 1}
    return [f"two tasks own {video_id}" for video_id in sorted(twice)]


def _undelivered(seen: Seen, whole: set[str]) -> list[str]:
    missing = set(seen.owners) - whole if seen.delivers else set()
    return [f"{video_id} is a create's, the server has it, and it is not delivered" for video_id in missing]


def _overwritten(seen: Seen) -> list[str]:
    """Name what a late purchase has put in the place of what a newer try had recorded."""
    if seen.kept is None:
        return []
    others = {*seen.owners, *seen.on_record} - {seen.kept}
    return [f"{video_id} came late and has taken the place of {seen.kept}" for video_id in sorted(others)]


def _lost(seen: Seen, whole: set[str]) -> list[str]:
    """Name the videos that were bought, are not delivered and are named nowhere."""
    lines = [line for line in seen.lines if line.is_error or seen.set_aside]
    unnamed = [
        one
        for one in seen.bought
        if one.video_id not in whole and not any(one.video_id in line.text for line in lines)
    ]
    lost, free = [], {line.task: line for line in lines if _doubts(line, seen.fingerprint)}
    for one in unnamed:
        # One task is in doubt about one video: two videos need two tasks that say so.
        task = next((task for task, line in free.items() if _names(line, one)), None)
        if task is None:
            lost.append(f"{one.video_id} was bought, is not delivered, and no task names it")
        else:
            del free[task]
    return lost


def _doubts(line: Line, fingerprint: str) -> bool:
    return bool(fingerprint) and fingerprint in line.text and bool(MOMENT.search(line.text))


def _names(line: Line, bought: Bought) -> bool:
    intents = (datetime.fromisoformat(text).timestamp() for text in MOMENT.findall(line.text))
    return any(-1.0 <= bought.at - intent <= LONGEST_SUBMIT for intent in intents)
