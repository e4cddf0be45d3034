"""Bodies on the wire: every successful answer is drawn here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.emulator.jobs import Status
from airflow_provider_videos.emulator.profiles import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from airflow_provider_videos.emulator.jobs import Job, Page
    from airflow_provider_videos.emulator.profiles import Profile


@dataclass(frozen=True, slots=True)
class Character:
    """A reusable figure, cut out of an uploaded video."""

    id: str
    name: str
    created_at: int


def video(
    job: Job, now: float, profile: Profile, also_shows: AbstractSet[str] = frozenset()
) -> dict[str, Any]:
    """A job, as of now."""
    status = job.status(now)
    completed = status is Status.COMPLETED
    length, in_words = profile.seconds
    whole = {
        "id": job.id,
        "object": "video",
        "model": job.model,
        "status": profile.words.get(status.value, status.value),
        "progress": profile.progress(job.progress(now)),
        "created_at": int(job.created),
        "completed_at": int(job.finished) if completed else None,
        "expires_at": int(job.finished) + int(job.plan.lifetime) if completed else None,
        "prompt": job.prompt,
        "size": job.size,
        length: in_words(job.seconds),
        "remixed_from_video_id": job.remixed_from,
        "error": profile.error(job.plan.error) if job.plan.error and status is Status.FAILED else None,
        **profile.fixed,
    }
    dropped = profile.dropped - also_shows
    return {name: value for name, value in whole.items() if name not in dropped}


def wrapped(drawn: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """A video with its id as the client of a gateway sees it."""
    return {**drawn, "id": wrap(drawn["id"], drawn["model"])} if profile.wraps_ids else drawn


def _listed(job: Job, now: float, profile: Profile) -> dict[str, Any]:
    """A video as the list shows it."""
    shown = video(job, now, profile, profile.list.also_shows)
    identity = wrap(job.id, job.model, listed=True) if profile.wraps_ids else job.id
    return {**shown, "id": identity, "model": profile.list.model(job.model)}


def with_result(drawn: dict[str, Any], profile: Profile, url: str) -> dict[str, Any]:
    """A video that names its file."""
    places = {
        "url": url,
        "urls": [url],
        "unsigned_urls": [url],
        "content": [{"type": "video", "url": url, "mime_type": "video/mp4"}],
        "videos": [{"url": url}],
    }
    return {**drawn, profile.result_in: places[profile.result_in]} if profile.result_in else drawn


def page(listed: Page, now: float, profile: Profile) -> dict[str, Any]:
    """A stretch of the list."""
    data = [_listed(job, now, profile) for job in listed.jobs]
    if not profile.list.pages:
        return {"object": "list", "data": data}
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": listed.has_more,
    }


def character(figure: Character) -> dict[str, Any]:
    """A character."""
    return asdict(figure)


def models(names: Sequence[str], now: float) -> dict[str, Any]:
    """The models a server names; it takes any other name just as well."""
    data = [{"id": name, "object": "model", "created": int(now), "owned_by": "emulator"} for name in names]
    return {"object": "list", "data": data}
