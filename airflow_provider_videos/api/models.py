"""
Frozen models of what a Videos server says, which forgive every dialect.

Only ``id`` is required of a video. Everything else may be missing, of another type or accompanied by fields
of the server's own; what can't be understood becomes None rather than an error.
"""

from __future__ import annotations

import base64
import math
import re
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from airflow_provider_videos.api.redaction import Redactor, without_addresses
from airflow_provider_videos.api.retry import http_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Character",
    "Phase",
    "Problem",
    "Video",
    "VideoDeleted",
    "VideoPage",
    "is_same_id",
    "is_same_value",
    "phase_of",
]


class Phase(Enum):
    """Meaning of a status word. Nothing outside this module compares status words."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


# The contract's words, those of the engines, and those that gateways pass through from what is behind them.
_WORDS = {
    Phase.WAITING: "queued queue in_queue queueing queuing enqueued pending submitted not_start not_started "
    "created waiting throttled preparing starting scheduled accepted received initializing",
    Phase.RUNNING: "in_progress progress processing preprocessing postprocessing generating running dreaming "
    "rendering working started executing uploading",
    Phase.SUCCEEDED: "completed complete succeeded succeed success successful done finished",
    Phase.FAILED: "failed fail failure error errored rejected timeout timed_out",
    Phase.STOPPED: "cancelled canceled cancel aborted stopped terminated expired deleted",
}
_PHASES = {word: phase for phase, words in _WORDS.items() for word in words.split()}
_PHASES_OF_LETTERS = {word.replace("_", ""): phase for word, phase in _PHASES.items()}

_NO_LETTERS = re.compile(r"[^a-z]+")
_STATUS_PREFIX = re.compile(r"^(?:task|job|video|generation)?(?:status|state)(?=.)")
_LONGEST_STATUS = 100

FAILED = "failed"
"""The contract's own word for a job that has failed, which no envelope of an error uses."""

_WITHOUT_A_VIDEO = (Phase.FAILED, Phase.STOPPED)
_ENDED = (Phase.SUCCEEDED, *_WITHOUT_A_VIDEO)

_EXACT = range(-(2**53), 2**53)
"""Integers that are the same as floating point numbers."""


_THIS_AGE = range(946_684_800, 4_102_444_800)
"""Unix seconds that a job's time can be: from the year 2000 to the year 2100."""

_END_OF_TIME = 253_402_300_799
"""The last second of the year 9999, which says "never" of an expiry."""

_PARTS_OF_A_SECOND = (1, 1_000, 1_000_000, 1_000_000_000)

_SIZE = re.compile(r"(\d{1,6}) ?[x*:\u00d7] ?(\d{1,6})")
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(?:s|secs?|seconds?)")

_WRAPPED_ID = re.compile(r"[A-Za-z]{1,20}_([A-Za-z0-9+/]{16,}={0,2})")
_OWN_ID = "video_id:"


def phase_of(word: object) -> Phase:
    """
    Return what a status word means, whatever its case and however its parts are joined.

    :param word: as any server writes it.
    """
    if not isinstance(word, str):
        return Phase.UNKNOWN
    return _PHASES.get(word) or _PHASES.get(word.lower()) or _phase_of_letters(word)


def _phase_of_letters(word: str) -> Phase:
    letters = _NO_LETTERS.sub("", word[:_LONGEST_STATUS].lower())
    return _PHASES_OF_LETTERS.get(_STATUS_PREFIX.sub("", letters), Phase.UNKNOWN)


def is_same_value(one: object, other: object) -> bool:
    """
    Say whether two lengths or two sizes are the same, however they are written: 8, "8" and "8.0 s".

    :param one: such as what was asked for.
    :param other: such as what a list shows.
    """
    return _comparable(one) == _comparable(other)


def _comparable(value: object) -> object:
    number = _number(value)
    if number is not None or value is None:
        return number
    text = " ".join(str(value).split()).casefold()
    if size := _SIZE.fullmatch(text):
        return int(size[1]), int(size[2])
    length = _LENGTH.fullmatch(text)
    return _number(length[1]) if length else text


