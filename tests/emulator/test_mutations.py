"""Forty-five wrong answers: each is caught by the contract's checks, so the checks can fail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.emulator.videos_contract import CHECKS, Subject, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the JSON body in place."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return
        change(content)
        self.body = json.dumps(content).encode()
        self.headers["content-length"] = str(len(self.body))


@dataclass(frozen=True)
class Mutation:
    name: str
    change: Callable[[Reply], object]
    method: str = "GET"
    path: str = "/v1/videos/"
    exclude: str = "/content"


def video(name: str, value: object) -> Callable[[Reply], object]:
    """In every video, alone or in a list, a field of another value."""
    return lambda reply: reply.edit(lambda body: body.update({name: value}) if "status" in body else None)


def without(name: str) -> Callable[[Reply], object]:
    return lambda reply: reply.edit(lambda body: body.pop(name, None))


def body(name: str, value: object) -> Callable[[Reply], object]:
    return lambda reply: reply.edit(lambda body: body.update({name: value}) if "error" not in body else None)


def error(name: str, value: object) -> Callable[[Reply], object]:
    return lambda reply: reply.edit(
        lambda body: body["error"].update({name: value}) if body.get("error") else None
    )


def status(right: int, wrong: int) -> Callable[[Reply], object]:
    return lambda reply: setattr(reply, "status", wrong if reply.status == right else reply.status)


def header(name: str, value: str | None) -> Callable[[Reply], object]:
    return lambda reply: (
        reply.headers.pop(name, None) if value is None else reply.headers.update({name: value})
    )


def reverse(reply: Reply) -> None:
    reply.edit(lambda page: page["data"].reverse() if "data" in page else None)


def repeat(reply: Reply) -> None:
    reply.edit(lambda page: page["data"].extend(page["data"][:1]) if "data" in page else None)


def truncate(reply: Reply) -> None:
    if reply.status == 200:
        reply.body = reply.body[: len(reply.body) // 2]
    reply.headers["content-length"] = str(len(reply.body))


def shift(reply: Reply) -> None:
    """A part that begins one byte too late."""
    if reply.status == 206:
        reply.body = reply.body[1:] + b"\0"


CONTENT = {"path": "/content", "exclude": "-"}
LIST = {"path": "/v1/videos", "exclude": "/v1/videos/"}

MUTATIONS = [
    Mutation("no remix", status(200, 404), method="POST", path="/remix"),
    Mutation("no edits", status(200, 404), method="POST", path="/v1/videos/edits"),
    Mutation("no extensions", status(200, 405), method="POST", path="/v1/videos/extensions"),
    Mutation("no characters", status(200, 501), method="POST", path="/v1/videos/characters"),
    Mutation("no models", status(200, 404), path="/v1/models"),
    Mutation("a create without its id", without("id"), method="POST", path="/v1/videos"),
    Mutation("a create answered 201", status(200, 201), method="POST", path="/v1/videos"),
    Mutation("a create that loses the prompt", video("prompt", None), method="POST", path="/v1/videos"),
    Mutation("a create of 8 seconds for 4", video("seconds", "8"), method="POST", path="/v1/videos"),
    Mutation("a create as text", header("content-type", "text/plain"), method="POST", path="/v1/videos"),
    Mutation("no request id", header("x-request-id", None), method="POST", path="/v1/videos"),
    Mutation("no status", without("status")),
    Mutation("a fifth status", video("status", "processing")),
    Mutation("a job that never ends", video("status", "in_progress")),
    Mutation("a float for progress", video("progress", 12.5)),
    Mutation("progress beyond 100", video("progress", 101)),
    Mutation("seconds as a number", video("seconds", 4)),
    Mutation("no size", video("size", None)),
    Mutation("created_at as text", video("created_at", "now")),
    Mutation("created_at that moves", video("created_at", 1)),
    Mutation("no completed_at", video("completed_at", None)),
    Mutation("an expiry after a day", video("expires_at", 253402300799)),
    Mutation("another object", video("object", "video.job")),
    Mutation("an unknown id answered 200", status(404, 200)),
    Mutation("an error without a message", error("message", "")),
    Mutation("an error with a numeric code", error("code", 404)),
    Mutation(
        "an error with a plain string",
        lambda reply: reply.edit(lambda it: it.update(error="no") if it.get("error") else None),
    ),
    Mutation("a wrong key let in", status(401, 200), **LIST),
    Mutation("a list without has_more", without("has_more"), **LIST),
    Mutation("a list that says it ends", body("has_more", False), **LIST),
    Mutation("a list with a wrong last_id", body("last_id", "video_x"), **LIST),
    Mutation("a list back to front", reverse, **LIST),
    Mutation("a list with a repetition", repeat, **LIST),
    Mutation("a limit of 0 let through", status(400, 200), **LIST),
    Mutation("a deletion with the video for a receipt", body("object", "video"), method="DELETE"),
    Mutation("a deletion answered 202", status(200, 202), method="DELETE"),
    Mutation("a remix of nothing", video("remixed_from_video_id", None), method="POST", path="/remix"),
    Mutation("an extension of the new part only", video("seconds", "8"), method="POST", path="/extensions"),
    Mutation("a truncated file", truncate, **CONTENT),
    Mutation("a file of another type", header("content-type", "application/json"), **CONTENT),
    Mutation("a part answered 200", status(206, 200), **CONTENT),
    Mutation("a part shifted by a byte", shift, **CONTENT),
    Mutation("a part without its place", header("content-range", None), **CONTENT),
    Mutation("a HEAD let through", status(405, 200), method="HEAD", **CONTENT),
    Mutation("content before completion", status(404, 200), **CONTENT),
]


class Mutator:
    """An ASGI middleware that holds each answer back and lets the mutation in force at it."""

    def __init__(self) -> None:
        self.mutation: Mutation | None = None

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def mutated(scope: Scope, receive: Receive, send: Send) -> None:
            held: list[Message] = []

            async def hold(message: Message) -> None:
                held.append(message)

            await app(scope, receive, hold)
            reply = self._reply(held)
            if self._hits(scope):
                assert self.mutation
                self.mutation.change(reply)
            headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            await send({"type": "http.response.body", "body": reply.body})

        return mutated

    def _hits(self, scope: Scope) -> bool:
        it = self.mutation
        return (
            it is not None
            and it.method == scope["method"]
            and it.path in scope["path"]
            and it.exclude not in scope["path"]
        )

    @staticmethod
    def _reply(held: list[Message]) -> Reply:
        headers = {name.decode(): value.decode() for name, value in held[0]["headers"]}
        return Reply(held[0]["status"], headers, b"".join(message.get("body", b"") for message in held[1:]))


@dataclass
class Bench:
    mutator: Mutator
    emulator: Emulator
    client: httpx.Client
    rendered: str

    def subject(self, mutation: Mutation | None) -> Subject:
        """A fresh start for each: only the rendered video stays, then the mutation takes force."""
        self.mutator.mutation = None
        for video in self.client.get("/videos", params={"limit": 100}).json()["data"]:
            if video["id"] != self.rendered:
                self.client.delete(f"/videos/{video['id']}")
        self.mutator.mutation = mutation
        return Subject(
            self.client,
            pass_time=self.emulator.clock.advance,
            patience=10,
            complete=True,
            rendered=self.rendered,
        )


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    mutator = Mutator()
    emulator = Emulator(clock=ManualClock(), middleware=mutator)
    with emulator, connect(emulator.base_url, emulator.api_key) as client:
        rendered = Subject(client, pass_time=emulator.clock.advance, complete=True).video["id"]
        yield Bench(mutator, emulator, client, rendered)


def failing(subject: Subject) -> str | None:
    """The first check that fails; not every wrong answer is one a check foresaw, so any error will do."""
    for check in CHECKS:
        try:
            check(subject)
        except (AssertionError, LookupError, TypeError, ValueError, httpx.HTTPError, pytest.fail.Exception):
            return check.__name__
    return None


def test_right_answers_pass(bench: Bench) -> None:
    assert failing(bench.subject(None)) is None


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_wrong_answer_is_caught(mutation: Mutation, bench: Bench) -> None:
    assert failing(bench.subject(mutation)) is not None
    assert failing(bench.subject(None)) is None
