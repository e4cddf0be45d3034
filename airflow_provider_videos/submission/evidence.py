"""Reconciliation of a submission whose answer was lost, from the server's list and the ledger."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_videos.submission.prompts import Likeness, compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Any

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.api.operations import Operation

_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX*\u00d7]\s*(\d{1,6})\s*", re.ASCII)
_OLDEST, _LATEST = 946_684_800.0, 4_102_444_800.0  # the years 2000 and 2100


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    The video that a list would show of a submission.

    :param prompt: its prompt.
    :param attributes: by their names in the contract, as far as the request says what they will be.
    """

    prompt: str = field(repr=False)
    attributes: Mapping[str, str]

    @classmethod
    def of(cls, operation: Operation[Any]) -> Wanted:
        """
        Say what a request asks for.

        :param operation: the purchase.
        """
        fields = operation.payload or {}
        names = operation.kind.listed_fields
        return cls(str(fields.get("prompt")), {name: str(fields[name]) for name in names if name in fields})

    def has_prompt_of(self, video: Video) -> bool:
        """Say whether a video's prompt is this one; servers may change the space in and around it."""
        return self.likeness_of(video) is Likeness.SAME

    def likeness_of(self, video: Video) -> Likeness:
        """Say how alike a video's prompt is to this one."""
        return compare(self.prompt, video.prompt)

    def differences(self, video: Video, answer: Video | None = None) -> dict[str, str]:
        """
        Return the attributes of a video that are not as asked for, as the server shows them.

        :param video: as the list shows it.
        :param answer: as it shows itself when asked for by its id, which goes before the list.
        """
        shown = {
            name: next((one for one in (getattr(answer, name, None), getattr(video, name)) if one), None)
            for name in self.attributes
        }
        return {
            name: str(value)
            for name, value in shown.items()
            if value is not None and _value(name, str(value)) != _value(name, self.attributes[name])
        }

    def is_met_by(self, video: Video) -> bool:
        """Say whether everything that is known of a video is as it was asked for."""
        return self.has_prompt_of(video) and not self.differences(video)


def _value(name: str, text: str) -> object:
    """Return what a text stands for: 8, 8.0 and 08 are one length, 1152x768 and 1152X768 one size."""
    if name == "size" and (match := _SIZE.fullmatch(text)):
        return int(match[1]), int(match[2])
    if name == "seconds":
        try:
            return float(text)
        except ValueError:
            return text
    return text.strip()


def time_of(video: Video) -> float | None:
    """Return when a video was created, if what the server shows can be such a time."""
    at = video.created_at
    return float(at) if at is not None and _OLDEST <= at <= _LATEST else None


def digest_of(video_id: str) -> str:
    """Return a short hash of an id, by which a record remembers what was listed before a purchase."""
    return hashlib.sha256(video_id.encode("utf-8", "replace")).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Anchor:
    """
    The newest video that the server listed right before a submission.

    :param video_id: the newest video; None where none was listed, or the list could not be read.
    :param before: the digests of all ids that were listed.
    :param ahead: by how many seconds the server's clock was ahead of the worker's; None if it told no time.
    :param missing: why there is no newest video.
    """

    video_id: str | None = None
    before: Sequence[str] = ()
    ahead: float | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """
    Snapshot of the server's list.

    :param videos: in its order.
    :param ahead: by how many seconds the server's clock is ahead of the worker's; None if it tells no time.
    :param fresh: whether the connection was made for it.
    :param cached: whether a cache has answered.
    :param anchor_known: whether the server knows the newest video from before the purchase when asked for it.
    """

    videos: Sequence[Video]
    ahead: float | None
    fresh: bool = False
    cached: bool = False
    anchor_known: bool = False

    @property
    def is_newest_first(self) -> bool:
        """Whether all videos have a time, and none is newer than the one before it."""
        times = [time for time in map(time_of, self.videos) if time is not None]
        return len(times) == len(self.videos) and times == sorted(times, reverse=True)

    def goes_back_to(self, moment: float) -> bool:
        """
        Say whether everything of a server since a moment is in the list, whatever part of a longer one it is.

        :param moment: in unix seconds by the server's clock.
        """
        oldest = time_of(self.videos[-1]) if self.videos else None
        return oldest is not None and oldest < moment and self.is_newest_first

    def place_of(self, video_id: str | None) -> int | None:
        """Return which one of the list a video is, from 0 on; None where it is not listed."""
        return next((place for place, video in enumerate(self.videos) if video.id == video_id), None)


@dataclass(frozen=True, slots=True)
class Claims:
    """
    Claims of other submissions in the ledger.

    :param videos: the ids of the listed videos that others own.
    :param rivals: when others began to buy a video with the same prompt that is not known to be a listed one.
    :param repeats_prompts: whether the list is known to show prompts as they were sent.
    :param twins: those of the rivals whose answers are known to be lost, too, by when they began; true for
        the later ones, whose turn comes first: they have the fewest videos to choose from.
    :param is_known: whether there is a ledger at all; without one any listed video may be another task's.
    """

    videos: AbstractSet[str]
    rivals: Sequence[float]
    repeats_prompts: bool
    twins: Mapping[float, bool] = field(default_factory=dict)
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    All of it.

    :param wanted: what was asked for.
    :param listing: what the server lists.
    :param claims: what the ledger knows of what was listed, read after it.
    :param now: when, in unix seconds by the worker's clock.
    :param earlier: what earlier looks have seen.
    :param looked: for how many seconds it has been looked for, without a pause between two tries.
    :param answers: the videos that answered when candidates were asked for by their listed ids, or None.
    :param same_key: whether the key is the one that the request was sent with; None where that is not known.
    """

    wanted: Wanted
    listing: Listing
    claims: Claims
    now: float
    earlier: Sequence[Listing] = ()
    looked: float = 0.0
    answers: Mapping[str, Video | None] = field(default_factory=dict)
    same_key: bool | None = None

    @property
    def listings(self) -> Sequence[Listing]:
        """What all looks have seen, in their order."""
        return (*self.earlier, self.listing)
