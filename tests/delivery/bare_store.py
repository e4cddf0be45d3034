"""A store that speaks S3 as little as some do: it takes no checksums and knows no conditional writes."""

from __future__ import annotations

import hashlib
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

UNKNOWN = ("content-md5", "x-amz-checksum-", "x-amz-sdk-checksum-", "if-none-match")


class BareStore(ThreadingHTTPServer):
    """Objects and uploads in memory; any header of :data:`UNKNOWN` is 501, as S3 says it of such headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.uploads: dict[str, tuple[str, dict[str, str], dict[int, bytes]]] = {}
        self.numbers = itertools.count(1)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BareStore

    def log_message(self, *_: Any) -> None:
        pass

    def _asked(self) -> tuple[str, dict[str, str], bytes]:
        parts = urlsplit(self.path)
        query = {name: value[0] for name, value in parse_qs(parts.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        return unquote(parts.path).partition("/")[2].partition("/")[2], query, body

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "content_length" not in headers:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def _is_understood(self) -> bool:
        if any(name.lower().startswith(UNKNOWN) for name in self.headers):
            self._refuse(501, "NotImplemented")
            return False
        return True

    def _labels(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}

    def do_PUT(self) -> None:
        key, query, body = self._asked()
        if not self._is_understood():
            return
        if "uploadId" not in query:
            self.server.objects[key] = body, self._labels()
        elif query["uploadId"] in self.server.uploads:
            self.server.uploads[query["uploadId"]][2][int(query["partNumber"])] = body
        else:
            self._refuse(404, "NoSuchUpload")
            return
        self._answer(200, etag=_etag(body))

    def do_POST(self) -> None:
        key, query, _ = self._asked()
        if not self._is_understood():
            return
        if "uploads" in query:
            number = str(next(self.server.numbers))
            self.server.uploads[number] = key, self._labels(), {}
            self._answer(200, f"<R><UploadId>{number}</UploadId></R>".encode())
        elif query["uploadId"] in self.server.uploads:
            key, labels, parts = self.server.uploads.pop(query["uploadId"])
            data = b"".join(parts[number] for number in sorted(parts))
            self.server.objects[key] = data, labels
            self._answer(200, f"<R><ETag>{_etag(data)}</ETag></R>".encode())
        else:
            self._refuse(404, "NoSuchUpload")

    def do_DELETE(self) -> None:
        key, query, _ = self._asked()
        if "uploadId" not in query:
            self.server.objects.pop(key, None)
        elif self.server.uploads.pop(query["uploadId"], None) is None:
            self._refuse(404, "NoSuchUpload")
            return
        self._answer(204)

    def do_HEAD(self) -> None:
        key, _, _ = self._asked()
        if key not in self.server.objects:
            self._answer(404)
            return
        data, labels = self.server.objects[key]
        self._answer(200, b"", content_length=str(len(data)), etag=_etag(data), **labels)

    def do_GET(self) -> None:
        key, query, _ = self._asked()
        if "uploads" in query:
            found = [f"<Upload><Key>{key}</Key></Upload>" for key, *_ in self.server.uploads.values()]
            self._answer(200, f"<R>{''.join(found)}</R>".encode())
        elif "list-type" in query:
            keys = [name for name in self.server.objects if name.startswith(query.get("prefix", ""))]
            found = [f"<Contents><Key>{name}</Key></Contents>" for name in keys]
            self._answer(200, f"<R>{''.join(found)}</R>".encode())
        elif key in self.server.objects:
            data, labels = self.server.objects[key]
            self._answer(200, data, etag=_etag(data), **labels)
        else:
            self._refuse(404, "NoSuchKey")


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
