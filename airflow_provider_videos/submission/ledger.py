"""
What all durable purchases of one Airflow tell each other, so that no video gets two owners.

Each purchase writes an entry before its request goes out, and another one after the answer, which names the
video. Everything is in the keys, as hashes, and no key is written by two tasks: nothing can be overwritten,
and one question reads a day. An entry is
``videos_ledger.SERVER.DAY.PROMPT.PURCHASE[.VIDEO[.repeats]]``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from airflow_provider_videos.submission.evidence import Claims

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.submission.evidence import Wanted

_NAME = "videos_ledger"
_TIDIED = f"{_NAME}.tidied"
_REPEATS = "repeats"
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
        Say what was bought. The others parameters are those of :meth:`open`.

        :param video: as the server described it.
        """
        claim = f"{self._entry(at, wanted)}.{self._hash(video.id)}"
        repeats = f".{_REPEATS}" if wanted.has_prompt_of(video) else ""
        self.registry.set(claim + repeats, json.dumps(self.owner))

    def claims(self, at: float, wanted: Wanted, videos: Iterable[Video], now: float) -> Claims:
        """
        Say what others own, or may own.

        :param at: when the purchase that is looked for was about to be made.
        :param wanted: what it was.
        :param videos: those that the server lists.
        :param now: the present time.
        """
        mine = self._entry(at, wanted)
        entries = [key for key in self._between(at, now) if not key.startswith(mine)]
        parts = [entry.split(".") for entry in entries]
        owned = {part[5] for part in parts if len(part) > 5}
        named = {part[4] for part in parts if len(part) > 5}
        return Claims(
            videos={video.id for video in videos if self._hash(video.id) in owned},
            rivals=[
                int(part[4].split("-")[0]) / 1000
                for part in parts
                if part[3] == self._prompt(wanted) and part[4] not in named
            ],
            repeats_prompts=any(part[-1] == _REPEATS for part in parts),
        )

    def tidy(self, now: float) -> None:
        """
        Remove what is no longer needed; the first purchase of each day does it.

        :param now: the present time.
        """
        today, oldest = _day(now), _day(now - KEPT.total_seconds() - 24 * 3600)
        if list(self.registry.keys(f"{_TIDIED}.{today}")):
            return
        self.registry.set(f"{_TIDIED}.{today}", "")
        for key in self.registry.keys(f"{_NAME}."):
            if key.split(".")[2] < oldest:
                self.registry.delete(key)

    def _between(self, at: float, now: float) -> Iterator[str]:
        day = datetime.fromtimestamp(at, UTC) - timedelta(days=1)
        while _day(day.timestamp()) <= _day(now):
            yield from self.registry.keys(f"{_NAME}.{self._server()}.{_day(day.timestamp())}.")
            day += timedelta(days=1)

    def _entry(self, at: float, wanted: Wanted) -> str:
        purchase = f"{at * 1000:.0f}-{_hash(json.dumps(self.owner, sort_keys=True))}"
        return f"{_NAME}.{self._server()}.{_day(at)}.{self._prompt(wanted)}.{purchase}"

    def _server(self) -> str:
        return _hash(self.server)

    def _prompt(self, wanted: Wanted) -> str:
        return self._hash(" ".join(wanted.prompt.split()))

    def _hash(self, text: str) -> str:
        return _hash(f"{self.server}\n{text}")


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
