"""A server in a process of its own; it answers with whatever a request's header ``x-answer`` asks for."""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import json
import multiprocessing
import os
import socketserver
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

MIB = 1024 * 1024


@dataclass(frozen=True)
class Anything:
    """
    An answer.

    :param status: the status line behind the version.
    :param headers: pairs whose characters stand for bytes.
    :param body: a name out of :data:`BODIES`.
    :param size: about how many bytes the body has before it is encoded.
    :param framing: ``length``, ``close``, ``chunks``, ``tiny chunks`` or ``broken chunks``.
    :param gzipped: how many times the body is compressed.
    :param interim: how many answers come before the answer.
    :param many: how many further headers there are.
    :param line: how long the line of one further header is.
    """

    status: str = "200 OK"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = "video"
    size: int = 0
    framing: str = "length"
    gzipped: int = 0
    interim: int = 0
    many: int = 0
    line: int = 0

    def header(self) -> str:
        return base64.b64encode(json.dumps(asdict(self)).encode()).decode()

    def of_size(self, size: int) -> Anything:
        return replace(self, size=size)

    def pieces(self) -> Iterator[bytes]:
        body = BODIES[self.body](self.size)
        for _ in range(self.gzipped):
            body = gzip.compress(body, 1)
        yield b"HTTP/1.1 103 Early\r\n\r\n" * self.interim
        yield f"HTTP/1.1 {self.status}\r\n".encode("latin-1")
        for name, value in self.headers:
            yield f"{name}: {value}\r\n".encode("latin-1")
        yield b"a:\r\n" * self.many
        if self.line:
            yield b"x-line: %s\r\n" % (b"y" * self.line)
        if self.gzipped:
            yield b"content-encoding: " + b", ".join([b"gzip"] * self.gzipped) + b"\r\n"
        yield from _framed(self.framing, body)


def _framed(framing: str, body: bytes) -> Iterator[bytes]:
    if framing == "length":
        yield b"content-length: %d\r\n\r\n" % len(body)
        yield body
    elif framing == "close":
        yield b"connection: close\r\n\r\n"
        yield body
    else:
        size = {"chunks": 5000, "tiny chunks": 1, "broken chunks": 3}[framing]
        yield b"transfer-encoding: chunked\r\n\r\n"
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
        yield b"zz\r\n" if framing == "broken chunks" else b"0\r\n\r\n"


def _filled(unit: bytes, before: bytes = b"[", behind: bytes = b"1]") -> Callable[[int], bytes]:
    return lambda size: before + unit * (size // len(unit)) + behind


_VIDEO = (
    b'{"id": "video_1", "status": "queued", "created_at": 1795836150, "prompt": "A boat", "error": null},'
)

BODIES: dict[str, Callable[[int], bytes]] = {
    "nothing": lambda _: b"",
    "junk": lambda size: b"x" * size,
    "noise": os.urandom,
    "video": lambda size: b'{"id": "v", "status": "queued", "model": "%s"}' % (b"m" * size),
    "video of lists": _filled(b"[],", b'{"id": "v", "status": "queued", "x": [', b"1]}"),
    "video of objects": _filled(b'{"a":{}},', b'{"id": "v", "status": "queued", "x": [', b"1]}"),
    "video of words": _filled(b'"ab",', b'{"id": "v", "status": "queued", "x": [', b"1]}"),
    "error of links": _filled(b"http://x", b'{"error": {"message": "', b'"}}'),
    "error of keys": _filled(b"the-very-key", b'{"error": {"message": "', b'"}}'),
    "error of escapes": _filled(b"\\\\u0025", b'{"error": {"message": "', b'"}}'),
    "error of entities": _filled(b"&amp;", b'{"error": {"message": "', b'"}}'),
    "error of braces": _filled(b'{\\"a\\":', b'{"error": {"message": "', b'"}}'),
    "error of objects": _filled(b'{\\"a\\":1}', b'{"error": {"message": "', b'"}}'),
    "error of errors": _filled(b'{"msg": "a", "loc": ["b"]},', b'{"detail": [', b"1]}"),
    "page": _filled(_VIDEO, b'{"data": [', b"1]}"),
    "page of ids": _filled(b'{"id":1},', b'{"data": [', b"1]}"),
    "page of times": _filled(b'{"id":1,"created_at":"2026-11-23T00:00:00"},', b'{"data": [', b"1]}"),
    "numbers": _filled(b"1,"),
    "long numbers": _filled(b"9" * 999 + b","),
    "one number": lambda size: b"9" * size,
    "one fraction": lambda size: b"0." + b"1" * size,
    "lists": _filled(b"[],"),
    "deep": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "deep objects": lambda size: b'{"a":' * (size // 6) + b"1" + b"}" * (size // 6),
    "zeros": bytes,
    "utf-16": lambda size: ("[" + "[]," * (size // 6) + "1]").encode("utf-16"),
    "half characters": _filled(b'"\\ud83d",'),
    "bytes of halves": _filled(b'"\xed\xa0\xbd",'),
    "not a number": _filled(b"NaN,-Infinity,"),
    "keys": lambda size: b"{" + b",".join(b'"%07x":1' % at for at in range(size // 12)) + b"}",
}


@functools.lru_cache(maxsize=1)
def _wire(header: bytes) -> bytes:
    return b"".join(Anything(**json.loads(base64.b64decode(header))).pieces())


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self.rfile.readline().strip():
                header, length = b"", 0
                while line := self.rfile.readline().strip():
                    name, _, value = line.partition(b":")
                    if name.lower() == b"x-answer":
                        header = value.strip()
                    elif name.lower() == b"content-length":
                        length = int(value)
                self.rfile.read(length)
                self.wfile.write(said := _wire(header))
                if b"\r\ncontent-length: " not in said:
                    return


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 128


def _serve(port: Connection) -> None:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        port.send(server.server_address[1])
        server.serve_forever()


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Run the server and return its base URL; it shares no interpreter with whoever measures times."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join()
