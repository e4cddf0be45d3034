"""A small S3 server whose habits can be set: what it refuses, what it verifies, which answers get lost."""

from __future__ import annotations

import base64
import hashlib
import threading
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

_UPLOAD = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
_COMPLETE = b"<CompleteMultipartUploadResult><ETag>whole</ETag></CompleteMultipartUploadResult>"


@dataclass
class Habits:
    """Habits of a store."""

    refuses: tuple[str, ...] = ()
    """Beginnings of headers that it answers with 501."""
    returns_crc32: bool = False
    conditional: bool = True
    names_by_md5: bool = False
    """Give each part and object its MD5 as ETag."""
    damages: int = 0
    """So many parts to come are changed on their way."""
    loses: set[str] = field(default_factory=set)
    """Methods of writes whose next answer never arrives."""
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    parts: dict[int, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)


class Stub:
    """The server; ``habits`` may be changed while it runs."""

    def __enter__(self) -> Self:
        self.habits = Habits()
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: Stub

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def no(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())

    def do_HEAD(self) -> None:
        found = self.stub.habits.objects.get(urlsplit(self.path).path)
        if found is None:
            self.answer(404)
            return
        body, labels = found
        self.answer(200, b"", {**labels, "ETag": f'"{_md5(body).hex()}"', "content-length": str(len(body))})

    def do_PUT(self) -> None:
        habits, path = self.stub.habits, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        names = {name.lower(): value for name, value in self.headers.items()}
        habits.seen.append(names)
        if habits.damages and "partNumber" in path.query:
            habits.damages -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        if names.get("content-md5") not in {None, base64.b64encode(_md5(body)).decode()}:
            self.no(400, "BadDigest")
            return
        if any(name.startswith(begin) for name in names for begin in habits.refuses):
            self.no(501, "NotImplemented")
            return
        if "if-none-match" in names and habits.conditional and path.path in habits.objects:
            self.no(412, "PreconditionFailed")
            return
        self._write(body, names, path.path, parse_qs(path.query, keep_blank_values=True))

    def _write(self, body: bytes, names: dict[str, str], path: str, query: dict[str, list[str]]) -> None:
        habits = self.stub.habits
        labels = {name: value for name, value in names.items() if name.startswith("x-amz-meta-")}
        answer, headers = b"", {"ETag": f'"{_md5(body).hex()}"' if habits.names_by_md5 else '"part"'}
        if "uploads" in query:
            habits.labels, answer = labels, _UPLOAD
        elif "partNumber" in query:
            habits.parts[int(query["partNumber"][0])] = body
        elif self.command == "POST":
            habits.objects[path] = b"".join(habits.parts[at] for at in sorted(habits.parts)), habits.labels
            answer = _COMPLETE
        else:
            habits.objects[path] = body, labels
        if habits.returns_crc32 and "x-amz-checksum-crc32" in names:
            crc32 = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
            headers["x-amz-checksum-crc32"] = crc32
        if self.command in habits.loses and "uploads" not in query:
            habits.loses.discard(self.command)
            self.close_connection = True
            self.connection.close()
            return
        self.answer(200, answer, headers)

    do_POST = do_DELETE = do_PUT  # noqa: N815 - the names that the server looks for


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()
