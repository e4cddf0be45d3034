"""Server of a submission: the POST, and the list that shows what a lost one may have bought."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.clock import Clock, default_clock
from airflow_provider_videos.api.endpoint import Timeouts
from airflow_provider_videos.api.errors import NotFound, VideosError
from airflow_provider_videos.api.requests import LONGEST_PAGE, retrieve, uncached
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.submission.evidence import Anchor, Listing, Wanted, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.api.operations import Operation

_MOST_PAGES = 50
_ANCHOR_TIMEOUTS = Timeouts(connect=5.0, read=10.0, total=15.0)
_KEY_ROUNDS = 20_000


@dataclass(frozen=True, slots=True)
class SubmissionServer:
    """
    A purchase and the server it is made at.

    :param client: the server.
    :param operation: the purchase.
    :param clock: the time by which its own is told; the process's by default.
    """

    client: VideosClient
    operation: Operation[Video]
    clock: Clock = field(default_factory=default_clock)

    @property
    def wanted(self) -> Wanted:
        """The purchase as a list would show it."""
        return Wanted.of(self.operation)

    @property
    def patience(self) -> float:
        """The seconds that the purchase may take."""
        return self.client.endpoint.timeout.total

    def submit(self, before_send: Callable[[], None]) -> Video:
        """
        Make the purchase.

        :param before_send: called each time right before the request goes out.
        """
        return self.client.perform(self.operation, before_send=before_send)

    def anchor(self) -> Anchor:
        """Return what the server lists right now, by one short question; what it can't tell is no error."""
        endpoint = replace(self.client.endpoint, timeout=_ANCHOR_TIMEOUTS)
        once = Backoff(attempts=1, total=_ANCHOR_TIMEOUTS.total)
        try:
            with VideosClient(endpoint, backoff=once, clock=self.clock) as client:
                page = next(client.pages(limit=_page_length(), order="desc", fresh=True))
        except VideosError as error:
            return Anchor(missing=f"the list could not be read: {error}"[:300])
        ahead = None if page.server_time is None else page.server_time - self.clock.now()
        if page.cached or not page.data:
            return Anchor(
                ahead=ahead, missing="a cache has answered" if page.cached else "the list was empty"
            )
        before = tuple(digest_of(video.id) for video in page.data)
        return Anchor(page.data[0].id, before, ahead)

    def listing(self, back_to: float, anchor: str | None = None) -> Listing:
        """
        List the server's videos, each page over a connection of its own; who looks again repeats it.

        :param back_to: the moment, by the worker's clock, before which nothing is of interest.
        :param anchor: a video behind which nothing is of interest, either.
        """
        listing = Listing([], None, fresh=True)
        pages = self.client.pages(limit=_page_length(), order="desc", fresh=True, attempts=1)
        for page in islice(pages, _MOST_PAGES):
            ahead = listing.ahead
            if ahead is None and page.server_time is not None:
                ahead = page.server_time - self.clock.now()
            videos, cached = [*listing.videos, *page.data], listing.cached or page.cached
            listing = replace(listing, videos=videos, ahead=ahead, cached=cached)
            if listing.place_of(anchor) is not None or (
                ahead is not None and listing.goes_back_to(back_to + ahead)
            ):
                break
        return listing

    def find(self, video_id: str) -> Video | None:
        """
        Ask for a listed video; lists of some servers have other ids than the videos that answer.

        :param video_id: its id in the list.
        """
        try:
            return self.client.perform(uncached(retrieve(video_id)), attempts=1)
        except NotFound:
            return None

    def hash_key(self, salt: str) -> str:
        """
        Return a hash by which a key can be recognised, and nothing else.

        :param salt: what makes it another one each time.
        """
        secrets = json.dumps(sorted(self.client.endpoint.secrets())).encode()
        digest = hashlib.pbkdf2_hmac("sha256", secrets, salt.encode(), _KEY_ROUNDS)
        return f"{salt}:{digest.hex()[:16]}"


def _page_length() -> int:
    # Another length each time is another address, which no cache along the way has kept.
    return random.randint(LONGEST_PAGE // 2, LONGEST_PAGE)  # noqa: S311 - no secret
