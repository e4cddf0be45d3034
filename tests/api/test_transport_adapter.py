"""A transport that a user or a test hands in; all that a client promises holds of it, too."""

from __future__ import annotations

import asyncio
import gzip

import httpx
import pytest

from airflow_provider_videos.api.bounded_json import MAX_ANSWER_BYTES
from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.api.errors import (
    NotConnected,
    OutcomeUnknown,
    Refused,
    TransportError,
    Unreadable,
    VideosError,
)
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.api.transport import MAX_HEAD_BYTES

ENDPOINT = Endpoint("http://gpu.invalid/v1", api_key="sk-12345678")
QUEUED = {"id": "v", "status": "queued"}


class Recorder(httpx.MockTransport):
    """Answers as it is told, and keeps what it was asked and whether it was closed."""

    def __init__(self, answer) -> None:
        super().__init__(self._asked)
        self.answer, self.closed = answer, 0
        self.requests: list[httpx.Request] = []

    def _asked(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(request) if callable(self.answer) else self.answer

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


@pytest.fixture
def through(connect):
    """Make a client that sends through a transport which answers like this."""

    def through(answer, endpoint=ENDPOINT, **options):
        transport = Recorder(answer)
        return connect(endpoint, transport=transport, **options), transport

    return through


def test_everything_goes_through_it(through):
    client, transport = through(lambda request: httpx.Response(200, json=QUEUED))
    assert client.create("A boat").id == "v"
    assert client.retrieve("v").status == "queued"
    assert client.delete("v").deleted
    with client.download_content("v") as content:
        assert b"".join(content.chunks) == httpx.Response(200, json=QUEUED).content
    assert [(request.method, request.url.path) for request in transport.requests] == [
        ("POST", "/v1/videos"),
        ("GET", "/v1/videos/v"),
        ("DELETE", "/v1/videos/v"),
        ("GET", "/v1/videos/v/content"),
    ]
    assert {request.headers["authorization"] for request in transport.requests} == {"Bearer sk-12345678"}


def test_it_is_closed_with_the_client_and_once():
    transport = Recorder(None)
    with VideosClient(ENDPOINT, transport=transport):
        assert transport.closed == 0
    assert transport.closed == 1


async def test_it_is_closed_with_a_client_on_a_loop_and_once():
    transport = Recorder(None)
    async with AsyncVideosClient(ENDPOINT, transport=transport, connections=2):
        assert transport.closed == 0
    assert transport.closed == 1


def test_it_is_told_the_timeouts(through):
    client, transport = through(
        httpx.Response(200, json=QUEUED), Endpoint("http://gpu/v1", timeout=Timeouts(1, 2))
    )
    client.retrieve("v")
    timeouts = transport.requests[0].extensions["timeout"]
    assert (timeouts["connect"], timeouts["read"], timeouts["write"], timeouts["pool"]) == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(httpx.ConnectError("no route"), NotConnected), (httpx.ReadTimeout("silent"), TransportError)],
)
def test_its_errors_are_ours_and_name_the_server(through, error, raised):
    client, _ = through(error)
    with pytest.raises(raised, match=r"http://gpu\.invalid:80"):
        client.retrieve("v")


def test_a_lost_answer_of_a_purchase_is_not_asked_for_again(through):
    client, transport = through(httpx.ReadError("reset"))
    with pytest.raises(OutcomeUnknown):
        client.create("A boat")
    assert len(transport.requests) == 1


def test_what_is_no_error_of_httpx_comes_through_as_it_is(through):
    client, _ = through(AssertionError("a test's own"))
    with pytest.raises(AssertionError, match="a test's own"):
        client.retrieve("v")


def test_a_long_head_is_refused(through):
    client, _ = through(httpx.Response(200, json=QUEUED, headers={"x": "y" * MAX_HEAD_BYTES}))
    with pytest.raises(TransportError, match=f"more than {MAX_HEAD_BYTES} bytes"):
        client.retrieve("v")


@pytest.mark.parametrize("status", [200, 500])
def test_no_more_is_read_than_may_come(through, status):
    taken = []

    class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self):
            while True:
                taken.append(1024)
                yield b" " * 1024

        async def __aiter__(self):
            for chunk in self:
                yield chunk

    client, _ = through(lambda request: httpx.Response(status, stream=Endless()), backoff=Backoff(attempts=1))
    with pytest.raises(VideosError):
        client.retrieve("v")
    assert sum(taken) <= MAX_ANSWER_BYTES + 2048


def test_an_encoded_body_is_not_decoded(through):
    packed = gzip.compress(b'{"id": "v"}')
    encoded = {"content-encoding": "gzip"}
    client, _ = through(lambda request: httpx.Response(200, stream=httpx.ByteStream(packed), headers=encoded))
    with pytest.raises(Unreadable, match="encoded as gzip"):
        client.retrieve("v")


class Slow(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self):
        yield b'{"id": "v"}'

    async def __aiter__(self):
        await asyncio.sleep(0)
        yield b'{"id": "v"}'


def test_a_body_is_whole_by_the_deadline_of_the_call(through):
    client, _ = through(
        lambda request: httpx.Response(200, stream=Slow()), backoff=Backoff(attempts=1, total=0)
    )
    with pytest.raises(TransportError, match="not complete in time"):
        client.retrieve("v")


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.5", "[::1]", "2130706433"])
def test_an_answer_leads_to_no_private_number(through, monkeypatch, host):
    client, transport = through(httpx.Response(302, headers={"location": f"http://{host}/v.mp4"}))
    with pytest.raises(Refused, match="result_hosts"), client.download_content("v"):
        pass
    assert len(transport.requests) == 1


def test_an_answer_leads_to_a_public_host_without_our_key(through):
    def answer(request):
        if request.url.host == "gpu.invalid":
            return httpx.Response(302, headers={"location": "https://cdn.example/v.mp4"})
        return httpx.Response(200, content=b"film")

    client, transport = through(answer)
    with client.download_content("v") as content:
        assert b"".join(content.chunks) == b"film"
    assert "authorization" not in transport.requests[1].headers
