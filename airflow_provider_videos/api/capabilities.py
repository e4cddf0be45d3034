"""
Probe of what a server offers; nothing is bought: no POST is sent, and nothing that exists is touched.

Most of it is read from how a server says no. A video that nobody has and a path that nobody has get different
answers on most servers, and so tell an operation that is there from one that is not.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.containers import ENOUGH_TO_TELL, IMAGES, sniff
from airflow_provider_videos.api.errors import (
    NotFound,
    NotSupported,
    TransportError,
    Unauthorized,
    Unreadable,
    VideosError,
)
from airflow_provider_videos.api.models import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.models import VideoPage
    from airflow_provider_videos.api.operations import Operation

__all__ = ["Finding", "Offer", "examine", "is_well"]

_CANNOT = {405, 501}
_GONE = {404, 410}

_ERROR_HINTS: tuple[tuple[type[VideosError], str], ...] = (
    (Unauthorized, "check the connection's key, key_header and auth_scheme"),
    (NotFound, "check that the connection's base URL ends in /v1"),
    (TransportError, "check that the base URL is right and the server is up"),
    (Unreadable, "check that the base URL is a Videos server's, not a login page's"),
    (VideosError, "look into the server's log, and ask again later"),
)
_DELETE_HINT = "delete a video that is no longer needed, and see"
_REMIX_HINT = "look it up in the server's documentation: a remix that is tried is bought"
_VARIANTS_HINT = "make a video and ask again, or download a thumbnail of one and see"
_RANGES_HINT = "make a video and ask again; a download works either way"


class Offer(Enum):
    """Verdict on whether a server has something."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Result of one probe.

    :param name: what it is called: ``models``, ``list``, ``delete``, ``remix``, ``variants`` or ``ranges``.
    :param offer: whether the server has it.
    :param words: why this is thought, for a person.
    :param error: what kept it from being found out.
    :param advice: what a person can do where nothing kept it, and it is not known all the same.
    :param shows_server: whether the server is a Videos server if it has this.
    """

    name: str
    offer: Offer
    words: str = ""
    error: VideosError | None = None
    advice: str = ""
    shows_server: bool = False

    @property
    def hint(self) -> str:
        """What a person can do about an ``unknown``."""
        if self.offer is not Offer.UNKNOWN:
            return ""
        if self.error is None:
            return self.advice
        return next(hint for kind, hint in _ERROR_HINTS if isinstance(self.error, kind))


def is_well(findings: Sequence[Finding]) -> bool:
    """
    Tell a server that can be used from one that refuses or is not there.

    :param findings: all that was found out of it.
    """
    errors = [finding.error for finding in findings if finding.error]
    refused = any(isinstance(error, Unauthorized | TransportError) for error in errors)
    return not refused and any(finding.shows_server and finding.offer is Offer.YES for finding in findings)


def examine(client: VideosClient) -> Iterator[Finding]:
    """
    Find out what a server offers.

    :param client: a client of the server; better one that is not patient.
    """
    yield replace(_guarded("models", "", lambda: _models(client)), shows_server=True)
    page: VideoPage | None = None
    try:
        page = client.perform(requests.list_page(after=None, limit=20, order=None))
        yield Finding("list", Offer.YES, shows_server=True)
    except NotSupported as error:
        yield Finding("list", Offer.NO, error.message)
    except VideosError as error:
        yield Finding("list", Offer.UNKNOWN, error.message, error)
    yield _guarded("delete", _DELETE_HINT, lambda: _delete(client))
    yield _guarded("remix", _REMIX_HINT, lambda: _remix(client))
    done = next((video.id for video in page.data if video.phase is Phase.SUCCEEDED), None) if page else None
    for name, advice, look in (
        ("variants", _VARIANTS_HINT, _variants),
        ("ranges", _RANGES_HINT, _ranges),
    ):
        if done is None:
            shown = "its list shows no completed video to try it on"
            why = shown if page else "there is no list with a video to try it on"
            yield Finding(name, Offer.UNKNOWN, why, advice=advice)
        else:
            yield _guarded(name, advice, lambda look=look: look(client, done))  # type: ignore[misc] # bound early


def _guarded(name: str, advice: str, look: Callable[[], tuple[Offer, str]]) -> Finding:
    try:
        offer, words = look()
    except NotSupported as error:
        offer, words = Offer.NO, error.message
    except VideosError as error:
        return Finding(name, Offer.UNKNOWN, error.message, error)
    return Finding(name, offer, words, advice=advice)


def _models(client: VideosClient) -> tuple[Offer, str]:
    names = client.list_models()
    return Offer.YES, ", ".join(names) or "it does not name them"


def _delete(client: VideosClient) -> tuple[Offer, str]:
    nobody = f"nobody-{secrets.token_hex(12)}"
    answer = client.perform(requests.probe("DELETE", f"/videos/{nobody}"))
    if answer.is_success:
        return Offer.YES, "it says so even of a video that does not exist"
    if answer.status_code in _CANNOT:
        return Offer.NO, f"it answers {answer.status_code}"
    no_video = client.perform(requests.probe("GET", f"/videos/{nobody}"))
    no_place = client.perform(requests.probe("DELETE", f"/{nobody}"))
    said, of_video, of_place = (_said(reply, nobody) for reply in (answer, no_video, no_place))
    if said == of_video != of_place:
        return Offer.YES, ""
    if said == of_place != of_video and answer.status_code in _GONE:
        return Offer.NO, f"it answers {answer.status_code}, as to any path it does not have"
    return Offer.UNKNOWN, f"it answers {answer.status_code}, which tells nothing"


def _said(reply: httpx.Response, nobody: str) -> tuple[int, str]:
    """Return an answer without what only repeats the question."""
    words = reply.text.replace(reply.request.url.path, "").replace(nobody, "")
    return reply.status_code, words.replace(reply.request.method, "")


def _remix(client: VideosClient) -> tuple[Offer, str]:
    # To ask which methods a path takes is what OPTIONS is for; a POST could buy.
    path = f"/videos/nobody-{secrets.token_hex(12)}/remix"
    answer = client.perform(requests.probe("OPTIONS", path))
    if "POST" in answer.headers.get("allow", ""):
        return Offer.YES, ""
    known = client.perform(requests.probe("OPTIONS", "/videos"))
    if answer.status_code in _GONE and known.status_code not in _GONE:
        return Offer.NO, f"it has no such path: {answer.status_code}"
    return Offer.UNKNOWN, "it does not say which methods a path takes"


def _variants(client: VideosClient, video_id: str) -> tuple[Offer, str]:
    try:
        _, head = _opened(client, requests.download_content(video_id, variant="thumbnail"))
    except NotFound as error:
        # Only if the video itself is there does the no mean the thumbnail.
        _opened(client, requests.download_content(video_id))
        return Offer.NO, f"asked for a thumbnail it answers {error.status_code}"
    kind = sniff(head)
    if kind in IMAGES:
        return Offer.YES, ""
    return Offer.NO, f"asked for a thumbnail it sends {kind.name if kind else 'something else'}"


def _ranges(client: VideosClient, video_id: str) -> tuple[Offer, str]:
    whole = requests.download_content(video_id)
    status, _ = _opened(client, replace(whole, headers={"range": "bytes=0-0"}))
    if status == 206:
        return Offer.YES, ""
    return Offer.NO, "a download that breaks off starts over"


def _opened(client: VideosClient, operation: Operation[httpx.Response]) -> tuple[int, bytes]:
    """Return a file's status and its first bytes; the rest is left where it is."""
    with closing(client.perform(operation)) as response:
        return response.status_code, next(response.iter_bytes(ENOUGH_TO_TELL), b"")
