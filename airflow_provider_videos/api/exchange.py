"""
The flow of one operation without I/O: when to ask again, where to follow, what to raise.

:func:`exchange` does no I/O. It is a generator that yields a request to send or a pause to take and is told
what came of it, so that both client shells are driven by the same decisions.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urljoin

import httpx

from airflow_provider_videos.api import failures, requests, responses
from airflow_provider_videos.api.addresses import check_address
from airflow_provider_videos.api.endpoint import is_address
from airflow_provider_videos.api.environment import address_of
from airflow_provider_videos.api.errors import (
    NotConnected,
    NotSupported,
    OutcomeUnknown,
    TransportError,
    Unreadable,
    VideosError,
)
from airflow_provider_videos.api.headers import read_location
from airflow_provider_videos.api.models import Phase
from airflow_provider_videos.api.retry import Backoff, Call, Event, Outcome, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Generator

    from airflow_provider_videos.api.clock import Clock
    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import Video, VideoPage
    from airflow_provider_videos.api.operations import Operation
    from airflow_provider_videos.api.redaction import Redactor

__all__ = ["Cursor"]

T = TypeVar("T")

_MOST_REDIRECTS = 5
_ABOUT_THE_KEY = {401, 403}
_ABOUT_THE_CONNECTION = {*range(300, 400), 401, 403, 404, 410}
# Of 2 servers that answer by chance, 20 requests all go to the same one once in half a million times.
_SEARCH_REQUESTS, _LEAST_DELETES = 20, 10
_STILL_AT_WORK = {408, 504}  # what a gateway says that waits for nobody any longer
_NOTHING_WAS_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Send:
    """
    A step of :func:`exchange`: send this request and report the response or the error.

    :param request: what to send.
    :param buys: whether it goes out on a fresh connection: a pooled one may be dead without our knowing, and
        it always leads to the same replica.
    :param streams: whether the body of a success is left unread.
    :param longest: how many bytes the body of another success may have.
    :param until: when the answer has to be there, by the monotonic clock.
    """

    request: httpx.Request
    buys: bool
    streams: bool
    longest: int
    until: float


@dataclass(frozen=True, slots=True)
class Pause:
    """
    A step of :func:`exchange`: wait.

    :param seconds: how long.
    """

    seconds: float


Step = Send | Pause
Reply = httpx.Response | httpx.RequestError | None


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """
    End of :func:`exchange`.

    :param value: what it came to.
    """

    value: T


def advance(flow: Generator[Step, Reply, T], reply: Reply) -> Step | Done[T]:
    """
    Take an operation to its next step, or to its end.

    :param flow: what :func:`exchange` has returned.
    :param reply: what came of the step before; None at first.
    """
    try:
        return flow.send(reply)
    except StopIteration as end:
        return Done(end.value)


def exchange(
    operation: Operation[T], endpoint: Endpoint, backoff: Backoff, clock: Clock
) -> Generator[Step, Reply, T]:
    """
    Carry out one operation: yields steps, is sent what came of them, returns the operation's value.

    :param operation: what to do.
    :param endpoint: the server to do it at.
    :param backoff: how patient to be.
    :param clock: what its total is measured by.
    :raises VideosError: whichever of the tree says what went wrong.
    """
    started, attempt, search = clock.monotonic(), 1, _Search()
    until = started + backoff.total
    while True:
        reply = yield from _answer(operation, endpoint, clock, until=until)
        value = _value(operation, endpoint, reply)
        if value is not None:
            return value
        outcome = _outcome(reply, clock.now())
        verdict = judge(operation.call, outcome)
        gone = operation.when_gone if verdict is Verdict.GONE else None
        if gone is not None:
            goes_on = yield from search.note(operation, endpoint, reply, until)
            # The last request of a search has the other half of the time.
            if goes_on and clock.monotonic() - started < backoff.total / 2:
                operation = replace(operation, fresh=True)
                continue
            if search.has_seen_it:
                raise _still_there(operation, reply)
            return gone
        chance = random.random()  # noqa: S311 - jitter is no secret
        pause = backoff.wait(attempt, clock.monotonic() - started, outcome.retry_after, chance)
        if verdict is not Verdict.RETRY or pause is None:
            raise _error(operation, endpoint, reply, outcome, verdict)
        yield Pause(pause)
        attempt += 1
        search.has_seen_it = False  # a delete whose answer is lost may have deleted it


def _answer(
    operation: Operation[T], endpoint: Endpoint, clock: Clock, *, until: float
) -> Generator[Step, Reply, Reply]:
    """Send a request and follow where content is said to be: in a redirect, or in the job."""
    reply = yield _send(operation, endpoint, until)
    elsewhere = _redirected(operation, endpoint, reply)
    if operation.streams and elsewhere is None and _is_missing(operation, reply, clock.now()):
        elsewhere = yield from _named(operation, endpoint, until=until)
    for _ in range(_MOST_REDIRECTS):
        if elsewhere is None:
            break
        reply = yield _send(elsewhere, endpoint, until)
        elsewhere = _redirected(operation, endpoint, reply)
    return reply


def _send(operation: Operation[Any], endpoint: Endpoint, until: float) -> Send:
    return Send(
        operation.request(endpoint),
        buys=operation.call is Call.BUY or operation.fresh,
        streams=operation.streams,
        longest=operation.longest,
        until=until,
    )


def _is_missing(operation: Operation[T], reply: Reply, now: float) -> bool:
    if not isinstance(reply, httpx.Response) or reply.is_success or reply.status_code in _ABOUT_THE_KEY:
        return False
    return judge(operation.call, failures.outcome_of(reply, now)) is Verdict.RAISE


def _job(
    operation: Operation[Any], endpoint: Endpoint, *, until: float
) -> Generator[Step, Reply, Video | None]:
    """Ask for the job behind an operation; None if it has none, or the server does not tell."""
    if operation.job is None:
        return None
    reply = yield _send(operation.job, endpoint, until)
    try:
        return operation.job.read(reply) if isinstance(reply, httpx.Response) and reply.is_success else None
    except Unreadable:
        return None


def _named(
    operation: Operation[T], endpoint: Endpoint, *, until: float
) -> Generator[Step, Reply, Operation[T] | None]:
    """Look into the job for the address of its file."""
    video = yield from _job(operation, endpoint, until=until)
    # The address of a job that is not done may be a preview's.
    if video is None or video.phase is not Phase.SUCCEEDED or not video.result_url:
        return None
    return _elsewhere(operation, endpoint, endpoint.base_url, video.result_url)


def _redirected(operation: Operation[T], endpoint: Endpoint, reply: Reply) -> Operation[T] | None:
    # Only content may live elsewhere; any other redirect is a wrong base URL or a login page.
    if not operation.streams or not isinstance(reply, httpx.Response) or not reply.has_redirect_location:
        return None
    return _elsewhere(operation, endpoint, str(reply.request.url), read_location(reply.headers))


def _elsewhere(operation: Operation[T], endpoint: Endpoint, base: str, location: str) -> Operation[T] | None:
    try:
        address = urljoin(base, location)
    except ValueError:
        return None
    if not is_address(address):
        return None
    check_address(endpoint, httpx.URL(address))
    return replace(operation, location=address)


def _value(operation: Operation[T], endpoint: Endpoint, reply: Reply) -> T | None:
    if not isinstance(reply, httpx.Response):
        return None
    redactor = operation.redactor(endpoint)
    try:
        value = _read(operation, reply)
        return value if value is None else _fit(operation, value, redactor)
    except Unreadable as problem:
        at_home = endpoint.is_home_of(str(reply.request.url))
        error = failures.with_words_of(reply, problem, secrets=redactor, at_home=at_home)
    if judge(operation.call, Outcome(Event.UNREADABLE)) is Verdict.UNKNOWN:
        raise _unknown(operation, str(error))
    raise error


def _read(operation: Operation[T], reply: httpx.Response) -> T | None:
    if reply.is_success:
        return operation.read(reply)
    return operation.rescue(reply) if operation.rescue else None


def _fit(operation: Operation[T], value: T, redactor: Redactor) -> T:
    """Take secrets out of what was read, where words are kept or shown."""
    if not operation.redacts:
        return value
    fit = responses.without_secrets(value, redactor, sent=operation.payload or {}, asked=operation.video_id)
    if operation.call is Call.BUY and getattr(fit, "id", None) != getattr(value, "id", None):
        raise Unreadable(
            "the id that the server gave can't be kept: it is too long, or repeats the key or the prompt"
        )
    return fit


def _outcome(reply: Reply, now: float) -> Outcome:
    if isinstance(reply, httpx.Response):
        return failures.outcome_of(reply, now)
    return Outcome(Event.NOT_SENT if isinstance(reply, _NOTHING_WAS_SENT) else Event.LOST)


def _error(
    operation: Operation[Any], endpoint: Endpoint, reply: Reply, outcome: Outcome, verdict: Verdict
) -> VideosError:
    error = _unnamed_error(operation, endpoint, reply, outcome, verdict)
    if _may_be_misaddressed(error) and _is_from_home(endpoint, reply):
        error.name_server(endpoint.name)
    return error


def _may_be_misaddressed(error: VideosError) -> bool:
    return isinstance(error, TransportError) or getattr(error, "status_code", None) in _ABOUT_THE_CONNECTION


def _unnamed_error(
    operation: Operation[Any], endpoint: Endpoint, reply: Reply, outcome: Outcome, verdict: Verdict
) -> VideosError:
    if isinstance(reply, httpx.Response):
        error = failures.error_of(
            reply,
            outcome,
            operation=operation.kind,
            video_id=operation.video_id,
            secrets=operation.redactor(endpoint),
            elsewhere=None if _is_from_home(endpoint, reply) else address_of(reply.request.url),
        )
        is_pending = reply.status_code in _STILL_AT_WORK
        return _unknown(operation, str(error), is_pending=is_pending) if verdict is Verdict.UNKNOWN else error
    reason = _reason(operation, endpoint, reply)
    if verdict is Verdict.UNKNOWN:
        return _unknown(operation, reason, is_pending=isinstance(reply, httpx.TimeoutException))
    kind = NotConnected if isinstance(reply, _NOTHING_WAS_SENT) else TransportError
    elsewhere = f" {address_of(reply.request.url)}" if reply and not _is_from_home(endpoint, reply) else ""
    server = f"the server{elsewhere}"
    return kind(f"{operation.name}: no answer from {server}: {reason}", video_id=operation.video_id)


@dataclass(slots=True)
class _Search:
    """
    Search for a video that a delete did not find: another server behind the same address may have it.

    :param left: how many requests it may still take.
    :param has_seen_it: whether an answer has shown the video since the last delete that may have deleted it.
    """

    left: int = _SEARCH_REQUESTS
    has_seen_it: bool = False

    def note(
        self, operation: Operation[Any], endpoint: Endpoint, reply: Reply, until: float
    ) -> Generator[Step, Reply, bool]:
        """Count a delete that found nothing, look for the video unless it was seen, and say if to go on."""
        self.left -= 1
        if not self.has_seen_it:
            self.left -= 1
            job = yield from _job(operation, endpoint, until=until)
            if job is not None and job.phase is Phase.STOPPED:
                self.left = 0
            elif job is not None:
                self.has_seen_it, self.left = True, max(self.left, _LEAST_DELETES)
        if self.has_seen_it and isinstance(reply, httpx.Response) and failures.is_no_route(reply):
            self.left = 0  # no server behind the address deletes: they have the same routes
        return self.left > 0


def _still_there(operation: Operation[Any], reply: Reply) -> NotSupported:
    status = reply.status_code if isinstance(reply, httpx.Response) else None
    return NotSupported(
        f"{operation.name}: the server answered {status} and still has the video: it does not support "
        f"{operation.name}, or one of its replicas does not know the others' videos",
        video_id=operation.video_id,
        status_code=status,
    )


def _reason(operation: Operation[Any], endpoint: Endpoint, reply: Reply) -> str:
    """Name what has gone wrong; what it says may be the other side's words."""
    name = type(reply).__name__
    if not _is_from_home(endpoint, reply):
        return name
    return f"{name}: {operation.redactor(endpoint).redact(str(reply))}"


