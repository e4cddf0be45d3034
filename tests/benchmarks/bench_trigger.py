"""
Time for which a trigger holds up its event loop: the worst lateness of a heartbeat beside it.

The emulator runs in a process of its own and answers after 300 ms. Beside our trigger, one that only sleeps
is measured in the same way. Bar: at most 50 ms, as the median of the worst of five runs.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

RUNS = 5
BAR_MS = 50
BEAT_SECONDS = 0.005
LATENCY_SECONDS = 0.3
KEY = "benchmark-key"


async def heartbeat(worst: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(BEAT_SECONDS)
        worst[0] = max(worst[0], (time.perf_counter() - began - BEAT_SECONDS) * 1000)


async def worst_lateness(job: Callable[[], Awaitable[None]]) -> float:
    worst = [0.0]
    beating = asyncio.create_task(heartbeat(worst))
    await asyncio.sleep(0.05)
    worst[0] = 0.0
    await job()
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    return worst[0]


async def our_trigger() -> None:
    from airflow_provider_videos.triggers.videos import VideoTrigger

    now = time.time()
    waiting = VideoTrigger(
        video_id=os.environ["BENCH_VIDEO"],
        videos_conn_id="videos_default",
        poke_interval=0.1,
        started_at=now,
        deadline=now + 2,
    )
    async for _ in waiting.run():
        pass


async def only_sleep() -> None:
    await asyncio.sleep(2)


def run_once(name: str) -> float:
    """Measure in a fresh process, as a triggerer that has just started is."""
    command = [sys.executable, "-W", "ignore", __file__, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> int:
    command = [sys.executable, "-m", "airflow_provider_videos.emulator", "--port", "0", "--api-key", KEY]
    with (
        tempfile.TemporaryDirectory(prefix="airflow-bench-") as home,
        subprocess.Popen([*command, "--job-seconds", "3600"], stdout=subprocess.PIPE, text=True) as emulator,
    ):
        os.environ["AIRFLOW_HOME"] = home
        try:
            assert emulator.stdout
            base_url = next(
                word for line in emulator.stdout for word in line.split() if word.startswith("http")
            )
            prepare(base_url)
            ours = statistics.median(run_once("our_trigger") for _ in range(RUNS))
            floor = statistics.median(run_once("only_sleep") for _ in range(RUNS))
        finally:
            emulator.terminate()
    print(
        f"heartbeat beside our trigger: {ours:.1f} ms late at worst (median of {RUNS} runs; bar {BAR_MS} ms)"
    )
    print(f"beside one that only sleeps: {floor:.1f} ms; ours / floor: {ours / floor:.1f}")
    return ours > BAR_MS


def prepare(base_url: str) -> None:
    """Buy a video that stays on its way, and slow the server down."""
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}) as client:
        os.environ["BENCH_VIDEO"] = client.post(f"{base_url}/videos", json={"prompt": "A boat"}).json()["id"]
        fault = {
            "effect": {"kind": "latency", "seconds": LATENCY_SECONDS},
            "operation": "retrieve",
            "times": None,
        }
        client.post(f"{base_url.removesuffix('/v1')}/_emulator/faults", json=fault).raise_for_status()
    os.environ["AIRFLOW_CONN_VIDEOS_DEFAULT"] = json.dumps(
        {"conn_type": "videos", "host": base_url, "password": KEY}
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        # A triggerer has Airflow and the trigger's module loaded before it runs one.
        importlib.import_module("airflow_provider_videos.triggers.videos")
        job = {"our_trigger": our_trigger, "only_sleep": only_sleep}[sys.argv[1]]
        print(asyncio.run(worst_lateness(job)))
    else:
        sys.exit(main())
