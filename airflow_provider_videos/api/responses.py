"""What a Videos server's answer means: every shape of a success and of a failure is read here, once."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from airflow_provider_videos.api.errors import (
    AnswerError,
    Busy,
    NotFound,
    NotSupported,
    QuotaExhausted,
    Refused,
    ServerFault,
    Unauthorized,
    Unreadable,
)
from airflow_provider_videos.api.models import Character, Video, VideoPage
from airflow_provider_videos.api.retry import Event, Outcome, http_date, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

Model = TypeVar("Model", bound=BaseModel)

_QUOTED = 500
_READ = 10_000
_ABOUT_THE_CALLER = {401, 403, 429}
_SHORTEST_SECRET = 6
_MAY_HOLD_HALVES = re.compile(rb"\\u[dD]|\xed").search
_GONE_CODES = {"task_not_exist"}
_NEED_NO_VIDEO = {"create", "list", "list models"}


def read_video(response: httpx.Response) -> Video:
    """Read an answer that is a video."""
    return _parsed(Video, _json(response)) or _unreadable(response, "a video with an id")


def read_character(response: httpx.Response) -> Character:
    """Read an answer that is a character."""
    return _parsed(Character, _json(response)) or _unreadable(response, "a character with an id")


def find_failed_video(response: httpx.Response, video_id: str) -> Video | None:
    """
    Find a failed job in an answer that is not a success.

    Some servers answer the GET of a failed job with an error status and the video as its body, or as text
    inside ``error.message``. An error envelope with an id and a status of its own is no such video.

    :param response: the answer, its body read.
    :param video_id: the video that was asked for.
    """
    if response.status_code in _ABOUT_THE_CALLER:
        return None
    body = _content(response)
    for found in (body, _try_json(_envelope(body).message)):
        video = _parsed(Video, found)
        if video and video.has_failed and (video.id == video_id or found.get("object") == "video"):
            return video
    return None


def read_page(response: httpx.Response) -> VideoPage:
    """Read one page of the list."""
    body = _json(response)
    if isinstance(body, list):
        body = {"data": body}
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        _unreadable(response, "a list of videos")
    return VideoPage.model_validate({**body, "server_time": http_date(response.headers.get("date"))})


def read_model_names(response: httpx.Response) -> list[str]:
    """Read the names of the models a server offers; empty where its JSON does not list them."""
    body = _json(response)
    models = body.get("data") if isinstance(body, dict) else None
    items = models if isinstance(models, list) else []
    return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item]


def outcome_of(response: httpx.Response) -> Outcome:
    """Say what the retry table needs to know of an answer that is not a success."""
    envelope = _envelope(_content(response))
    return Outcome(
        event=Event.ANSWERED,
        status_code=response.status_code,
        code=envelope.code,
        words=f"{envelope.type or ''} {envelope.message}",
        retry_after=parse_retry_after(response.headers, time.time()),
    )


def error_of(
    response: httpx.Response, *, operation: str, video_id: str | None, secrets: Iterable[str | None]
) -> AnswerError:
    """
    Turn an answer that is not a success into the error that says so, with the server's own words.

    :param response: the answer, its body read.
    :param operation: the operation's name.
    :param video_id: the video it was about.
    :param secrets: texts that must not be repeated, should the server have echoed them.
    """
    outcome = outcome_of(response)
    kind, advice = _kind(outcome, operation)
    secrets = tuple(secrets)
    envelope = _envelope(_content(response))
    words = envelope.message or _text(response).strip() or "no explanation"
    if envelope.param:
        words += f" (parameter {envelope.param})"
    message = f"{operation}: the server answered {response.status_code}: {quoted(words, secrets)}"
    return kind(
        f"{message}; {advice}" if advice else message,
        video_id=video_id,
        status_code=response.status_code,
        code=outcome.code and quoted(outcome.code, secrets),
        request_id=response.headers.get("x-request-id"),
        retry_after=outcome.retry_after,
    )


_NO_SERVICE = "does the base URL end in /v1, and does the service still offer the Videos API?"


def _kind(outcome: Outcome, operation: str) -> tuple[type[AnswerError], str]:
    status = outcome.status_code
    no_such_place = status in (404, 410) or outcome.code in _GONE_CODES
    cases: list[tuple[bool, type[AnswerError], str]] = [
        (outcome.account_is_empty, QuotaExhausted, "the account has no quota left; retrying does not help"),
        (outcome.refused_for_now, Busy, ""),
        (status in (401, 403), Unauthorized, "check the key in the connection's password field"),
        (no_such_place and operation in _NEED_NO_VIDEO, NotFound, _NO_SERVICE),
        (no_such_place, NotFound, ""),
        (status in (405, 501), NotSupported, f"this server does not support {operation}"),
        (outcome.server_failed, ServerFault, ""),
        (status < 400, Refused, "the server redirects; put the address it redirects to into the connection"),
        (outcome.code == "model_not_found", Refused, _NO_SERVICE),
    ]
    return next(((kind, advice) for applies, kind, advice in cases if applies), (Refused, ""))


class _Envelope(NamedTuple):
    message: str = ""
    code: str | None = None
    type: str | None = None
    param: str | None = None


def _envelope(body: object) -> _Envelope:
    """Read an error out of whichever envelope it came in."""
    if not isinstance(body, dict):
        return _Envelope(body if isinstance(body, str) else "")
    inner = body.get("error")
    if isinstance(inner, dict):
        facts = (_code(inner.get(name)) for name in ("code", "type", "param"))
        return _Envelope(_words(inner.get("message")), *facts)
    found = (_words(body.get(name)) for name in ("error", "detail", "message"))
    return _Envelope(next(filter(None, found), ""), _code(body.get("code")), _code(body.get("type")))


def _words(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_complaint, value)))
    return json.dumps(value) if value else ""


def _complaint(item: object) -> str:
    if not isinstance(item, dict):
        return _words(item)
    location = item.get("loc")
    place = ".".join(map(str, location)) if isinstance(location, list) else ""
    return ": ".join(filter(None, (place, _words(item.get("msg")))))


def _code(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _parsed(kind: type[Model], body: object) -> Model | None:
    try:
        return kind.model_validate(body)
    except ValidationError:
        return None


def _json(response: httpx.Response) -> Any:
    body = _content(response)
    return _unreadable(response, "JSON") if body is None else body


def _content(response: httpx.Response) -> Any:
    """Return a body's JSON, or None; a content type or charset is never believed."""
    return _try_json(response.content)


