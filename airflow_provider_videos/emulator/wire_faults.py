"""Faults on the wire, acted out: each wraps the answering of one request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from http.client import responses
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from airflow_provider_videos.emulator.errors import CODES, envelope
from airflow_provider_videos.emulator.faults import (
    AddHeaders,
    Answer,
    Cached,
    Corrupt,
    Cut,
    Drop,
    Latency,
    Stall,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from starlette.types import Message, Receive, Scope, Send

    from airflow_provider_videos.emulator.connection import Connection
    from airflow_provider_videos.emulator.faults import ShownEffect, WireEffect

Answering = Callable[["Send"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer that is kept, and since when."""

    at: float
    messages: list[Message]


Cache = dict["Hashable", CachedAnswer]


@dataclass(frozen=True, slots=True)
class Line:
    """
    The client's end of a request.

    :param scope: ASGI's own.
    :param receive: ASGI's own.
    :param now: the emulator's time.
    :param cache: answers that are kept between requests.
    """

    scope: Scope
    receive: Receive
    now: float = 0.0
    cache: Cache = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        """What can be broken."""
        connection: Connection = self.scope["state"]["connection"]
        return connection

    async def gone(self) -> None:
        """Wait until the client has left, or was made to."""
        await self.connection.lost.wait()


async def _discard(message: Message) -> None:
    """Send into the void: the work is done, nobody hears of it."""


def with_fault(answering: Answering, effect: WireEffect, line: Line) -> Answering:
    """
    Return an answering in which something goes wrong.

    :param answering: the right way.
    :param effect: what goes wrong.
    :param line: the client's end.
    """
    match effect:
        case Answer():
            acted = partial(_answer, answering, effect, line)
        case Latency():
            acted = partial(_delay, answering, effect, line)
        case Drop():
            acted = partial(_drop, answering, effect, line)
        case Cut():
            acted = partial(_cut, answering, effect, line)
        case Stall():
            acted = partial(_stall, answering, effect, line)
        case Cached():
            acted = partial(_cached, answering, effect, line)
        case _:
            acted = partial(_altered(effect), answering)
    return acted


def _altered(
    effect: AddHeaders | Corrupt | ShownEffect,
) -> Callable[[Answering, Send], Coroutine[Any, Any, None]]:
    """Return what makes a whole answer that is not quite the right one."""
    match effect:
        case AddHeaders():
            return partial(_add_headers, effect)
        case Corrupt():
            return partial(_corrupt, effect)
    return partial(_change, effect)


async def _answer(answering: Answering, effect: Answer, line: Line, send: Send) -> None:
    if effect.accepted:
        await answering(_discard)
    await _response(effect)(line.scope, line.receive, send)


def _response(effect: Answer) -> Response:
    body, headers = effect.body, dict(effect.headers)
    if body is None and effect.status < 400:
        return Response(None, effect.status, headers)
    if isinstance(body, bytes):
        return Response(body, effect.status, headers, "application/octet-stream")
    if isinstance(body, str):
        return Response(body, effect.status, headers, "text/plain")
    if body is None:
        body = envelope(effect.status, responses.get(effect.status, "Error"), code=CODES.get(effect.status))
    return JSONResponse(body, effect.status, headers)


async def _add_headers(effect: AddHeaders, answering: Answering, send: Send) -> None:
    await answering(_with_headers(send, effect.headers))


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    added = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_more


async def _delay(answering: Answering, effect: Latency, line: Line, send: Send) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(effect.seconds):
            await line.gone()
    await answering(send)


async def _drop(answering: Answering, effect: Drop, line: Line, _: Send) -> None:
    if effect.accepted:
        await answering(_discard)
    line.connection.drop(reset=effect.reset)
    await line.gone()


async def _cut(answering: Answering, effect: Cut, line: Line, send: Send) -> None:
    await answering(_first_bytes(send, effect.after_bytes, line.connection.finish))
    await line.gone()


async def _stall(answering: Answering, effect: Stall, line: Line, send: Send) -> None:
    if effect.after_bytes is not None:
        await answering(_first_bytes(send, effect.after_bytes, lambda: None))
    elif effect.accepted:
        await answering(_discard)
    await line.gone()


async def _corrupt(effect: Corrupt, answering: Answering, send: Send) -> None:
    before = 0

    async def send_changed(message: Message) -> None:
        nonlocal before
        body = bytearray(message.get("body", b""))
        if before <= effect.at_byte < before + len(body):
            body[effect.at_byte - before] ^= 0xFF
            message = {**message, "body": bytes(body)}
        before += len(body)
        await send(message)

    await answering(send_changed)


async def _cached(answering: Answering, effect: Cached, line: Line, send: Send) -> None:
    key = (effect, line.scope["path"], line.scope["query_string"])
    kept = line.cache.get(key)
    if line.scope["method"] != "GET" or kept is None or _is_stale(kept, effect, line):
        kept = line.cache[key] = CachedAnswer(line.now, [])
        await answering(_into(kept.messages))
    elif effect.age:
        send = _with_headers(send, {"age": str(int(line.now - kept.at))})
    if effect.date:
        send = _with_headers(send, {"date": formatdate(kept.at, usegmt=True)})
    for message in kept.messages:
        await send(message)


def _is_stale(kept: CachedAnswer, effect: Cached, line: Line) -> bool:
    asked = dict(line.scope["headers"]).get(b"cache-control", b"")
    return line.now - kept.at >= effect.seconds or (effect.obeys and b"no-cache" in asked)


def _into(messages: list[Message]) -> Send:
    async def keep(message: Message) -> None:
        messages.append(message)

    return keep


async def _change(effect: ShownEffect, answering: Answering, send: Send) -> None:
    messages: list[Message] = []
    await answering(_into(messages))
    start, *rest = messages
    body = b"".join(message.get("body", b"") for message in rest)
    with suppress(ValueError):
        body = json.dumps(_changed(json.loads(body), effect)).encode()
    headers = [header for header in start["headers"] if header[0] != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


def _changed(shown: Any, effect: ShownEffect) -> Any:
    """A video, or a page of videos, with each of them changed; anything else as it is."""
    if not isinstance(shown, dict):
        return shown
    if isinstance(shown.get("data"), list):
        return shown | {"data": [_changed(one, effect) for one in shown["data"]]}
    return effect.change(shown) if "status" in shown else shown


def _length(start: Message) -> int:
    return next(int(value) for name, value in start["headers"] if name == b"content-length")


def _first_bytes(send: Send, allowed: int, then: Callable[[], None]) -> Send:
    """Let the head and so many bytes of the body through, then do something, then swallow the rest."""
    left: int | None = allowed

    async def send_some(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            left = min(left or 0, max(_length(message) - 1, 0))  # never the whole answer
            await send(message)
        elif left is not None:
            body = message.get("body", b"")[:left]
            left -= len(body)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if left == 0:
                left = None
                then()
        else:
            await asyncio.sleep(0)  # the rest is made for nobody; others have their turn

    return send_some
