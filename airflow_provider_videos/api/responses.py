"""What a Videos server's answer means: every shape of a success and of a failure is read here, once."""

from __future__ import annotations

import base64
import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote

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
from airflow_provider_videos.api.models import FAILED, Character, Problem, Video, VideoPage, is_same_id
from airflow_provider_videos.api.redaction import Redactor, may_repeat, redact, redactor_of
from airflow_provider_videos.api.retry import Event, Outcome, http_date, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from airflow_provider_videos.api.redaction import Secrets

Model = TypeVar("Model", bound=BaseModel)
T = TypeVar("T")

MAX_ANSWER_BYTES = 64 * 1024
"""The longest answer about one video, and how much of a refusal is read."""

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""The longest page of the list, list of models, and answer to a purchase, whose id has been paid for."""

# JSON costs time and memory by its values, not by its bytes. The marks of a value are counted before parsing.
_MARKS = (b"{", b"[", b",")
_BYTES_A_MARK = 8
_MAX_MARKS = 100_000
_MAX_LISTED = 10_000
_MAX_DEPTH = 64
_MAX_DIGITS = 1000

_READ = 10_000
_OF_A_FAILED_JOB = {400, 500}
_MOST_OBJECTS = 20
_HALVES_BEGIN = (b"\\ud", b"\\uD", b"\xed")
_GONE_CODES = {"task_not_exist"}
# What an object store calls an error; anything else that stands there could be somebody's secret.
_CODE = re.compile(r"[A-Za-z]{2,20}(?:[_.-]?[A-Za-z]{1,20}){0,3}")
_CODE_IN_XML = re.compile(r"<Code>([^<]*)</Code>", re.IGNORECASE)
LONGEST_CODE, LONGEST_REQUEST_ID, _LONGEST_TYPE = 100, 200, 200
"""How many characters of an error's code, a request's id and a content type are repeated."""
_LENGTHS = {"status": 64, "model": 200, "seconds": 32, "size": 32}
"""How many characters of a video's words are taken in."""
_ALWAYS_THERE = {"create", "list models"}
# Operations that many servers lack, by what else a 404 may mean.
_OFTEN_ABSENT = {
    **dict.fromkeys(("list", "create character"), "the base URL does not end in /v1"),
    **dict.fromkeys(("remix", "edit", "extend", "get character"), "does not know the id"),
}
# What web frameworks say of a path they have no route for.
_NO_ROUTE = re.compile(
    r"(404 )?(page |path |route |endpoint )?not found\W*|no explanation|invalid url\b.*|cannot [A-Z]+ /.*",
    re.IGNORECASE,
)
_MAX_CONTENT_TYPE = 255
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_NO_DATABASE = re.compile(r"\bno[_ ](?:db[_ ]connection|connected[_ ]db)\b", re.IGNORECASE)
_LENGTH = re.compile(r"\d{1,18}", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')
_DIGESTS = (
    ("repr-digest", r"\bsha-256=:([^:]*):", "sha256", 32),
    ("digest", r"\bsha-256=([^,\s]*)", "sha256", 32),
    ("content-md5", r"(\S+)", "md5", 16),
    ("x-goog-hash", r"\bmd5=([^,\s]*)", "md5", 16),
)


def read_video(response: httpx.Response) -> Video:
    """Read an answer that is a video."""
    return _parsed(Video, _json(response)) or _unreadable(response, "a video with an id")


def read_character(response: httpx.Response) -> Character:
    """Read an answer that is a character."""
    return _parsed(Character, _json(response)) or _unreadable(response, "a character with an id")


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
    body = _content(response)
    for found in (body, *_objects_in(_envelope(body).message)):
        video = _parsed(Video, found)
        if video and video.has_failed and is_same_id(video.id, video_id) and _is_a_video(found):
            return video
    return None


def _is_a_video(body: dict[str, Any]) -> bool:
    """Say whether a body is the contract's own object, and no envelope that has an id and a status, too."""
    unnamed = "object" not in body and body["status"] == FAILED and isinstance(body.get("error"), dict)
    return unnamed or body.get("object") == "video"


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
    if not isinstance(models, list) and _words_of_error(body):
        _unreadable(response, "a list of models")
    items = models if isinstance(models, list) else []
    return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item]


def read_file(response: httpx.Response) -> httpx.Response:
    """Return an answer whose body is a file, unread; an encoded one would be saved as it came."""
    _refuse_encoded(response)
    return response


def encoding_of(headers: Mapping[str, str]) -> str | None:
    """Return how a body is encoded, although none was asked to be; None where it is as it should be."""
    given = headers.get("content-encoding", "")
    plain = all(coding.strip().lower() in {"", "identity"} for coding in given.split(","))
    return None if plain else redact(given, longest=_LONGEST_TYPE)


