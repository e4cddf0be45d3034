"""
What all durable purchases of one Airflow tell each other, so that no video gets two owners.

Each purchase writes an entry before its request goes out, and another one after the answer, which names the
video. Everything is in the keys, as hashes, and no key is written by two tasks: nothing can be overwritten,
and one question reads a day. An entry is ``videos_ledger.SERVER.DAY.PROMPT.TIME-OWNER[.VIDEO]``.
"""

from __future__ import annotations

import hashlib
import json
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
KEPT = timedelta(days=2)
"""How long an entry is kept, and so how old a purchase in doubt may be to be settled by looking."""


class Registry(Protocol):
    """What every task of an Airflow can write to and list. Its Variables are one."""

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

    def drop(self, at: float, wanted: Wanted) -> None:
        """Say that nothing was bought. The parameters are those of :meth:`open`."""
        self.registry.delete(self._entry(at, wanted))

    def claim(self, at: float, wanted: Wanted, video: Video) -> None:
        """
        Say what was bought. The other parameters are those of :meth:`open`.

        :param video: as the server described it.
        """
        self.registry.set(f"{self._entry(at, wanted)}.{self._hash(video.id)}", json.dumps(self.owner))

    def claims(self, at: float, wanted: Wanted, videos: Iterable[Video], now: float) -> Claims:
        """
        Say what others own, or may own.

        :param at: when the purchase that is looked for was about to be made.
        :param wanted: what it was.
        :param videos: those that the server lists.
        :param now: the present time.
        """
        mine = self._entry(at, wanted)
        entries = [_Entry.read(key) for key in self._between(at, now) if not key.startswith(mine)]
        listed = {self._hash(video.id): video for video in videos}
        owned = [(entry, listed[entry.video]) for entry in entries if entry.video in listed]
        # A list may show other ids than a create returned: who claims none of its videos may own any of them.
        settled = {(entry.owner, entry.at) for entry, _ in owned}
        return Claims(
            videos={video.id for _, video in owned},
            rivals=[
                entry.at
                for entry in entries
                if entry.prompt == self._prompt(wanted.prompt)
                and not any(owner == entry.owner and since >= entry.at for owner, since in settled)
            ],
            repeats_prompts=bool(owned)
            and all(entry.prompt == self._prompt(video.prompt or "") for entry, video in owned),
        )

    def tidy(self, now: float) -> None:
        """
        Remove what is no longer needed; the first purchases of each day do it.

        :param now: the present time.
        """
        today, oldest = _day(now), _day(now - KEPT.total_seconds() - 24 * 3600)
        if list(self.registry.keys(f"{_TIDIED}.{today}")):
            return
        old = [key for key in self.registry.keys(f"{_NAME}.") if key.split(".")[2] < oldest]
        for key in old[:_MOST_REMOVED]:
            self.registry.delete(key)
        if len(old) <= _MOST_REMOVED:
            self.registry.set(f"{_TIDIED}.{today}", "")

    def _between(self, at: float, now: float) -> Iterator[str]:
        moment = at - 24 * 3600
        while _day(moment) <= _day(now + _CLOCKS_DIFFER_BY):
            yield from self.registry.keys(f"{_NAME}.{_hash(self.server)}.{_day(moment)}.")
            moment += 24 * 3600

    def _entry(self, at: float, wanted: Wanted) -> str:
        purchase = f"{at * 1000:.0f}-{_hash(json.dumps(self.owner, sort_keys=True))}"
        return f"{_NAME}.{_hash(self.server)}.{_day(at)}.{self._prompt(wanted.prompt)}.{purchase}"

    def _prompt(self, prompt: str) -> str:
        return self._hash(" ".join(prompt.split()))

    def _hash(self, text: str) -> str:
        return _hash(f"{self.server}\n{text}")


class _Entry(NamedTuple):
    """What a key says."""

    prompt: str
    owner: str
    at: float
    video: str

    @classmethod
    def read(cls, key: str) -> _Entry:
        _, _, _, prompt, purchase, *video = key.split(".")
        at, _, owner = purchase.partition("-")
        return cls(prompt, owner, int(at) / 1000, *video or [""])


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
