"""Pages of the list, where they answer more waits than asking for each video would at the same price."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_videos.api.errors import AnswerError, Busy, ServerFault, VideosError
from airflow_provider_videos.api.exchange import Cursor
from airflow_provider_videos.api.models import Phase, Video
from airflow_provider_videos.api.requests import LONGEST_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from airflow_provider_videos.polling.session import Session

# What reading a page costs, in questions for a single video.
PAGE_COST = 4

# Servers change and videos sink or rise: what the list was not good for is tried again.
LOOK_AGAIN_SECONDS = 300.0
_AFTER_TROUBLE_SECONDS = 60.0


class Listing:
    """
    A connection's list, newest first, and what it is good for.

    :param session: what it is read with.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._limit: int | None = LONGEST_PAGE
        self._unlisted: set[str] = set()
        self._missing: set[str] = set()
        self._look_again_at = 0.0
        self._usable_at = 0.0

    def is_cheaper(self, video_ids: Iterable[str]) -> bool:
        """
        Say whether the list is the cheaper way to hear of some videos.

        :param video_ids: the videos.
        """
        if self._loop.time() < self._usable_at:
            return False
        return len(set(video_ids) - self._lately_unlisted()) >= PAGE_COST

    def lacks(self, video_id: str) -> bool:
        """
        Say whether a video was looked for in vain lately.

        :param video_id: the video.
        """
        return video_id in self._lately_unlisted()

    def stop_looking_for(self, video_id: str) -> None:
        """
        Leave a video out of what is being looked for: it is asked for by itself.

        :param video_id: the video.
        """
        self._missing.discard(video_id)

    async def read(
        self, video_ids: Iterable[str], checked: Video | VideosError
    ) -> AsyncIterator[list[Video]]:
        """
        Yield the list's pages, as long as that is cheaper than asking for the rest of ours.

        :param video_ids: our videos.
        :param checked: what the server has just said of one of them.
        """
        missing = self._missing = set(video_ids) - self._lately_unlisted()
        cursor = Cursor(None, self._limit, "desc")
        found = pages = unpaid = 0
        try:
            while len(missing) >= PAGE_COST * (unpaid + 1) and not cursor.done:
                if self._session.breaker.reason:
                    return
                page = cursor.take(await self._session.perform(replace(cursor.operation(), redacts=False)))
                if _is_behind(page, checked):
                    self._disable_for(LOOK_AGAIN_SECONDS)
                    return
                known = [video for video in page if video.phase is not Phase.UNKNOWN]
                here = missing.intersection(video.id for video in known)
                missing -= here
                found, pages, unpaid = found + len(here), pages + 1, unpaid + (len(here) < PAGE_COST)
                yield known
        except VideosError as error:
            self._on_error(error)
            return
        self._add_unlisted(missing if found >= PAGE_COST * pages else set(video_ids))

    def _lately_unlisted(self) -> set[str]:
        return self._unlisted if self._loop.time() < self._look_again_at else set()

    def _add_unlisted(self, video_ids: set[str]) -> None:
        self._unlisted = self._lately_unlisted() | video_ids
        if self._loop.time() >= self._look_again_at:
            self._look_again_at = self._loop.time() + LOOK_AGAIN_SECONDS

    def _on_error(self, error: VideosError) -> None:
        if not isinstance(error, AnswerError) or isinstance(error, Busy | ServerFault):
            self._disable_for(_AFTER_TROUBLE_SECONDS)
        elif self._limit is None:
            self._disable_for(LOOK_AGAIN_SECONDS)
        else:
            self._limit = None  # perhaps it was too large

    def _disable_for(self, seconds: float) -> None:
        self._usable_at = self._loop.time() + seconds


def _is_behind(page: list[Video], checked: Video | VideosError) -> bool:
    if isinstance(checked, VideosError) or not checked.has_ended:
        return False
    return any(video.id == checked.id and not video.has_ended for video in page)