def _text(response: httpx.Response) -> str:
    return response.content[:_READ].decode("utf-8", "replace")


def _try_json(text: str | bytes) -> Any:
    try:
        value = json.loads(text)
        # Going through a page of the list costs twice what reading it does.
        return value if isinstance(text, bytes) and not _MAY_HOLD_HALVES(text) else _storable(value)
    except (ValueError, RecursionError):
        return None


def _storable(value: Any) -> Any:
    """Replace what JSON can carry and no database can store: halves of characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value


def quoted(words: str, secrets: Iterable[str | None] = ()) -> str:
    """
    Make a server's words fit to be repeated: short, and without what must stay secret.

    :param words: what the server said.
    :param secrets: texts that the server may have echoed.
    """
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST_SECRET:
            for form in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
                words = words.replace(form, "***")
    # The query of a URL is where its signature is.
    return re.sub(r"(https?://[^\s?\"']+)\?[^\s\"']*", r"\1?***", words)[:_QUOTED]


def words_of(body: bytes) -> str:
    """
    Return what a body that is not what was asked for says: its error's words, or its beginning as text.

    :param body: the first few thousand bytes.
    """
    content = _try_json(body)
    if isinstance(content, dict) and not _envelope(content).message:
        # A success that is no video may hold a prompt or an address; its fields' names don't.
        return "JSON with " + ", ".join(content)
    return quoted(_envelope(content).message or body.decode("utf-8", "replace"))


def _unreadable(response: httpx.Response, expected: str) -> Any:
    # The body is described, not quoted: a success may hold a prompt or a signed URL.
    kind = response.headers.get("content-type", "no content type")
    raise Unreadable(
        f"the server answered {response.status_code}, but not with {expected}: "
        f"{len(response.content)} bytes of {quoted(kind)}",
        status_code=response.status_code,
        request_id=response.headers.get("x-request-id"),
    )
