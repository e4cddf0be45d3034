"""
Start-up time and throughput of the emulator, in a process of its own that is held to one core.

Bars: answering within a second of its start, at least 500 requests per second. Beside it, an application on
the same server that does nothing but answer.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time

import httpx

RUNS = 5
REQUESTS = 2000
BAR_START_SECONDS = 1.0
BAR_PER_SECOND = 500
NOTHING = """
import sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, port=int(sys.argv[2]), log_level="error", lifespan="off")
"""
EMULATOR = ["-m", "airflow_provider_videos.emulator"]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def measure(program: list[str]) -> tuple[float, float]:
    """Return the seconds until the first answer, and the answers per second after it."""
    port = free_port()
    began = time.perf_counter()
    command = [sys.executable, "-W", "ignore", *program, "--port", port]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=one_core) as server:  # noqa: PLW1509
        try:
            with httpx.Client(headers={"Authorization": "Bearer test-key"}) as client:
                url = f"http://127.0.0.1:{port}/v1/videos"
                wait_for(client, url)
                started = time.perf_counter() - began
                path = f"{url}/{client.post(url, json={'prompt': 'A boat'}).json().get('id', '')}"
                began = time.perf_counter()
                for _ in range(REQUESTS):
                    client.get(path).raise_for_status()
                return started, REQUESTS / (time.perf_counter() - began)
        finally:
            server.terminate()


def wait_for(client: httpx.Client, url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            client.get(url)
        except httpx.ConnectError:
            time.sleep(0.01)
        else:
            return
    raise TimeoutError(url)


def main() -> int:
    starts, rates = zip(*(measure(EMULATOR) for _ in range(RUNS)), strict=True)
    _, floor = measure(["-c", NOTHING])
    start, rate = statistics.median(starts), statistics.median(rates)
    print(f"the command answers {start:.2f} s after its start (median of {RUNS}; bar {BAR_START_SECONDS} s)")
    print(f"{rate:.0f} requests/s on one core, asked one after another (bar {BAR_PER_SECOND})")
    print(f"an application that only answers: {floor:.0f} requests/s; ours / it: {rate / floor:.2f}")
    return start >= BAR_START_SECONDS or rate < BAR_PER_SECOND


if __name__ == "__main__":
    sys.exit(main())
