"""Application: each request is recorded, disturbed by faults, checked for its key and answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate
from secrets import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

from airflow_provider_videos.emulator import fields
from airflow_provider_videos.emulator.contract import OPERATIONS
from airflow_provider_videos.emulator.control import Control, check_access
from airflow_provider_videos.emulator.errors import ContractError
from airflow_provider_videos.emulator.faults import WIRE_EFFECTS, RequestInfo, WireEffect
from airflow_provider_videos.emulator.operations import Operations
from airflow_provider_videos.emulator.profiles import unwrap
from airflow_provider_videos.emulator.record import Exchange, safe_headers, safe_query
from airflow_provider_videos.emulator.render_cache import RenderCache
from airflow_provider_videos.emulator.submissions import Submissions
from airflow_provider_videos.emulator.wire_faults import Answering, Line, with_fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import Message, Receive, Scope, Send

    from airflow_provider_videos.emulator.jobs import Jobs
    from airflow_provider_videos.emulator.state import State

CONTROL = "/_emulator/"


@dataclass(frozen=True, slots=True)
class Route:
    """An operation's place."""

    name: str
    method: str
    pattern: re.Pattern[str]
    handler: Callable[..., Awaitable[Response]]


def _route(method: str, path: str, handler: Callable[..., Awaitable[Response]]) -> Route:
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))
    return Route(handler.__name__, method, pattern, handler)


def _routes(state: State, jobs: Jobs, rendered: RenderCache) -> list[Route]:
    submit, at, control = Submissions(state, jobs), Operations(state, jobs, rendered), Control(state)
    routes = [
        *(
            _route(place.method, place.path, getattr(submit if place.buys else at, name))
            for name, place in OPERATIONS.items()
        ),
        _route("GET", f"{CONTROL}faults", control.faults),
        _route("POST", f"{CONTROL}faults", control.inject),
        _route("DELETE", f"{CONTROL}faults", control.clear),
        _route("GET", f"{CONTROL}record", control.record),
        _route("DELETE", f"{CONTROL}record", control.clear_record),
        _route("POST", f"{CONTROL}clock", control.clock),
        _route("POST", f"{CONTROL}restart", control.restart),
    ]
    head = [_route("HEAD", OPERATIONS["content"].path, at.content)] if state.profile.head else []
    return [route for route in routes + head if route.name not in state.profile.absent]


@dataclass(frozen=True, slots=True)
class Found:
    """The operation that a method and a path lead to."""

    route: Route | None
    parameters: dict[str, str]
    allowed: list[str]
    """The methods the path takes."""


