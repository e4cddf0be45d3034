"""Two hosted vendors, Veo and Runway, as far as a gateway speaks to them."""

from __future__ import annotations

import itertools
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_videos.emulator.content import SyntheticVideo

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = SyntheticVideo(200_000)
PATIENCE = 2
"""How many times a job says that it runs, before it ends."""
FAILED, FILTERED, LONG = "[fail]", "[filter]", "[long]"


@dataclass
class Job:
    """A bought job: how often it was asked for, and with which fields it was bought."""

    id: str
    prompt: str
    fields: dict[str, Any]
    asked: int = 0

    def is_done(self) -> bool:
        """Count a question; a job ends at the first one unless its prompt says otherwise."""
        self.asked += 1
        return self.asked > PATIENCE or LONG not in self.prompt


@dataclass
class Vendors:
    """
    Both vendors at one address, for the length of a `with` block.

    A prompt with ``[fail]`` makes a job fail, one with ``[filter]`` is stopped by a safety filter at Veo, one
    with ``[long]`` takes some polls.
    """

    jobs: dict[str, Job] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    """Statuses of the next creates, which buy nothing."""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __enter__(self) -> Self:
        vendors = self

        class Handler(_Handler):
            def answer(self, method: str, fields: dict[str, Any]) -> tuple[int, Any]:
                return vendors._answer(method, self.path.partition("?")[0], fields)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where they are."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _answer(self, method: str, path: str, fields: dict[str, Any]) -> tuple[int, Any]:
        for (verb, pattern), act in self._routes().items():
            if verb == method and (match := re.fullmatch(pattern, path)):
                return act(fields, **match.groupdict())
        return 404, {"error": {"code": 404, "message": f"no {method} {path}"}}

    def _routes(self) -> dict[tuple[str, str], Callable[..., tuple[int, Any]]]:
        return {
            ("POST", r"/v1beta/models/(?P<model>[^/]+):predictLongRunning"): self._veo_create,
            ("GET", r"/v1beta/models/[^/]+/operations/(?P<job_id>[^/]+)"): self._veo_operation,
            ("POST", r"/v1/(text|image)_to_video"): self._runway_create,
            ("GET", r"/v1/tasks/(?P<job_id>[^/]+)"): self._runway_task,
            ("GET", r"/files/[^/]+"): lambda _: (200, b"".join(FILE.chunks(0, FILE.size))),
        }

    def _make(self, prompt: str, fields: dict[str, Any]) -> Job | None:
        if self.refusals:
            return None
        job = Job(f"{next(self._numbers):08d}-4f29-4e58-99d3-1cb9efa14a5b", prompt, fields)
        self.jobs[job.id] = job
        return job

    def _veo_create(self, fields: dict[str, Any], model: str) -> tuple[int, Any]:
        job = self._make(fields["instances"][0]["prompt"], fields)
        if job is None:
            return self.refusals.pop(), {"error": {"message": "The model is overloaded."}}
        return 200, {"name": f"models/{model}/operations/{job.id}"}

    def _veo_operation(self, _: dict[str, Any], job_id: str) -> tuple[int, Any]:
        if job_id not in self.jobs:
            return 404, {"error": {"code": 404, "message": "Operation not found.", "status": "NOT_FOUND"}}
        job = self.jobs[job_id]
        named = {"name": f"models/veo-3.1/operations/{job_id}"}
        if not job.is_done():
            return 200, named
        if FAILED in job.prompt:
            return 200, {**named, "done": True, "error": {"code": 13, "message": "Internal error."}}
        made: dict[str, Any] = {
            "generatedSamples": [{"video": {"uri": f"{self.url}/files/{job_id}.mp4?alt=media"}}]
        }
        if FILTERED in job.prompt:
            made = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["It may show a celebrity."]}
        return 200, {**named, "done": True, "response": {"generateVideoResponse": made}}

    def _runway_create(self, fields: dict[str, Any]) -> tuple[int, Any]:
        job = self._make(fields["promptText"], fields)
        if job is None:
            return self.refusals.pop(), {"error": "Too busy."}
        return 200, {"id": job.id}

    def _runway_task(self, _: dict[str, Any], job_id: str) -> tuple[int, Any]:
        if job_id not in self.jobs:
            return 404, {"error": "Task not found."}
        job = self.jobs[job_id]
        known = {"id": job_id, "createdAt": "2026-11-25T21:48:50.448Z"}
        if not job.is_done():
            return 200, {**known, "status": "THROTTLED" if job.asked == 1 else "RUNNING", "progress": 0.4}
        if FAILED in job.prompt:
            why = {"failure": "Something went wrong.", "failureCode": "INTERNAL.BAD_OUTPUT.CODE01"}
            return 200, {**known, "status": "FAILED", **why}
        return 200, {**known, "status": "SUCCEEDED", "output": [f"{self.url}/files/{job_id}.mp4?_jwt=x"]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, method: str, fields: dict[str, Any]) -> tuple[int, Any]:
        raise NotImplementedError

    def do_GET(self) -> None:
        self._respond("GET", {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self._respond("POST", json.loads(body))

    def _respond(self, method: str, fields: dict[str, Any]) -> None:
        status, answer = self.answer(method, fields)
        is_file = isinstance(answer, bytes)
        body = answer if is_file else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "video/mp4" if is_file else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""