def _is_from_home(endpoint: Endpoint, reply: Reply) -> bool:
    try:
        return reply is None or endpoint.is_home_of(str(reply.request.url))
    except RuntimeError:  # it is of our own making, and so knows no request
        return True


def _unknown(operation: Operation[Any], reason: str, *, is_pending: bool = False) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{operation.name}: the answer to a purchase is lost ({reason}), and it was not asked for again "
        "because that could buy a second one",
        video_id=operation.video_id,
        is_pending=is_pending,
    )


@dataclass(slots=True)
class Cursor:
    """
    Position of a walk through the list. It ends on servers that say nothing of a next page, or lie, too.

    :param after: the id to go on from.
    :param limit: how many videos a page holds.
    :param order: ``asc`` or ``desc``, by creation.
    """

    after: str | None
    limit: int | None
    order: str | None
    done: bool = False
    seen: set[str] = field(default_factory=set)

    def operation(self) -> Operation[VideoPage]:
        """Build the request for the next page."""
        return requests.list_page(after=self.after, limit=self.limit, order=self.order)

    def take(self, page: VideoPage) -> list[Video]:
        """Take in a page and return what is new in it."""
        fresh = [video for video in page.data if video.id not in self.seen]
        self.seen.update(video.id for video in fresh)
        self.done = page.has_more is False or not fresh
        self.after = page.last_id or (page.data[-1].id if page.data else None)
        return fresh