def is_same_id(one: str, other: str) -> bool:
    """
    Say whether two ids are of one video: a gateway's own ids hold the server's, and it has several for it.

    :param one: such as the id that was asked for.
    :param other: such as the id in the answer.
    """
    return one == other or _own_id(one) == _own_id(other)


def _own_id(video_id: str) -> str:
    """Unpack the server's own id from one that a gateway has made of it: base64 behind a prefix."""
    wrapped = _WRAPPED_ID.fullmatch(video_id)
    if not wrapped:
        return video_id
    try:
        inner = base64.b64decode(wrapped[1] + "=" * (-len(wrapped[1]) % 4)).decode()
    except ValueError:
        return video_id
    # Others of a gateway's facts may follow: a list's id lacks the deployment that a create's has.
    return inner.partition(_OWN_ID)[2].partition(";")[0].strip() or video_id


def known_status(word: str | None) -> str | None:
    """
    Return a status word if it is one that many servers use, else its phase: nothing of a server's own making.

    :param word: as any server writes it.
    """
    if word is None:
        return None
    plain = word.strip().lower()
    return plain if plain in _PHASES else phase_of(word).value


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: object) -> int | float | None:
    if value is None or (type(value) is int and value in _EXACT):
        return value  # as nearly all are, in each of a thousand answers
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def _percent(value: object) -> int | float | None:
    return _number(value.strip().removesuffix("%") if isinstance(value, str) else value)


def _time(value: object) -> int | float | None:
    seconds = _expiry(value)
    return seconds if seconds is not None and seconds < _THIS_AGE.stop else None


def _expiry(value: object) -> int | float | None:
    """Return a moment since the year 2000, in whichever unit or form it is written; far away is "never"."""
    if value is None or (type(value) is int and value in _THIS_AGE):
        return value
    number = _number(value)
    if isinstance(value, str) and (number is None or number < _THIS_AGE.start):
        number = _date(value)
    units = (part for part in _PARTS_OF_A_SECOND if number is not None and number <= _END_OF_TIME * part)
    seconds = number and _number(number / next(units, math.inf))
    return seconds if seconds and seconds >= _THIS_AGE.start else None


def _date(text: str) -> float | None:
    # As servers in Go and in Python print it, too: "2026-09-21 14:13:20 +0000 UTC".
    plain = re.sub(r" (?=[+-]\d\d:?\d\d$)", "", text.strip().removesuffix(" UTC"))
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        return http_date(text)
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


# The fields in which servers say where a file is, in the order in which they are believed: the protocol's
# own, then those of the services behind gateways. No other field is looked into: it may name an input.
_RESULT_FIELDS = (
    *("url", "urls", "unsignedurls", "content", "videos"),
    *("resulturl", "resulturls", "outputurl", "downloadurl", "videourl", "videourls", "fileurl", "uri"),
    *("output", "outputs", "result", "results", "taskresult", "creations", "generations"),
    *("generatedvideos", "generatedsamples", "generatevideoresponse", "assets", "video", "file", "files"),
    *("data", "response", "metadata"),
)
_DEEPEST_RESULT = 9
_MOST_RESULTS = 100

_ADDRESS = re.compile(r"https?://[^\s/?#\\]+\S*", re.IGNORECASE)
_PATH = re.compile(r"/[^\s/\\]\S*")  # on the server itself
_OTHER_FILE = re.compile(
    r"[^?#]*\.(?:png|jpe?g|webp|gif|bmp|avif|heic|svg|mp3|wav|m4a|aac|flac|vtt|srt|json|txt)(?:[?#]|$)",
    re.IGNORECASE,
)
_KINDS = ("type", "kind", "mimetype", "contenttype", "mediatype", "variant")
_NO_VIDEO = re.compile(
    r"(?!.*video)(?=.*(?:image|thumb|cover|frame|poster|sprite|audio|mask|title|caption|text))"
)
_INPUT = re.compile(r"input|source|reference|frame|image|mask")


def _address_in(value: object, depth: int = _DEEPEST_RESULT) -> str | None:
    """Return the first address of a video in what a job says of its result."""
    if isinstance(value, str):
        address = value.strip()
        return address if _ADDRESS.fullmatch(address) and not _OTHER_FILE.match(address) else None
    if not depth:
        return None
    return next(filter(None, (_address_in(part, depth - 1) for part in _results_in(value))), None)