class Application:
    """
    The ASGI application.

    :param state: the server it answers for.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        rendered = RenderCache()
        self._tables = [_routes(state, jobs, rendered) for jobs in state.replicas.jobs]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        table = self._tables[self._state.replicas.choose(scope["state"]["connection"].number)]
        found = _find(table, scope["method"], scope["raw_path"].decode("latin-1").partition("?")[0])
        request = Request(scope, receive)
        if scope["path"].startswith(CONTROL):
            await (await self._respond(request, found))(scope, receive, send)
            return
        self._state.clock.tick()
        exchange = self._exchange(scope, found)
        self._state.record.note(exchange)
        answering = await self._answering(request, found)
        await answering(self._recording(send, exchange))
        await request.close()

    def _exchange(self, scope: Scope, found: Found) -> Exchange:
        return Exchange(
            operation=found.route.name if found.route else None,
            method=scope["method"],
            path=scope["path"],
            query=safe_query(scope["query_string"]),
            headers=safe_headers(scope["headers"]),
            connection=scope["state"]["connection"].number,
            at=self._state.clock.now(),
            request_id=f"req_{self._state.request_tokens.next()}",
        )

    async def _answering(self, request: Request, found: Found) -> Answering:
        """The whole request is read before any fault hits, so that each hits at the same point."""
        await request.body()
        info = await self._request_info(request, found)
        request.state.info = info  # a job's plan is drawn when there is a job
        effects = self._state.faults.match(info, WIRE_EFFECTS)
        line = Line(request.scope, request.receive, self._state.clock.now(), self._state.faults.cache)

        async def answer(send: Send) -> None:
            response = await self._respond(request, found)
            await response(request.scope, request.receive, send)

        answering: Answering = answer
        for effect in reversed(effects):
            if isinstance(effect, WireEffect):
                answering = with_fault(answering, effect, line)
        return answering

    async def _request_info(self, request: Request, found: Found) -> RequestInfo:
        operation = found.route.name if found.route else None
        prompt = await _prompt(request) if request.method == "POST" else self._prompt_of(found.parameters)
        return RequestInfo(operation, request.method, request.url.path, prompt)

    def _prompt_of(self, parameters: dict[str, str]) -> str:
        identity = parameters.get("video_id", "")
        identity = unwrap(identity) if self._state.profile.wraps_ids else identity
        job = self._state.replicas.find(identity, self._state.clock.now())
        return job.prompt if job else ""

    async def _respond(self, request: Request, found: Found) -> Response:
        try:
            if request.scope["path"].startswith(CONTROL):
                check_access(request, self._state.api_key)
            elif request.scope["path"].startswith("/v1/"):
                self._check_key(request)
            if found.route is None:
                return self._unrouted(request, found.allowed)
            return await found.route.handler(request, **found.parameters)
        except ContractError as error:
            return self._drawn(error)

    def _drawn(self, error: ContractError) -> Response:
        draw = error.envelope or self._state.profile.envelope
        body = draw(error.status, error.message, error.param, error.code)
        kind = PlainTextResponse if isinstance(body, str) else JSONResponse
        return kind(body, error.status, dict(error.headers))

    def _check_key(self, request: Request) -> None:
        key, profile = self._state.api_key, self._state.profile
        given = request.headers.get("authorization", "")
        if key is None or compare_digest(given.encode("latin-1"), f"Bearer {key}".encode()):
            return
        raise (profile.wrong_key if given else profile.no_key).error()

    def _unrouted(self, request: Request, allowed: list[str]) -> Response:
        profile, path = self._state.profile, request.url.path
        if path.endswith("/") and profile.trailing_slash == 307:
            return RedirectResponse(path.rstrip("/"), 307)
        where = f"{request.method} {path}"
        status, message, code = 404, f"Invalid URL ({where})", "unknown_url"
        headers = {}
        if path.endswith("/"):
            status = profile.trailing_slash
        elif allowed and profile.wrong_method == 405:
            status, message, code = 405, f"Not allowed to {where}.", "method_not_allowed"
            headers = {"allow": ", ".join(allowed)}
        return self._drawn(
            ContractError(status, message, code=code, envelope=profile.no_route, headers=headers)
        )

    def _recording(self, send: Send, exchange: Exchange) -> Send:
        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                given = {name for name, _ in message["headers"]}
                more = [header for header in self._every_header(exchange) if header[0] not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            else:
                self._state.record.count(exchange, len(message.get("body", b"")))
            await send(message)

        return send_recorded

    def _every_header(self, exchange: Exchange) -> list[tuple[bytes, bytes]]:
        date = formatdate(self._state.clock.now(), usegmt=True)
        return [(b"date", date.encode()), (b"x-request-id", exchange.request_id.encode())]


def _find(table: list[Route], method: str, path: str) -> Found:
    allowed = []
    for route in table:
        if match := route.pattern.fullmatch(path):
            if route.method == method:
                # Taken apart before it is decoded: an id may hold a slash.
                given = {name: unquote(value) for name, value in match.groupdict().items()}
                return Found(route, given, [method])
            allowed.append(route.method)
    return Found(None, {}, allowed)


async def _prompt(request: Request) -> str:
    """The prompt of a request that may be no good; why not is found out later."""
    try:
        given: Any = (await fields.read_fields(request)).get("prompt")
    except ContractError:
        return ""
    return given if isinstance(given, str) else ""
