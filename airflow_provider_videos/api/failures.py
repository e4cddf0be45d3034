"""Failures as servers tell them: the error that an answer is, whichever envelope it came in."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from airflow_provider_videos.api.bounded_json import json_of, objects_in, parse_json, text_of
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
from airflow_provider_videos.api.models import FAILED, Problem, Video, is_same_id
from airflow_provider_videos.api.redaction import Redactor, redact, redactor_of
from airflow_provider_videos.api.retry import Event, Outcome, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from airflow_provider_videos.api.operations import OperationKind
    from airflow_provider_videos.api.redaction import Secrets

__all__ = ["problem_of", "words_of"]

Model = TypeVar("Model", bound=BaseModel)

_OF_A_FAILED_JOB = {400, 500}
_GONE_CODES = {"task_not_exist"}
# What an object store calls an error; anything else that stands there could be somebody's secret.
_CODE = re.compile(r"[A-Za-z]{2,20}(?:[_.-]?[A-Za-z]{1,20}){0,3}")
_CODE_IN_XML = re.compile(r"<Code>([^<]*)</Code>", re.IGNORECASE)
LONGEST_CODE, LONGEST_REQUEST_ID = 100, 200
"""How many characters of an error's code and a request's id are repeated."""
# What web frameworks say of a path they have no route for.
_NO_ROUTE = re.compile(
    r"(404 )?(page |path |route |endpoint )?not found\W*|no explanation|invalid url\b.*|cannot [A-Z]+ /.*",
    re.IGNORECASE,
)
_NO_DATABASE = re.compile(r"\bno[_ ](?:db[_ ]connection|connected[_ ]db)\b", re.IGNORECASE)


def find_failed_video(response: httpx.Response, video_id: str) -> Video | None:
    """
    Find a failed job in an answer that is not a success.

    Some servers answer the GET of a failed job with 400 or 500 and the video as its body, or as text
    somewhere inside ``error.message``. An error envelope with an id and a status of its own is no such video,
    and another video that an error quotes is not the one that was asked for.

    :param response: the answer, its body read.
    :param video_id: the video that was asked for.
    """
    if response.status_code not in _OF_A_FAILED_JOB:
        return None
    body = json_of(response)
    for found in (body, *objects_in(_envelope(body).message)):
        video = parsed_as(Video, found)
        if video and video.has_failed and is_same_id(video.id, video_id) and _is_a_video(found):
            return video
    return None


def _is_a_video(body: dict[str, Any]) -> bool:
    """Say whether a body is the contract's own object, and no envelope that has an id and a status, too."""
    unnamed = "object" not in body and body["status"] == FAILED and isinstance(body.get("error"), dict)
    return unnamed or body.get("object") == "video"


def outcome_of(response: httpx.Response, now: float) -> Outcome:
    """
    Say what the retry table needs to know of an answer that is not a success.

    :param response: the answer, its body read.
    :param now: the present unix time, for a Retry-After that is a date.
    """
    body = json_of(response)
    envelope = _envelope(body)
    return Outcome(
        event=Event.ANSWERED,
        status_code=response.status_code,
        code=envelope.code,
        words=f"{envelope.type or ''} {envelope.message}",
        is_own=_is_the_servers_own(body),
        retry_after=parse_retry_after(response.headers, now),
    )


def with_words_of(
    response: httpx.Response, error: Unreadable, *, secrets: Secrets, at_home: bool = True
) -> Unreadable:
    """
    Add to the error for a success that is none what its envelope says, as gateways refuse with a 200.

    Secrets are taken out of all of it: the reader that has raised the error knew none.

    :param response: the answer, its body read.
    :param error: what is known of it so far.
    :param secrets: texts that must not be repeated, should the server have echoed them.
    :param at_home: whether it came from the server itself, not from where the server sent us.
    """
    redactor = redactor_of(secrets)
    content = json_of(response) if at_home else None
    words, code = words_of_error(content), _envelope(content).code
    message = redactor.redact(error.message)
    return Unreadable(
        f"{message}: {redactor.redact(words)}" if words else message,
        status_code=error.status_code,
        code=code and redactor.redact(code, longest=LONGEST_CODE) if words else None,
        request_id=error.request_id and redactor.redact(error.request_id, longest=LONGEST_REQUEST_ID),
    )


def words_of_error(content: object) -> str:
    """Return what an error envelope says, and nothing of a body that may hold a prompt or a signed URL."""
    if not isinstance(content, dict):
        return ""
    envelope = _envelope(content)
    return envelope.message or (envelope.code or envelope.type or "" if "error" in content else "")


def error_of(
    response: httpx.Response,
    outcome: Outcome,
    *,
    operation: OperationKind,
    video_id: str | None,
    secrets: Secrets,
    elsewhere: str | None = None,
) -> AnswerError:
    """
    Turn an answer that is not a success into the error that says so, with the server's own words.

    :param response: the answer, its body read.
    :param outcome: what :func:`outcome_of` says of it.
    :param operation: what was asked for.
    :param video_id: the video it was about.
    :param secrets: texts that must not be repeated, should the server have echoed them.
    :param elsewhere: the address it came from, where that is not the server itself but where it sent us.
    """
    redactor = redactor_of(secrets)
    if elsewhere is not None:
        server = f"{operation.label}: the server {redactor.redact(elsewhere)}"
        return _error_from_elsewhere(response, outcome, server, video_id)
    envelope = _envelope(json_of(response))
    words = _explanation(response)
    kind, advice = _kind(outcome, operation, words)
    if envelope.param:
        words += f" (parameter {envelope.param})"
    message = f"{operation.label}: the server answered {response.status_code}: {redactor.redact(words)}"
    return kind(
        f"{message}; {advice}" if advice else message,
        video_id=video_id,
        status_code=response.status_code,
        code=outcome.code and redactor.redact(outcome.code, longest=LONGEST_CODE),
        request_id=request_id_of(response, redactor),
        retry_after=outcome.retry_after,
    )


