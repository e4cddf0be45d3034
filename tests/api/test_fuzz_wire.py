"""
Whatever bytes come over the wire, the client ends in a model or an error of ours, and its event loop goes on.

A few dozen answers run with the other tests, always the same ones; ``make fuzz`` draws new ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.polling.poller import poller_of
from airflow_provider_videos.polling.wait_state import WaitState
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
    line=st.sampled_from((0, 0, 1000, 15_000, 60_000, MIB)),
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


async def held(endpoint, operation, clock=time.thread_time):
    """How much time passed at the most in which nothing else had a turn, by default the loop's own."""
    longest, over = 0.0, asyncio.Event()

    async def tick():
        nonlocal longest
        while not over.is_set():
            began = clock()
            await asyncio.sleep(0.001)
            longest = max(longest, clock() - began)

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
@example(Anything(line=60_000), "retrieve")
@example(Anything(line=15_000), "list")
@example(Anything(size=60_000, framing="tiny chunks"), "retrieve")
@given(ANSWERS, OPERATIONS)
def test_no_answer_holds_the_loop_or_raises_anything_but_our_errors(base_url, answer, operation):
    endpoint = endpoint_of(base_url, answer)
    # The machine may be in the way once, what the client does is in the way each time.
    assert min(hold for hold in holds(endpoint, operation)) < HELD_SECONDS


def holds(endpoint, operation, clock=time.thread_time, tries=3):
    for _ in range(tries):
        hold = asyncio.run(held(endpoint, operation, clock))
        yield hold
        if hold < HELD_SECONDS:
            return


@pytest.mark.parametrize("body", sorted(BODIES))
def test_a_page_that_is_parsed_in_a_thread_does_not_hold_the_loop_either(base_url, body):
    """The thread has the interpreter's lock for as long as one call of the parser takes."""
    endpoint = endpoint_of(base_url, Anything(body=body, size=4 * MIB - 100))
    assert min(holds(endpoint, "list", time.monotonic, tries=20)) < HELD_SECONDS


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


LARGE = [
    Anything(body=body, size=16 * MIB if body in {"junk", "noise", "zeros"} else 4 * MIB) for body in BODIES
]
KINDS = {
    **{f"{answer.body}, {answer.status}": answer for answer in LARGE},
    **{f"{a.body}, 500": replace(a, status="500 Oops", size=min(a.size, MIB)) for a in LARGE},
    **{f"{a.body}, of a status": replace(a, size=60_000) for a in LARGE},
    **{f"gzip {n} times": Anything(body="zeros", size=16 * MIB, gzipped=n) for n in (1, 2)},
    **{f"{framing}": Anything(body="junk", size=MIB, framing=framing) for framing in ("close", "chunks")},
    "tiny chunks": Anything(body="junk", size=20_000, framing="tiny chunks"),
    "interim answers": Anything(interim=10_000),
    "headers": Anything(many=100_000),
    "a header": Anything(line=MIB),
}
ALWAYS = [
    *("junk, 200 OK", "junk, 500", "lists, 500", "video of lists, of a status", "keys, of a status"),
    *("half characters, of a status", "gzip 2 times", "chunks", "headers", "a header", "interim answers"),
]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures as Linux does")
def test_300_waits_stay_within_their_memory_under_each_kind_of_answer(base_url):
    kinds = list(KINDS) if RANDOM else ALWAYS
    given = {"base_url": base_url, "answers": [asdict(KINDS[kind]) for kind in kinds]}
    done = subprocess.run(
        [sys.executable, "-m", "tests.api.memory"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    peaks = dict(zip(kinds, json.loads(done.stdout), strict=True))
    assert {kind: peak // MIB for kind, peak in peaks.items() if peak > 200 * MIB} == {}


async def waits(endpoint):
    async def connect():
        return endpoint

    async def wait(number):
        state = WaitState(f"video_{number}", time.time(), patient=True)
        async with poller_of("videos", connect, lambda *_: None) as poller:
            with poller.subscribe(state, lambda _: 1.0) as subscription:
                return await subscription.next_log_line()

    assert len(await asyncio.gather(*map(wait, range(WAITS)))) == WAITS
