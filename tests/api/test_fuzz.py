"""
Whatever a server answers, the client ends in a model or in an error of its own tree, and never buys twice.

500 examples run with the other tests, always the same ones; ``make fuzz`` runs 10,000 new ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pickle
import socketserver
import threading
from itertools import islice

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.api.models import Character, Video, VideoDeleted
from airflow_provider_videos.api.retry import Backoff

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
RANDOM = "FUZZ_EXAMPLES" in os.environ

KEY, PROMPT, SIGNATURE = "sk-the-very-key", "A lighthouse nobody may hear of", "the-very-signature"
ENDPOINT = Endpoint("http://gpu.invalid/v1", api_key=KEY, timeout=Timeouts(connect=2, read=2, total=5))
ATTEMPTS = 3
BACKOFF = Backoff(attempts=ATTEMPTS, total=5, base=0, cap=0, longest_retry_after=0)
MOST_REQUESTS = ATTEMPTS * 7  # each attempt asks once, looks into the job once and follows five addresses


def fuzzed(examples):
    return settings(
        max_examples=examples,
        derandomize=not RANDOM,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# --- What servers may answer --------------------------------------------------------------------------------

NAMES = st.sampled_from(
    (
        *("id", "object", "status", "progress", "seconds", "size", "prompt", "created_at", "expires_at"),
        *("error", "message", "code", "type", "param", "detail", "data", "has_more", "last_id", "msg", "loc"),
        *("url", "urls", "unsigned_urls", "content", "videos", "deleted", "name"),
    )
)
WORDS = st.sampled_from(
    (
        *(
            "v",
            "video",
            "queued",
            "completed",
            "failed",
            "deleted",
            "busy",
            "the limit of 1",
            "task_not_exist",
        ),
        *("insufficient_quota", "12", "1e999", "NaN", "2026-11-23T00:00:00Z", "Not Found", "", "{", "\ud83d"),
        *(KEY, PROMPT, f"http://other.invalid/v.mp4?sig={SIGNATURE}", "file:///etc/passwd", "http://[", "//"),
        *('{"id": "v", "status": "failed"}', 'x {"object": "video", "id": 1, "status": "failed"} y'),
    )
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20) | st.just(10**400)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)
VIDEOS = st.fixed_dictionaries(
    {"id": WORDS | SCALARS}, optional={"status": WORDS, "error": VALUES, "url": WORDS}
)
PAGES = st.fixed_dictionaries(
    {"data": st.lists(VIDEOS, max_size=4)}, optional={"has_more": SCALARS, "last_id": SCALARS}
)
ERRORS = st.fixed_dictionaries({"error": VALUES}) | st.fixed_dictionaries({"detail": VALUES})


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


WHOLE = (VALUES | VIDEOS | PAGES | ERRORS).map(dumped)
BODIES = (
    WHOLE
    | st.tuples(WHOLE, st.integers(0, 40)).map(lambda cut: cut[0][: cut[1]])
    | st.binary(max_size=60)
    | st.sampled_from((b"", b"[" * 5000, b"<html>", b"\xff\xfe{\0}\0", b"0000ftyp" + bytes(30)))
)
STATUSES = st.sampled_from((200, 202, 204, 206, 302, 307, 400, 401, 404, 405, 408, 409, 410, 422, 429))
STATUSES |= st.sampled_from((500, 501, 502, 503, 504)) | st.integers(200, 999)
HEADERS = st.dictionaries(
    st.sampled_from(
        (
            *("retry-after", "retry-after-ms", "location", "content-type", "content-encoding", "date"),
            *("x-request-id", "content-length", "transfer-encoding", "etag", "content-range", "set-cookie"),
        )
    ),
    st.sampled_from(
        (
            *("0", "1", "-1", "99999999999", "1.5", "nan", "gzip", "deflate", "br", "identity", "text/html"),
            *("/v1/videos/v/content", f"http://other.invalid/x?sig={SIGNATURE}", "ftp://x", "http://[", "//"),
            *("Mon, 23 Nov 2026 02:00:00 GMT", "application/json; charset=utf-7", "chunked", "bytes 0-1/2"),
        )
    )
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    max_size=4,
)
LOST = (httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteTimeout)
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
REPLIES = st.tuples(STATUSES, HEADERS, BODIES) | st.sampled_from(LOST + NOT_SENT)
IDS = st.text(min_size=1, max_size=300) | st.sampled_from(
    ("a/b", "..", "%2F", "v?x#y", "=+/:", "\ud800", "v")
)


def downloaded(client, video_id):
    with client.download_content(video_id) as content:
        return b"".join(content.chunks)


OPERATIONS = {
    "create": lambda client, _: client.create(PROMPT, seconds=4),
    "remix": lambda client, video_id: client.remix(video_id, PROMPT),
    "edit": lambda client, video_id: client.edit(video_id, PROMPT),
    "extend": lambda client, video_id: client.extend(video_id, PROMPT, seconds="4"),
    "retrieve": lambda client, video_id: client.retrieve(video_id),
    "delete": lambda client, video_id: client.delete(video_id),
    "list": lambda client, _: list(islice(client.list(), 50)),
    "download": downloaded,
    "models": lambda client, _: client.list_models(),
    "get character": lambda client, video_id: client.get_character(video_id),
}


BUYING = ("create", "remix", "edit", "extend")


# --- In the place of a transport ----------------------------------------------------------------------------


class Script:
    """Answers as the example says, then with the last answer for ever; keeps what was asked."""

    def __init__(self) -> None:
        self.replies: list = []
        self.seen: list[tuple[httpx.Request, object]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        reply = self.replies[min(len(self.seen), len(self.replies) - 1)]
        self.seen.append((request, reply))
        assert len(self.seen) <= 500, "an endless loop"
        if isinstance(reply, type):
            raise reply("the example says so", request=request)
        status, headers, body = reply
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


@pytest.fixture(scope="module")
def scripted():
    script = Script()
    with VideosClient(ENDPOINT, backoff=BACKOFF, transport=httpx.MockTransport(script)) as client:
        yield client, script


@fuzzed(EXAMPLES)
@example(
    "download", "v", [(404, {}, b""), (200, {}, dumped({"id": "v", "status": "completed", "url": "//["}))]
)
@given(st.sampled_from(tuple(OPERATIONS)), IDS, st.lists(REPLIES, min_size=1, max_size=8))
def test_every_answer_ends_in_a_model_or_in_an_error_of_ours(scripted, operation, video_id, replies):
    client, script = scripted
    script.replies, script.seen = replies, []
    try:
        value = OPERATIONS[operation](client, video_id)
    except VideosError as error:
        assert_presentable(error, video_id, *((PROMPT,) if operation in BUYING else ()))
    else:
        assert_model(operation, value)
    assert_bought_once(script.seen)
    pages = 50 if operation == "list" else 1
    assert len(script.seen) <= MOST_REQUESTS * pages
    assert_key_stays_home(script.seen)


def assert_presentable(error, video_id, *secrets):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    told = str(error).replace(video_id, "")
    assert not [secret for secret in (KEY, SIGNATURE, *secrets) if secret in told]


def assert_model(operation, value):
    videos = value if isinstance(value, list) else [value]
    for video in videos:
        if isinstance(video, Video):
            assert video.id
            json.dumps(video.contract(), allow_nan=False, ensure_ascii=False).encode()
            assert video.phase
        else:
            assert isinstance(video, VideoDeleted | Character | bytes | str)
    if operation in {*BUYING, "retrieve"}:
        assert isinstance(value, Video)


def assert_bought_once(seen):
    """A further POST only where the one before it was refused for now, or never sent."""
    posts = [reply for request, reply in seen if request.method == "POST"]
    for reply in posts[:-1]:
        assert reply in NOT_SENT if isinstance(reply, type) else reply[0] in {409, 429, 503}, posts


def assert_key_stays_home(seen):
    for request, _ in seen:
        assert ("authorization" in request.headers) is (request.url.host == "gpu.invalid")


# --- Over real sockets, where an answer need not even be HTTP -----------------------------------------------

HEADS = st.sampled_from(
    (
        *(
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 500 Oops\r\ncontent-length: 3\r\n\r\n",
            b"HTTP/9.9 1\r\n\r\n",
        ),
        *(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://[\r\ncontent-length: 0\r\n\r\n",
        *(
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 204 No\r\n\r\n",
            b"HTTP/1.1 429\r\n\r\n",
            b"SSH-2.0\r\n",
        ),
    )
)
WIRE = st.tuples(HEADS | st.binary(max_size=80), BODIES).map(b"".join)


class Server(socketserver.ThreadingTCPServer):
    """Reads a request's head, says the example's bytes and hangs up."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.says, self.posts = b"", 0


class Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            first = self.rfile.readline()
            self.server.posts += first.startswith(b"POST")
            length = 0
            while line := self.rfile.readline().strip():
                name, _, value = line.lower().partition(b":")
                length = int(value) if name == b"content-length" else length
            self.rfile.read(length)
            self.wfile.write(self.server.says)


@pytest.fixture(scope="module")
def anything():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def awaited(endpoint, operation, video_id):
    async with AsyncVideosClient(endpoint, backoff=BACKOFF) as client:
        if operation == "download":
            async with client.download_content(video_id) as content:
                return b"".join([chunk async for chunk in content.chunks])
        if operation == "create":
            return await client.create(PROMPT)
        return await client.retrieve(video_id)


@fuzzed(max(EXAMPLES // 10, 50))
@given(st.sampled_from(("create", "retrieve", "download")), WIRE, st.booleans())
def test_what_is_no_http_is_an_error_of_ours(anything, operation, says, blocking):
    anything.says, anything.posts = says, 0
    endpoint = Endpoint(
        f"http://127.0.0.1:{anything.server_address[1]}/v1", api_key=KEY, timeout=Timeouts(2, 2, 4)
    )
    try:
        if blocking:
            with VideosClient(endpoint, backoff=BACKOFF) as client:
                value = OPERATIONS[operation](client, "v")
        else:
            value = asyncio.run(awaited(endpoint, operation, "v"))
    except VideosError as error:
        assert_presentable(error, "v")
    else:
        assert_model(operation, value)
    assert anything.posts <= (ATTEMPTS if b" 429" in says[:12] else 1)
