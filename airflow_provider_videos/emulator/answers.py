"""How things look on the wire: every body of a successful answer is drawn here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.emulator.jobs import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_videos.emulator.jobs import Job, Page


@dataclass(frozen=True, slots=True)
class Character:
    """A reusable figure, cut out of an uploaded video."""

    id: str
    name: str
    created_at: int


def video(job: Job, now: float) -> dict[str, Any]:
    """A job, as of now."""
    status = job.status(now)
    completed = status is Status.COMPLETED
    return {
        "id": job.id,
        "object": "video",
        "model": job.model,
        "status": status.value,
        "progress": job.progress(now),
        "created_at": int(job.created),
        "completed_at": int(job.finished) if completed else None,
        "expires_at": int(job.finished) + int(job.fate.lifetime) if completed else None,
        "prompt": job.prompt,
        "size": job.size,
        "seconds": str(job.seconds),
        "remixed_from_video_id": job.remixed_from,
        "error": asdict(job.fate.error) if job.fate.error and status is Status.FAILED else None,
    }


def page(listed: Page, now: float) -> dict[str, Any]:
    """A stretch of the list."""
    data = [video(job, now) for job in listed.jobs]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": listed.has_more,
    }


def deleted(identity: str) -> dict[str, Any]:
    """The receipt for a deletion."""
    return {"id": identity, "deleted": True, "object": "video.deleted"}


def character(figure: Character) -> dict[str, Any]:
    """A character."""
    return asdict(figure)


def models(names: Sequence[str], now: float) -> dict[str, Any]:
    """The models a server names; it takes any other name just as well."""
    data = [{"id": name, "object": "model", "created": int(now), "owned_by": "emulator"} for name in names]
    return {"object": "list", "data": data}
