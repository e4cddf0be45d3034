"""
Whatever bytes come over the wire, the client ends in a model or an error of ours, and its event loop goes on.

A few dozen answers run with the other tests, always the same ones; ``make fuzz`` draws new ones.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.api.requests import Endpoint, Timeouts
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.polling.poller import poller_of
from airflow_provider_videos.polling.watch import Watch
from tests.api.anything import BODIES, MIB, Anything, serving

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2000")) // 50
RANDOM = "FUZZ_EXAMPLES" in os.environ

ONCE = Backoff(attempts=1, total=20)
HELD_SECONDS = 0.05
WAITS = 300

NAMES = st.sampled_from(
    (
        *(
            "server",
            "location",
            "retry-after",
            "retry-after-ms",
            "date",
            "age",
            "content-type",
            "content-range",
        ),
        *(
            "etag",
            "x-request-id",
            "set-cookie",
            "content-encoding",
            "repr-digest",
            "x-goog-hash",
            "content-md5",
        ),
        *("llm_provider-retry-after", "allow", "connection", "keep-alive", "trailer", "upgrade"),
    )
)
BYTES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)
VALUES = BYTES | st.sampled_from(
    (
        *(
            "caf\xe9",
            "caf\xc3\xa9",
            "http://caf\xe9.invalid/\xff",
            "//[",
            "http://h:99999/",
            "http://" + "a" * 70,
        ),
        *(
            "9" * 5000,
            "-1",
            "nan",
            "1e999",
            "Mon, 99 Nov 2026 99:99:99 GMT",
            "Mon, 23 Nov 99999999 02:00:00 \xff",
        ),
        *("gzip", "gzip, gzip", "br", "identity", '"' + "e" * 9000 + '"', "bytes 0-1/\xb2", "y" * 9000),
    )
)
STATUSES = st.sampled_from(
    (
        *(
            "200 OK",
            "200 caf\xe9",
            "202 Soon",
            "204 No",
            "206 Part",
            "302 There",
            "304 Same",
            "400 No",
            "401 Who",
        ),
        *("404 Not", "409 Busy", "429 Slow", "500 Oops", "503 Later", "599 ?", "999 ?", "101 Else", "099 ?"),
    )
)
ANSWERS = st.builds(
    Anything,
    status=STATUSES,
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=5),
    body=st.sampled_from(sorted(BODIES)),
    size=st.sampled_from((0, 10, 1000, 60_000, 70_000, MIB, 4 * MIB - 100, 16 * MIB)),
    framing=st.sampled_from(("length", "close", "chunks", "tiny chunks", "broken chunks")),
    gzipped=st.sampled_from((0, 0, 0, 1, 2)),
    interim=st.sampled_from((0, 0, 1, 100, 10_000)),
    many=st.sampled_from((0, 0, 1, 1000, 100_000)),
).map(lambda answer: answer if answer.framing != "tiny chunks" else answer.of_size(min(answer.size, 60_000)))
OPERATIONS = st.sampled_from(("retrieve", "list", "models", "create"))


@pytest.fixture(scope="module")
def base_url():
    with serving() as url:
        yield url


def endpoint_of(base_url, answer):
    headers = {"x-answer": answer.header()}
    return Endpoint(base_url, api_key="sk-the-very-key", headers=headers, timeout=Timeouts(5, 5, 20))


async def asked(client, operation):
    match operation:
        case "list":
            return await anext(client.list(), None)
        case "models":
            return await client.list_models()
        case "create":
            return await client.create("A lighthouse")
    return await client.retrieve("v")


async def held(endpoint, operation):
    """How much of the loop's own time passed at the most in which nothing else had a turn."""
    longest, over = 0.0, asyncio.Event()

    async def tick():
        nonlocal longest
        while not over.is_set():
            began = time.thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - began)

    async with AsyncVideosClient(endpoint, backoff=ONCE, connections=1) as client:
        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0.002)
        try:
            await asked(client, operation)
        except VideosError:
            pass
        finally:
            over.set()
            await ticking
    return longest


@settings(
    max_examples=EXAMPLES,
    derandomize=not RANDOM,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@example(Anything(headers=[("server", "caf\xe9")]), "create")
@example(Anything(body="zeros", size=16 * MIB, gzipped=2), "retrieve")
@example(Anything(body="lists", size=4 * MIB - 100), "list")
@example(Anything(body="page of times", size=400_000), "list")
@example(Anything(status="500 Oops", body="error of links", size=60_000), "retrieve")
@example(Anything(interim=10_000), "retrieve")
@example(Anything(many=100_000), "retrieve")
@example(Anything(size=60_000, framing="tiny chunks"), "retrieve")
@given(ANSWERS, OPERATIONS)
def test_no_answer_holds_the_loop_or_raises_anything_but_our_errors(base_url, answer, operation):
    endpoint = endpoint_of(base_url, answer)
    # The machine may be in the way once, what the client does is in the way each time.
    assert min(hold for hold in holds(endpoint, operation)) < HELD_SECONDS


def holds(endpoint, operation):
    for _ in range(3):
        hold = asyncio.run(held(endpoint, operation))
        yield hold
        if hold < HELD_SECONDS:
            return


@pytest.mark.parametrize(
    "name", ["server", "location", "retry-after", "date", "content-type", "x-request-id"]
)
@pytest.mark.parametrize("status", ["200 OK", "302 There", "404 No", "503 Later"])
def test_a_byte_that_is_not_ascii_in_a_header_is_no_matter(base_url, name, status):
    answer = Anything(status=status, headers=[(name, "caf\xe9")])
    with VideosClient(endpoint_of(base_url, answer), backoff=ONCE) as client:
        if status.startswith("200"):
            assert client.retrieve("v").id == "v"
            return
        with pytest.raises(VideosError, match=f"answered {status[:3]}"):
            client.retrieve("v")


@pytest.mark.parametrize(
    "answer",
    [
        Anything(status="500 Oops", body="junk", size=10 * MIB),
        Anything(body="video of lists", size=60_000),
        Anything(body="zeros", size=16 * MIB, gzipped=2),
    ],
    ids=["junk", "lists", "bomb"],
)
def test_the_answers_of_300_waits_are_not_kept(base_url, answer):
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        asyncio.run(waits(endpoint_of(base_url, answer)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert peak < 200 * MIB


async def waits(endpoint):
    async def connect():
        return endpoint

    async def wait(number):
        state = Watch(f"video_{number}", time.time(), patient=True)
        async with poller_of("videos", connect, lambda *_: None) as poller:
            with poller.subscribe(state, lambda _: 1.0) as subscription:
                return await subscription.next_log_line()

    assert len(await asyncio.gather(*map(wait, range(WAITS)))) == WAITS
