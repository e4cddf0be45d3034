"""Answers that are a success: every shape of a video, a page and a character is read here, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_videos.api.bounded_json import json_of, limit_of
from airflow_provider_videos.api.errors import Unreadable
from airflow_provider_videos.api.failures import (
    describe_encoding,
    parsed_as,
    problem_of,
    request_id_of,
    words_of_error,
)
from airflow_provider_videos.api.headers import LONGEST_TYPE
from airflow_provider_videos.api.models import Character, Video, VideoPage
from airflow_provider_videos.api.redaction import Redactor, may_repeat, redact
from airflow_provider_videos.api.retry import http_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

T = TypeVar("T")

_MAX_LISTED = 10_000
_LENGTHS = {"status": 64, "model": 200, "seconds": 32, "size": 32}
"""How many characters of a video's words are taken in."""


def read_video(response: httpx.Response) -> Video:
    """Read an answer that is a video."""
    return parsed_as(Video, _json(response)) or _unreadable(response, "a video with an id")


def read_character(response: httpx.Response) -> Character:
    """Read an answer that is a character."""
    return parsed_as(Character, _json(response)) or _unreadable(response, "a character with an id")


def read_page(response: httpx.Response) -> VideoPage:
    """Read one page of the list."""
    body = _json(response)
    if isinstance(body, list):
        body = {"data": body}
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        _unreadable(response, "a list of videos")
    if len(body["data"]) > _MAX_LISTED:
        _unreadable(response, f"a page of at most {_MAX_LISTED} videos")
    # A cache says so with an Age, whatever it is.
    facts = {"server_time": http_date(response.headers.get("date")), "cached": "age" in response.headers}
    return VideoPage.model_validate({**body, **facts})


def read_model_names(response: httpx.Response) -> list[str]:
    """Read the names of the models a server offers; empty where its JSON does not list them."""
    body = _json(response)
    models = body.get("data") if isinstance(body, dict) else None
    if not isinstance(models, list) and words_of_error(body):
        _unreadable(response, "a list of models")
    items = models if isinstance(models, list) else []
    return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item]


def read_file(response: httpx.Response) -> httpx.Response:
    """Return an answer whose body is a file, unread; an encoded one would be saved as it came."""
    _refuse_encoded(response)
    return response


def _json(response: httpx.Response) -> Any:
    _refuse_encoded(response)
    if len(response.content) > limit_of(response):
        _unreadable(response, f"at most {limit_of(response)} bytes")
    body = json_of(response)
    return _unreadable(response, "JSON") if body is None else body


def _refuse_encoded(response: httpx.Response) -> None:
    if words := describe_encoding(response):
        raise Unreadable(
            f"the server answered {response.status_code}, but with {words}: it, or a proxy before it, has to "
            "heed `Accept-Encoding: identity`",
            status_code=response.status_code,
            request_id=request_id_of(response, Redactor()),
        )


def without_secrets(answer: T, redactor: Redactor, *, sent: Mapping[str, Any], asked: str | None = None) -> T:
    """
    Take secrets out of what a server says, and remember them for what is shown of it later.

    :param answer: what was read: a video, a page of them, a character or names.
    :param redactor: knows the secrets of the request.
    :param sent: the request's fields; what repeats one of them in its place tells nothing new.
    :param asked: the id that was asked for.
    """
    fit: Any = answer
    if isinstance(answer, Video):
        fit = _fit_video(answer, redactor, sent, asked)
    elif isinstance(answer, VideoPage):
        data = [_fit_video(video, redactor, sent, asked) for video in answer.data]
        fit = answer.model_copy(update={"data": data})
    elif isinstance(answer, Character):
        words = {"id": redactor.redact_id(answer.id), "name": redactor.redact(answer.name or "") or None}
        fit = answer.model_copy(update=words)
    elif isinstance(answer, list):
        fit = [redactor.redact(name, longest=_LENGTHS["model"]) for name in answer]
    return fit  # type: ignore[no-any-return] # as it came, but for its words


def _fit_video(video: Video, redactor: Redactor, sent: Mapping[str, Any], asked: str | None) -> Video:
    changes = dict(_changes(video, redactor, sent))
    for name in ("id", "remixed_from_video_id"):
        given = getattr(video, name)
        if given and given != asked and (fit := redactor.redact_id(given)) != given:
            changes[name] = fit
    fitted = video.model_copy(update=changes) if changes else video
    fitted.answering(redactor, sent.get("prompt"))
    return fitted


def _changes(video: Video, redactor: Redactor, sent: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, longest in _LENGTHS.items():
        word = getattr(video, name)
        if word and word != sent.get(name):
            fit = redactor.redact(word, longest=longest)
            if video.prompt and may_repeat(video.prompt, word):
                fit = redactor.also(video.prompt).redact(word, longest=longest)
            if fit != word:
                yield name, fit
    if video.error:
        yield "error", problem_of(video, redactor)


def _unreadable(response: httpx.Response, expected: str) -> Any:
    # The body is described, not quoted: a success may hold a prompt or a signed URL.
    kind = response.headers.get("content-type", "no content type")
    raise Unreadable(
        f"the server answered {response.status_code}, but not with {expected}: "
        f"{len(response.content)} bytes of {redact(kind, longest=LONGEST_TYPE)}",
        status_code=response.status_code,
        request_id=request_id_of(response, Redactor()),
    )
