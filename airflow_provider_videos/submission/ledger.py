"""
Ledger of all durable purchases of one Airflow, so that no video gets two owners.

Each purchase writes an entry before its request goes out, and another one after the answer, which names the
video, or says that the answer was lost. Everything is in the keys, as hashes, and no key is written by two
tasks: nothing can be overwritten, and one question reads a day. An entry is
``videos_ledger.SERVER.DAY.PROMPT.TIME-OWNER[.VIDEO]``; of a lost answer, ``lost`` stands for the video.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from airflow_provider_videos.submission.evidence import Claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.submission.evidence import Wanted

_NAME = "videos_ledger"
_TIDIED = f"{_NAME}.tidied"
_MOST_REMOVED = 500
_CLOCKS_DIFFER_BY = 600.0
_DAY_SECONDS = 24 * 3600.0
_LOST = "lost"
# What a later release appends says nothing to this one; what it has in the video's place names none.
_KEY = re.compile(
    rf"{_NAME}\.[0-9a-f]{{16}}\.\d{{8}}\.([0-9a-f]{{16}})\.(\d{{1,15}})-([0-9a-f]{{16}})(?:\.([^.]+)(?:\..+)?)?",
    re.ASCII,
)
KEPT = timedelta(days=2)
"""Time for which an entry is kept, and so how old a purchase in doubt may be to be settled by looking."""


class Registry(Protocol):
    """Keys that every task of an Airflow can write and list. Its Variables are one."""

    def keys(self, prefix: str) -> Iterable[str]:
        """Return the keys that begin so."""

    def set(self, key: str, value: str) -> None:
        """Write a value."""

    def delete(self, key: str) -> None:
        """Remove a key."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """
    The ledger as one task sees it.

    :param registry: where it is kept.
    :param server: the base URL of the server.
    :param owner: what names the task instance.
    """

    registry: Registry
    server: str
    owner: Mapping[str, str | int]

    def open(self, at: float, wanted: Wanted) -> None:
        """
        Say that a purchase is about to be made.

        :param at: when, in unix seconds; with the owner it names the purchase.
        :param wanted: what is bought.
        """
        self.registry.set(self._entry(at, wanted), json.dumps(self.owner))

    def lose(self, at: float, wanted: Wanted) -> None:
        """Say that the answer was lost. The parameters are those of :meth:`open`."""
        self.registry.set(f"{self._entry(at, wanted)}.{_LOST}", json.dumps(self.owner))

    def drop(self, at: float, wanted: Wanted) -> None:
        """Say that nothing was bought. The parameters are those of :meth:`open`."""
        self.registry.delete(f"{self._entry(at, wanted)}.{_LOST}")
        self.registry.delete(self._entry(at, wanted))

    def claim(self, at: float, wanted: Wanted, video: Video) -> None:
        """
        Say what was bought. The other parameters are those of :meth:`open`.

        :param video: as the server described it.
        """
        self.registry.set(f"{self._entry(at, wanted)}.{self._hash(video.id)}", json.dumps(self.owner))

    def unclaim(self, at: float, wanted: Wanted, video: Video) -> None:
        """Take a claim back. The parameters are those of :meth:`claim`."""
        self.registry.delete(f"{self._entry(at, wanted)}.{self._hash(video.id)}")

    def claims(
        self,
        at: float,
        wanted: Wanted,
        videos: Iterable[Video],
        now: float,
        aliases: Mapping[str, str] | None = None,
    ) -> Claims:
        """
        Say what others own, or may own.

        :param at: when the purchase that is looked for was about to be made.
        :param wanted: what it was.
        :param videos: those that the server lists.
        :param now: the present time.
        :param aliases: other ids of listed videos, by the listed ones.
        """
        mine = self._entry(at, wanted)
        found = (_Entry.read(key) for key in self._between(at, now) if not key.startswith(mine))
        entries = [entry for entry in found if entry]
        listed: defaultdict[str, list[Video]] = defaultdict(list)
        for video in videos:
            for video_id in {video.id, (aliases or {}).get(video.id, video.id)}:
                listed[self._hash(video_id)].append(video)
        owned = [(entry, video) for entry in entries for video in listed.get(entry.video, ())]
        # A list may show other ids than a create returned: who claims none of its videos may own any of them.
        settled = {(entry.owner, entry.at) for entry, _ in owned}
        rivals = [
            entry
            for entry in entries
            if entry.prompt == self._prompt(wanted.prompt)
            and not any(owner == entry.owner and since >= entry.at for owner, since in settled)
        ]
        return Claims(
            videos={video.id for _, video in owned},
            rivals=[entry.at for entry in rivals],
            repeats_prompts=bool(owned)
            and all(entry.prompt == self._prompt(video.prompt or "") for entry, video in owned),
            twins=self._twins(at, rivals),
        )

    def _twins(self, at: float, rivals: list[_Entry]) -> dict[float, bool]:
        """Return which rivals have lost their answers, and whether their turn comes first."""
        says: defaultdict[float, set[str]] = defaultdict(set)
        for rival in rivals:
            says[rival.at].add(rival.video)
        mine = (_milliseconds(at), self._owner())
        return {
            rival.at: (_milliseconds(rival.at), rival.owner) > mine
            for rival in rivals
            if says[rival.at] <= {"", _LOST} and _LOST in says[rival.at]
        }

    def tidy(self, now: float) -> None:
        """
        Remove what is no longer needed; the first purchases of each day do it.

        :param now: the present time.
        """
        today, oldest = _day(now), _day(now - KEPT.total_seconds() - _DAY_SECONDS)
        if list(self.registry.keys(f"{_TIDIED}.{today}")):
            return
        old = [key for key in self.registry.keys(f"{_NAME}.") if (_day_of(key) or oldest) < oldest]
        for key in old[:_MOST_REMOVED]:
            self.registry.delete(key)
        if len(old) <= _MOST_REMOVED:
            self.registry.set(f"{_TIDIED}.{today}", "")

    def _between(self, at: float, now: float) -> Iterator[str]:
        """List the days around a purchase for as long as it can be settled, whatever a clock says."""
        last = min(now + _CLOCKS_DIFFER_BY, at + KEPT.total_seconds() + _DAY_SECONDS)
        for day in sorted({_day(min(at + days * _DAY_SECONDS, last)) for days in range(-1, KEPT.days + 2)}):
            yield from self.registry.keys(f"{_NAME}.{_hash(self.server)}.{day}.")

    def _entry(self, at: float, wanted: Wanted) -> str:
        purchase = f"{_milliseconds(at)}-{self._owner()}"
        return f"{_NAME}.{_hash(self.server)}.{_day(at)}.{self._prompt(wanted.prompt)}.{purchase}"

    def _owner(self) -> str:
        return _hash(json.dumps(self.owner, sort_keys=True))

    def _prompt(self, prompt: str) -> str:
        return self._hash(" ".join(prompt.split()))

    def _hash(self, text: str) -> str:
        return _hash(f"{self.server}\n{text}")


class NoLedger(Ledger):
    """Ledger of an Airflow whose tasks can't list what they share: nothing is written or known."""

    __slots__ = ()

    def __init__(self, owner: Mapping[str, str | int]) -> None:
        super().__init__(_Nowhere(), "", owner)

    def claims(self, *_: object, **__: object) -> Claims:
        """Say that nobody knows who owns what."""
        return Claims(frozenset(), (), repeats_prompts=False, is_known=False)


class _Nowhere:
    """Registry of nothing."""

    def keys(self, prefix: str) -> Iterable[str]:  # noqa: ARG002 - a registry's signature
        return ()

    def set(self, key: str, value: str) -> None:
        pass

    def delete(self, key: str) -> None:
        pass


class _Entry(NamedTuple):
    """Entry of a purchase, as its key says it."""

    prompt: str
    owner: str
    at: float
    video: str

    @classmethod
    def read(cls, key: str) -> _Entry | None:
        """Take a key apart; None for one that no release has written."""
        match = _KEY.fullmatch(key)
        return cls(match[1], match[3], int(match[2]) / 1000, match[4] or "") if match else None


def _milliseconds(moment: float) -> int:
    return round(moment * 1000)


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d")


def _day_of(key: str) -> str | None:
    parts = key.split(".")
    return parts[2] if len(parts) > 2 and re.fullmatch(r"\d{8}", parts[2], re.ASCII) else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
