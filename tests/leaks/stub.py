"""A server that repeats what it was sent, at every door, and a host that it sends clients to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

from tests.leaks.forms import FORMS, HEADER, KEY, PROMPT, QUERY, SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = (KEY, HEADER, QUERY, PROMPT)


def echoes(name: str, *, prompt: bool = True) -> str:
    """Return all that a server knows, in one form; a task that was told no prompt can't know one."""
    return " | ".join(FORMS[name](secret) for secret in SECRETS if prompt or secret != PROMPT)


class Stub:
    """Two servers on loopback, for the length of a `with` block."""

    def __enter__(self) -> Self:
        self._servers = [self._start(self._elsewhere), self._start(self._home)]
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def base_url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self._servers[1].server_port}/v1"

    def _start(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> ThreadingHTTPServer:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def _any(self) -> None:
                answer(self)

            do_GET = do_POST = do_DELETE = do_OPTIONS = _any  # noqa: N815 - the base class's names

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def _elsewhere(self, handler: BaseHTTPRequestHandler) -> None:
        words = (
            f"<Error><Code>AccessDenied</Code><Message>{SIGNATURE} {' | '.join(SECRETS)}</Message></Error>"
        )
        _send(handler, 403, words.encode(), {"x-request-id": KEY, "content-type": "application/xml"})

    def _home(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        door, name = _aim(handler, body)
        signed = f"http://127.0.0.1:{self._servers[0].server_port}/v.mp4?{SIGNATURE}"
        wants_file = "/content" in handler.path
        knows_prompt = handler.command == "POST" or (door in STATUSES and not wants_file)
        said = f"{echoes(name, prompt=knows_prompt)} {signed}"
        if door == "list":
            videos = [_video(f"video_{at}", form, echoes(form)) for at, form in enumerate(FORMS)]
            _json(handler, 200, {"data": videos, "has_more": False})
        elif door == "redirect" and wants_file:
            _send(handler, 302, b"", {"location": signed, "x-request-id": FORMS["percent"](KEY)})
        elif door == "file" and wants_file:
            _send(handler, 200, said.encode(), {"content-type": f"text/{FORMS['percent'](KEY)}"})
        elif door in STATUSES and not wants_file:
            video = _video(f"{door}.{name}", name, said)
            _json(handler, 200, {**video, "status": STATUSES[door] or said[:300], "url": signed})
        elif door == "id":
            _json(handler, 200, _video(FORMS[name](KEY), name, said))
        else:
            error = {"message": said, "code": FORMS[name](KEY), "param": FORMS[name](HEADER)}
            _json(handler, 400 if handler.command == "POST" else 403, {"error": error})


STATUSES = {
    "failed": "failed",
    "done": "completed",
    "redirect": "completed",
    "file": "completed",
    "bought": "",
    "poll": "",
}


def _aim(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[str, str]:
    """Read door and form out of the request's body, or out of the id in its path."""
    if handler.command == "POST":
        given = str(json.loads(body).get("aim"))
    else:
        given = next(
            (part for part in unquote(urlsplit(handler.path).path).split("/") if "." in part), "list.raw"
        )
    door, _, name = given.partition(".")
    return door, name if name in FORMS else "raw"


def _video(video_id: str, name: str, said: str) -> dict[str, Any]:
    return {
        "id": video_id,
        "model": FORMS[name](KEY),
        "size": FORMS[name](PROMPT),
        "seconds": FORMS[name](HEADER),
        "prompt": f"{PROMPT} {FORMS[name](KEY)}",
        "remixed_from_video_id": FORMS[name](KEY),
        "error": {"message": said, "code": FORMS[name](QUERY)},
        "progress": 7,
    }


def _json(handler: BaseHTTPRequestHandler, status: int, body: object) -> None:
    headers = {"content-type": "application/json", "x-request-id": FORMS["base64"](KEY)}
    _send(handler, status, json.dumps(body).encode(), headers)


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {**headers, "content-length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
