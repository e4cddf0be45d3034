"""What there is to find of a purchase whose answer was lost: the server's list, and what the ledger knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Any

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.api.requests import Operation


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What a list would show of a purchase.

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
        # An extension's own seconds are the total, which the request does not know.
        names = ("model", "size") if operation.name == "extend" else ("model", "size", "seconds")
        return cls(str(fields.get("prompt")), {name: str(fields[name]) for name in names if name in fields})

    def has_prompt_of(self, video: Video) -> bool:
        """Say whether a video's prompt is this one; servers may change the space in and around it."""
        return (video.prompt or "").split() == self.prompt.split()

    def is_met_by(self, video: Video) -> bool:
        """Say whether everything that is known of a video is as it was asked for."""
        return self.has_prompt_of(video) and all(
            getattr(video, name) in {None, value} for name, value in self.attributes.items()
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """
    What the server lists.

    :param videos: in its order.
    :param ahead: by how many seconds the server's clock is ahead of the worker's; None if it tells no time.
    """

    videos: Sequence[Video]
    ahead: float | None

    def goes_back_to(self, moment: float) -> bool:
        """
        Say whether everything of a server since a moment is in the list, whatever part of a longer one it is.

        :param moment: in unix seconds by the server's clock.
        """
        times = [video.created_at for video in self.videos if video.created_at is not None]
        newest_first = len(times) == len(self.videos) and times == sorted(times, reverse=True)
        return newest_first and bool(times) and times[-1] < moment


@dataclass(frozen=True, slots=True)
class Claims:
    """
    What the ledger knows.

    :param videos: the ids of the listed videos that others own.
    :param rivals: when others began to buy a video with the same prompt that is not known to be a listed one.
    :param repeats_prompts: whether the list is known to show prompts as they were sent.
    """

    videos: AbstractSet[str]
    rivals: Sequence[float]
    repeats_prompts: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    All of it.

    :param wanted: what was asked for.
    :param listing: what the server lists.
    :param claims: what the ledger knows of that list, read after it.
    :param now: when, in unix seconds by the worker's clock.
    """

    wanted: Wanted
    listing: Listing
    claims: Claims
    now: float