def read_content_type(headers: Mapping[str, str]) -> str | None:
    """Return what a server calls a file, where that can be handed on as a header."""
    given = headers.get("content-type", "")
    return given if given.isascii() and given.isprintable() and 0 < len(given) <= _MAX_CONTENT_TYPE else None


def read_location(headers: httpx.Headers) -> str:
    """Return where a redirect leads; bytes that no URL can hold are escaped as what they are."""
    return quote(headers.get("location", "").encode(headers.encoding), safe=_PRINTABLE)


def read_length(headers: Mapping[str, str]) -> int | None:
    """Return how many bytes an answer promises, where it does."""
    length = headers.get("content-length", "")
    return int(length) if _LENGTH.fullmatch(length) else None


def read_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return which byte of a file is the first of a part, and how long the file is, where a part says so."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if not match:
        return None, None
    first, total = match.groups()
    return int(first), None if total == "*" else int(total)


def read_etag(headers: Mapping[str, str]) -> str | None:
    """Return the tag of the file, if it stands for the very bytes: a weak one does not."""
    etag = headers.get("etag", "").strip()
    return etag if _STRONG_ETAG.fullmatch(etag) else None


def read_digest(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the algorithm and the hexadecimal digest of a whole file, where the server sends one."""
    for header, pattern, algorithm, size in _DIGESTS:
        match = re.search(pattern, headers.get(header, ""), re.IGNORECASE)
        try:
            digest = base64.b64decode(match[1], validate=True) if match else b""
        except ValueError:
            continue
        if len(digest) == size:
            return algorithm, digest.hex()
    return None


def outcome_of(response: httpx.Response, now: float) -> Outcome:
    """
    Say what the retry table needs to know of an answer that is not a success.

    :param response: the answer, its body read.
    :param now: the present unix time, for a Retry-After that is a date.
    """
    body = _content(response)
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
    content = _content(response) if at_home else None
    words, code = _words_of_error(content), _envelope(content).code
    message = redactor.redact(error.message)
    return Unreadable(
        f"{message}: {redactor.redact(words)}" if words else message,
        status_code=error.status_code,
        code=code and redactor.redact(code, longest=LONGEST_CODE) if words else None,
        request_id=error.request_id and redactor.redact(error.request_id, longest=LONGEST_REQUEST_ID),
    )


def _words_of_error(content: object) -> str:
    """Return what an error envelope says, and nothing of a body that may hold a prompt or a signed URL."""
    if not isinstance(content, dict):
        return ""
    envelope = _envelope(content)
    return envelope.message or (envelope.code or envelope.type or "" if "error" in content else "")


def error_of(
    response: httpx.Response,
    outcome: Outcome,
    *,
    operation: str,
    video_id: str | None,
    secrets: Secrets,
    elsewhere: str | None = None,
) -> AnswerError:
    """
    Turn an answer that is not a success into the error that says so, with the server's own words.

    :param response: the answer, its body read.
    :param outcome: what :func:`outcome_of` says of it.
    :param operation: the operation's name.
    :param video_id: the video it was about.
    :param secrets: texts that must not be repeated, should the server have echoed them.
    :param elsewhere: the address it came from, where that is not the server itself but where it sent us.
    """
    redactor = redactor_of(secrets)
    if elsewhere is not None:
        server = f"{operation}: the server {redactor.redact(elsewhere)}"
        return _error_from_elsewhere(response, outcome, server, video_id)
    envelope = _envelope(_content(response))
    words = envelope.message or _text(response).strip() or _unread(response) or "no explanation"
    kind, advice = _kind(outcome, operation, words)
    if envelope.param:
        words += f" (parameter {envelope.param})"
    message = f"{operation}: the server answered {response.status_code}: {redactor.redact(words)}"
    return kind(
        f"{message}; {advice}" if advice else message,
        video_id=video_id,
        status_code=response.status_code,
        code=outcome.code and redactor.redact(outcome.code, longest=LONGEST_CODE),
        request_id=_request_id(response, redactor),
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
    text = _text(response).strip()
    yield from (code or "", text)
    yield from _CODE_IN_XML.findall(text)


_CHECK_THE_KEY = "check the key in the connection's password field"
_NO_SERVICE = "does the base URL end in /v1, and does the service still offer the Videos API?"


def _kind(outcome: Outcome, operation: str, words: str) -> tuple[type[AnswerError], str]:
    status = outcome.status_code
    no_such_place = status in (404, 410) or outcome.code in _GONE_CODES
    no_such_route = no_such_place and operation in _OFTEN_ABSENT and _is_a_router_s(words)
    unsupported = f"this server does not support {operation}"
    cases: list[tuple[bool, type[AnswerError], str]] = [
        (outcome.account_is_empty, QuotaExhausted, "the account has no quota left; retrying does not help"),
        (outcome.refused_for_now, Busy, ""),
        (status in (401, 403) or _is_about_the_key(outcome), Unauthorized, _CHECK_THE_KEY),
        (no_such_route, NotSupported, f"{unsupported}, or {_OFTEN_ABSENT.get(operation)}"),
        (no_such_place and operation in _ALWAYS_THERE, NotFound, _NO_SERVICE),
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


def _is_a_router_s(words: str) -> bool:
    """Say whether words are a web framework's own, perhaps inside what a gateway makes of them."""
    inner = (_envelope(found).message for found in _objects_in(words))
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


def _parsed(kind: type[Model], body: object) -> Model | None:
    try:
        return kind.model_validate(body)
    except ValidationError:
        return None


def _json(response: httpx.Response) -> Any:
    _refuse_encoded(response)
    if len(response.content) > _limit(response):
        _unreadable(response, f"at most {_limit(response)} bytes")
    body = _content(response)
    return _unreadable(response, "JSON") if body is None else body


def _refuse_encoded(response: httpx.Response) -> None:
    if words := _unread(response):
        raise Unreadable(
            f"the server answered {response.status_code}, but with {words}: it, or a proxy before it, has to "
            "heed `Accept-Encoding: identity`",
            status_code=response.status_code,
            request_id=_request_id(response, Redactor()),
        )


def _unread(response: httpx.Response) -> str:
    encoding = response.extensions.get("encoding")
    return f"a body encoded as {encoding}, which is never decoded" if encoding else ""


def _limit(response: httpx.Response) -> int:
    return response.extensions.get("limit", MAX_PAGE_BYTES)  # type: ignore[no-any-return] # extensions hold anything


def _content(response: httpx.Response) -> Any:
    """Return a body's JSON, or None; a content type or charset is never believed."""
    limit = _limit(response)
    return None if len(response.content) > limit else _try_json(response.content, limit // _BYTES_A_MARK)


def _text(response: httpx.Response) -> str:
    return response.content[:_READ].decode("utf-8", "replace")


def _try_json(text: bytes, most: int = _MAX_MARKS) -> Any:
    marks = [text.count(mark) for mark in _MARKS]
    if sum(marks) > min(most, _MAX_MARKS):
        return None
    try:
        value = _DECODER.decode(text.decode(json.detect_encoding(text), "surrogatepass"))
        # Going through a page of the list costs twice what reading it does.
        value = value if not any(begin in text for begin in _HALVES_BEGIN) else _storable(value)
    except (ValueError, RecursionError):
        return None
    return None if sum(marks[:2]) > _MAX_DEPTH and _is_deep(value) else value


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("more digits than any number of this protocol has")
    return int(digits)


_DECODER = json.JSONDecoder(parse_int=_int)


def _is_deep(value: Any) -> bool:
    """Say whether values are nested so deeply that going through them could exhaust the stack."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        lists = [
            item.values() if isinstance(item, dict) else item
            for item in level
            if isinstance(item, list | dict)
        ]
        if not lists:
            return False
        level = list(chain.from_iterable(lists))
    return True


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Find the JSON objects inside a text, as a gateway wraps what it was told."""
    at = text.find("{")
    for _ in range(_MOST_OBJECTS):
        if at < 0:
            return
        try:
            found, end = _DECODER.raw_decode(text, at)
            yield _storable(found)
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _storable(value: Any) -> Any:
    """Replace what JSON can carry and no database can store: halves of characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value


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
    content = _try_json(body)
    if isinstance(content, dict) and not _envelope(content).message:
        # A success that is no video may hold a prompt or an address; its fields' names don't.
        return redact("JSON with " + ", ".join(content), secrets)
    return redact(_envelope(content).message or body.decode("utf-8", "replace"), secrets)


def _request_id(response: httpx.Response, redactor: Redactor) -> str | None:
    return redactor.redact(response.headers.get("x-request-id", ""), longest=LONGEST_REQUEST_ID) or None


def _unreadable(response: httpx.Response, expected: str) -> Any:
    # The body is described, not quoted: a success may hold a prompt or a signed URL.
    kind = response.headers.get("content-type", "no content type")
    raise Unreadable(
        f"the server answered {response.status_code}, but not with {expected}: "
        f"{len(response.content)} bytes of {redact(kind, longest=_LONGEST_TYPE)}",
        status_code=response.status_code,
        request_id=_request_id(response, Redactor()),
    )