def _results_in(value: object) -> Iterable[object]:
    if isinstance(value, list):
        return value[:_MOST_RESULTS]
    return _fields_of_results(value) if isinstance(value, dict) else ()


def _fields_of_results(described: dict[str, object]) -> Iterator[object]:
    fields = {name.replace("_", "").lower(): value for name, value in described.items()}
    if not _is_another_file(fields):
        yield from (fields[name] for name in _RESULT_FIELDS if name in fields)


def _is_another_file(fields: dict[str, object]) -> bool:
    """Say whether what is described calls itself an image, a sound or an input."""
    kinds = (str(fields.get(name)).lower() for name in _KINDS)
    return any(map(_NO_VIDEO.match, kinds)) or bool(_INPUT.search(str(fields.get("role")).lower()))


_Text: TypeAlias = Annotated[str | None, BeforeValidator(_text)]
_Percent: TypeAlias = Annotated[int | float | None, BeforeValidator(_percent)]
_Time: TypeAlias = Annotated[int | float | None, BeforeValidator(_time)]
_Expiry: TypeAlias = Annotated[int | float | None, BeforeValidator(_expiry)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Problem(_Answer):
    """Reason why a job failed."""

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

    progress: _Percent = None
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

    expires_at: _Expiry = None
    """Until when the file can be downloaded, in unix seconds."""

    remixed_from_video_id: _Text = None
    """The video this one was made from."""

    error: Annotated[Problem | None, BeforeValidator(_problem)] = None
    """Why the job failed."""

    _redactor: Redactor | None = PrivateAttr(default=None)
    """Knows the secrets of the request that this answers."""

    _sent_prompt: str | None = PrivateAttr(default=None)

    @property
    def phase(self) -> Phase:
        """What the status word means, the same for every server."""
        return phase_of(self.status)

    @property
    def known_status(self) -> str | None:
        """The status word if many servers use it, else its phase: fit to be shown and stored."""
        return known_status(self.status)

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
        """The address of the file, if the job says so. It may be signed: never to be shown or stored."""
        given = self.model_extra or {}
        path = given.get("url")
        return _address_in(given) or (path if isinstance(path, str) and _PATH.fullmatch(path) else None)

    def contract(self) -> dict[str, Any]:
        """Return the contract's fields as a plain dict, for XCom: every word redacted, and no address."""
        redactor = (self._redactor or _NOTHING_SENT).also(self.prompt)
        given = self.model_dump(mode="json", include=_CONTRACT)
        return given | {
            **{name: _shown(given[name], redactor) for name in ("model", "seconds", "size")},
            **{name: _shown_id(given[name], redactor) for name in ("id", "remixed_from_video_id")},
            "status": self.known_status,
            "prompt": self._shown_prompt(),
            "error": given["error"]
            and {name: _shown(word, redactor) for name, word in given["error"].items()},
        }

    def answering(self, redactor: Redactor, sent_prompt: str | None) -> None:
        """
        Remember what this answers, so that :meth:`contract` repeats nothing secret.

        :param redactor: knows the secrets of the request.
        :param sent_prompt: the request's prompt, if it had one.
        """
        self._redactor, self._sent_prompt = redactor, sent_prompt

    def _shown_prompt(self) -> str | None:
        redactor, prompt = self._redactor or _NOTHING_SENT, self.prompt
        if prompt is None:
            return None
        if prompt == self._sent_prompt:
            return redactor.hide_secrets(prompt)  # the task's own words, addresses and all
        return without_addresses(redactor.redact_text(prompt))


_NOTHING_SENT = Redactor()


def _shown(word: str | None, redactor: Redactor) -> str | None:
    return None if word is None else without_addresses(redactor.redact(word))


def _shown_id(video_id: str | None, redactor: Redactor) -> str | None:
    fit = video_id and redactor.redact_id(video_id)
    return without_addresses(fit) if fit and "://" in fit else fit


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

    cached: bool = False
    """Whether a cache on the way has answered, not the server."""