def _error_from_elsewhere(
    response: httpx.Response, outcome: Outcome, server: str, video_id: str | None
) -> AnswerError:
    """Say no more than status and code: who answers may be anybody, and knows the signed address."""
    kind = Busy if outcome.refused_for_now else ServerFault if outcome.server_failed else Refused
    code = next(filter(_CODE.fullmatch, _codes(response, outcome.code)), None)
    answer = f"{response.status_code}: {code}" if code else str(response.status_code)
    return kind(
        f"{server} answered {answer}; it is where the server says that the file is, and such an address may "
        "have expired",
        video_id=video_id,
        status_code=response.status_code,
        code=code,
        retry_after=outcome.retry_after,
    )


def _codes(response: httpx.Response, code: str | None) -> Iterator[str]:
    text = text_of(response).strip()
    yield from (code or "", text)
    yield from _CODE_IN_XML.findall(text)


_CHECK_THE_KEY = "check the key in the connection's password field"
_NO_SERVICE = "does the base URL end in /v1, and does the service still offer the Videos API?"


def _kind(outcome: Outcome, operation: OperationKind, words: str) -> tuple[type[AnswerError], str]:
    status = outcome.status_code
    no_such_place = status in (404, 410) or outcome.code in _GONE_CODES
    no_such_route = no_such_place and operation.not_found_may_mean is not None and _is_of_a_router(words)
    unsupported = f"this server does not support {operation.label}"
    cases: list[tuple[bool, type[AnswerError], str]] = [
        (outcome.account_is_empty, QuotaExhausted, "the account has no quota left; retrying does not help"),
        (outcome.refused_for_now, Busy, ""),
        (status in (401, 403) or _is_about_the_key(outcome), Unauthorized, _CHECK_THE_KEY),
        (no_such_route, NotSupported, f"{unsupported}, or {operation.not_found_may_mean}"),
        (no_such_place and operation.is_everywhere, NotFound, _NO_SERVICE),
        (no_such_place, NotFound, ""),
        (status in (405, 501), NotSupported, unsupported),
        (outcome.server_failed, ServerFault, ""),
        (status < 400, Refused, "the server redirects; put the address it redirects to into the connection"),
        (outcome.code == "model_not_found", Refused, _NO_SERVICE),
    ]
    return next(((kind, advice) for applies, kind, advice in cases if applies), (Refused, ""))


def _is_about_the_key(outcome: Outcome) -> bool:
    """Say whether a gateway refuses a key that it has no database to look up in."""
    return 400 <= outcome.status_code < 500 and bool(_NO_DATABASE.search(f"{outcome.code} {outcome.words}"))


def is_no_route(response: httpx.Response) -> bool:
    """Say whether an answer is a web framework's own, for a path or a method that it does not have."""
    return _is_of_a_router(_explanation(response))


def _explanation(response: httpx.Response) -> str:
    words = _envelope(json_of(response)).message or text_of(response).strip()
    return words or describe_encoding(response) or "no explanation"


def _is_of_a_router(words: str) -> bool:
    """Say whether words are a web framework's own, perhaps inside what a gateway makes of them."""
    inner = (_envelope(found).message for found in objects_in(words))
    return any(map(_NO_ROUTE.fullmatch, (words, *inner)))


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


def _is_the_servers_own(body: object) -> bool:
    """Say whether a body is an API's error envelope, not the page of a proxy that writes JSON."""
    return isinstance(body, dict) and (
        "error" in body or "detail" in body or isinstance(body.get("code"), str)
    )


def _words(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_complaint, value)))
    return json.dumps(value) if value and not isinstance(value, bool) else ""


def _complaint(item: object) -> str:
    if not isinstance(item, dict):
        return _words(item)
    location = item.get("loc")
    place = ".".join(map(str, location)) if isinstance(location, list) else ""
    return ": ".join(filter(None, (place, _words(item.get("msg")))))


def _code(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def problem_of(video: Video, secrets: Secrets = ()) -> Problem:
    """
    Return why a job ended without a video, in words that are fit to be repeated; empty where it does not say.

    :param video: the job as the server describes it.
    :param secrets: texts that the server may have echoed, unless they were taken out when the video was read.
    """
    problem, redactor = video.error or Problem(), redactor_of(secrets).also(video.prompt)
    code = problem.code and redactor.redact(problem.code, longest=LONGEST_CODE)
    return Problem(code=code, message=redactor.redact(problem.message or ""))


def words_of(body: bytes, secrets: Secrets = ()) -> str:
    """
    Return what a body that is not what was asked for says: its error's words, or its beginning as text.

    :param body: the first few thousand bytes.
    :param secrets: texts that the server may have echoed.
    """
    content = parse_json(body)
    if isinstance(content, dict) and not _envelope(content).message:
        # A success that is no video may hold a prompt or an address; its fields' names don't.
        return redact("JSON with " + ", ".join(content), secrets)
    return redact(_envelope(content).message or body.decode("utf-8", "replace"), secrets)


def parsed_as(kind: type[Model], body: object) -> Model | None:
    try:
        return kind.model_validate(body)
    except ValidationError:
        return None


def describe_encoding(response: httpx.Response) -> str:
    encoding = response.extensions.get("encoding")
    return f"a body encoded as {encoding}, which is never decoded" if encoding else ""


def request_id_of(response: httpx.Response, redactor: Redactor) -> str | None:
    return redactor.redact(response.headers.get("x-request-id", ""), longest=LONGEST_REQUEST_ID) or None
