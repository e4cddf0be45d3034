"""
A Videos server that only answers questions, as fast as Python can, after a fixed latency.

It is what the waiting is measured against: ``python videos_stub.py --waits 1000 --others 0 --list``. Its jobs
never end. ``GET /_counts`` returns what it has seen since the last time it was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from urllib.parse import parse_qs, urlsplit

LATENCY_SECONDS = 0.02
LARGEST_PAGE = 100


def video(video_id: str) -> bytes:
    job: dict[str, object] = {
        "id": video_id,
        "object": "video",
        "status": "in_progress",
        "progress": 42,
        "model": "bench",
    }
    job |= {"created_at": 1_800_000_000, "completed_at": None, "expires_at": None, "error": None}
    job |= {"prompt": "A paper boat on a calm lake, seen from above", "seconds": "4", "size": "1280x720"}
    return json.dumps(job | {"remixed_from_video_id": None}).encode()


class Stub:
    def __init__(self, waits: int, others: int, *, lists: bool) -> None:
        self.lists = lists
        names = [f"video_other{number:027}" for number in range(others)]
        names += [f"video_{number:032}" for number in range(waits)]
        self.place = {name: number for number, name in enumerate(names)}
        self.jobs = [video(name) for name in names]
        self.counts = {"connections": 0, "open": 0, "most_open": 0, "retrieve": 0, "list": 0}

    def answer(self, target: str) -> tuple[int, bytes]:
        parts = urlsplit(target)
        path = parts.path.removeprefix("/v1")
        if path == "/videos":
            return self.page(parse_qs(parts.query)) if self.lists else (404, b'{"error": "no list"}')
        if path == "/_counts":
            seen = self.counts
            self.counts = seen | {"connections": 0, "most_open": seen["open"], "retrieve": 0, "list": 0}
            return 200, json.dumps(seen).encode()
        self.counts["retrieve"] += 1
        if path.startswith("/batches/"):
            batch: dict[str, object] = {"id": path[9:], "object": "batch", "status": "in_progress"}
            batch |= {"completion_window": "24h", "created_at": 1_800_000_000, "input_file_id": "file"}
            batch |= {"endpoint": "/v1/videos"}
            return 200, json.dumps(batch).encode()
        return 200, self.jobs[self.place[path.removeprefix("/videos/")]]

    def page(self, query: dict[str, list[str]]) -> tuple[int, bytes]:
        self.counts["list"] += 1
        begin = self.place[query["after"][0]] + 1 if "after" in query else 0
        end = begin + min(int(query.get("limit", ["20"])[0]), LARGEST_PAGE)
        jobs, more = self.jobs[begin:end], end < len(self.jobs)
        last = json.loads(jobs[-1])["id"] if jobs else None
        tail = json.dumps({"object": "list", "last_id": last, "has_more": more})[1:].encode()
        return 200, b'{"data": [' + b",".join(jobs) + b"], " + tail


class Connection(asyncio.Protocol):
    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.received = b""
        self.counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self.stub.counts["open"] -= self.counted

    def count(self) -> None:
        counts = self.stub.counts
        self.counted = True
        counts["connections"] += 1
        counts["open"] += 1
        counts["most_open"] = max(counts["most_open"], counts["open"])

    def data_received(self, data: bytes) -> None:
        self.received += data
        if b"\r\n\r\n" in self.received:
            target = self.received.split(b" ", 2)[1].decode()
            self.received = b""
            if not self.counted and target != "/_counts":
                self.count()
            asyncio.get_running_loop().call_later(LATENCY_SECONDS, self.send, *self.stub.answer(target))

    def send(self, status: int, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--waits", type=int, required=True)
    parser.add_argument("--others", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    stub = Stub(options.waits, options.others, lists=options.list)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=8192)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
