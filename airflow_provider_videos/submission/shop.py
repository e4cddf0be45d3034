"""Where a task buys, and where it looks for what it may have bought."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_videos.api.errors import NotFound
from airflow_provider_videos.api.requests import LONGEST_PAGE
from airflow_provider_videos.submission.evidence import Listing, Wanted

if TYPE_CHECKING:
    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.api.requests import Operation

_MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class Shop:
    """
    A purchase and where it is made.

    :param client: the server.
    :param operation: the purchase.
    """

    client: VideosClient
    operation: Operation[Video]

    @property
    def wanted(self) -> Wanted:
        """What is bought."""
        return Wanted.of(self.operation)

    @property
    def patience(self) -> float:
        """How many seconds the purchase may take."""
        return self.client.endpoint.timeout.total

    def buy(self) -> Video:
        """Make the purchase."""
        return self.client.perform(self.operation)

    def listing(self, back_to: float) -> Listing:
        """
        List the server's videos.

        :param back_to: the moment, by the worker's clock, before which nothing is of interest.
        """
        listing = Listing([], None)
        pages = self.client.pages(limit=LONGEST_PAGE, order="desc")
        for page in islice(pages, _MOST_PAGES):
            ahead = listing.ahead
            if ahead is None and page.server_time is not None:
                ahead = page.server_time - time.time()
            listing = Listing([*listing.videos, *page.data], ahead)
            if ahead is not None and listing.goes_back_to(back_to + ahead):
                break
        return listing

    def knows(self, video: Video) -> bool:
        """
        Say whether a video of the list can be asked for by its id: lists of some servers have others.

        :param video: one of the list.
        """
        try:
            return self.client.retrieve(video.id).id == video.id
        except NotFound:
            return False
