"""
What a Videos server says, as frozen models that forgive every dialect.

Only ``id`` is required of a video. Everything else may be missing, of another type or accompanied by fields
of the server's own; what can't be understood becomes None rather than an error.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Phase(Enum):
    """What a status word means. Nothing outside this module compares status words."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


_PHASES = {
    **dict.fromkeys(("queued", "pending", "submitted", "not_start", "created", "waiting"), Phase.WAITING),
    **dict.fromkeys(
        ("in_progress", "processing", "generating", "postprocessing", "running", "preprocessing"),
        Phase.RUNNING,
    ),
    **dict.fromkeys(("completed", "succeeded", "success", "complete", "done"), Phase.SUCCEEDED),
    **dict.fromkeys(("failed", "failure", "error"), Phase.FAILED),
    **dict.fromkeys(("cancelled", "canceled", "expired", "deleted"), Phase.STOPPED),
}

_WITHOUT_A_VIDEO = (Phase.FAILED, Phase.STOPPED)
_ENDED = (Phase.SUCCEEDED, *_WITHOUT_A_VIDEO)

_EXACT = range(-(2**53), 2**53)
"""Integers that are the same as floating point numbers."""


def phase_of(word: str | None) -> Phase:
    """
    Return what a status word means.

    :param word: as any server writes it.
    """
    word = word or ""
    return _PHASES.get(word) or _PHASES.get(word.strip().lower(), Phase.UNKNOWN)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: object) -> int | float | None:
    if value is None or (type(value) is int and value in _EXACT):
        return value  # as nearly all are, in each of a thousand answers
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _time(value: object) -> int | float | None:
    seconds = _number(value)
    if seconds is not None or not isinstance(value, str):
        return seconds
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _problem(value: object) -> object:
    if isinstance(value, str):
        return {"message": value} if value else None
    return value if isinstance(value, dict) and value else None


def _with_ids(value: object) -> list[object]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict) and _text(item.get("id"))]


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else None


def _address(value: object) -> str | None:
    return _text(value.get("url") if isinstance(value, dict) else value)


_Text: TypeAlias = Annotated[str | None, BeforeValidator(_text)]
_Number: TypeAlias = Annotated[int | float | None, BeforeValidator(_number)]
_Time: TypeAlias = Annotated[int | float | None, BeforeValidator(_time)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Problem(_Answer):
    """Why a job failed."""

    code: _Text = None
    """The server's code, such as ``moderation_blocked``."""

    message: _Text = None
    """The server's words."""


class Video(_Answer):
    """A video job as the server describes it."""

    id: Annotated[str, BeforeValidator(_text), Field(min_length=1)]
    """The server's id of the job; up to hundreds of characters, any of them."""

    status: _Text = None
    """The server's own status word; :attr:`phase` says what it means."""

    progress: _Number = None
    """Percent, 0 to 100. No evidence of completion: it can stick at 99 or stay at 0."""

    model: _Text = None
    """The model that makes the video."""

    prompt: _Text = None
    """The prompt; many servers leave it out."""

    seconds: _Text = None
    """The length in seconds, as text."""

    size: _Text = None
    """Width x height in pixels, such as ``1280x720``."""

    created_at: _Time = None
    """When the job was accepted, in unix seconds by the server's clock."""

    completed_at: _Time = None
    """When it ended, in unix seconds."""

    expires_at: _Time = None
    """Until when the file can be downloaded, in unix seconds."""

    remixed_from_video_id: _Text = None
    """The video this one was made from."""

    error: Annotated[Problem | None, BeforeValidator(_problem)] = None
    """Why the job failed."""

    @property
    def phase(self) -> Phase:
        """What the status word means, the same for every server."""
        return phase_of(self.status)

    @property
    def has_failed(self) -> bool:
        """Whether the job ended without a video."""
        return self.phase in _WITHOUT_A_VIDEO

    @property
    def has_ended(self) -> bool:
        """Whether the job is over, with or without a video."""
        return self.phase in _ENDED

    @property
    def result_url(self) -> str | None:
        """Where the file is, if the job says so. It may be signed: never to be shown or stored."""
        given = self.model_extra or {}
        lists = (given.get(name) for name in ("urls", "unsigned_urls", "content", "videos"))
        return next(filter(None, map(_address, (given.get("url"), *map(_first, lists)))), None)

    def contract(self) -> dict[str, Any]:
        """Return the contract's fields as a plain dict, for XCom: no unknown field, and so no URL."""
        return self.model_dump(mode="json", include=_CONTRACT)


_CONTRACT: dict[str, Any] = dict.fromkeys(Video.model_fields, True) | {"error": {"code", "message"}}


class Character(_Answer):
    """A figure that several videos can share."""

    id: Annotated[str, BeforeValidator(_text), Field(min_length=1)]
    """The server's id of it."""

    name: _Text = None
    """What it was called when it was made."""

    created_at: _Time = None
    """When that was, in unix seconds by the server's clock."""


class VideoDeleted(_Answer):
    """
    The end of a delete that worked.

    ``deleted`` is False where the video was already gone.
    """

    id: str
    deleted: bool


class VideoPage(_Answer):
    """One page of the list."""

    data: Annotated[list[Video], BeforeValidator(_with_ids)] = []
    """The videos of this page."""

    last_id: _Text = None
    """The id to ask from for the next page."""

    has_more: Annotated[bool | None, BeforeValidator(_flag)] = None
    """Whether there is another page; None where the server does not say."""

    server_time: float | None = None
    """When the server sent the page, in unix seconds by its own clock; None where it does not say."""
