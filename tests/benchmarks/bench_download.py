"""
How much memory a large download adds to a process, and how long it takes beside a plain copy of the stream.

512 MiB over loopback from an emulator in a process of its own. Bar: less than 32 MiB of peak memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1024 * 1024
SIZE = 512 * MIB
BAR_MIB = 32
NOTHING: Any = {}


def memory_mib(kind: str) -> float:
    """Return ``VmRSS``, what is held now, or ``VmHWM``, the most since the mark was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


def ours(base_url: str, video_id: str, path: str) -> None:
    from airflow_provider_videos.operators.videos import VideoDownloadOperator

    os.environ["AIRFLOW_CONN_VIDEOS_DEFAULT"] = json.dumps(
        {"conn_type": "videos", "host": base_url, "password": "test-key"}
    )
    small = VideoDownloadOperator(task_id="warm", video_id=video_id, destination=path, variant="thumbnail")
    small.execute(NOTHING)
    measure(lambda: VideoDownloadOperator(task_id="it", video_id=video_id, destination=path).execute(NOTHING))


def naive(base_url: str, video_id: str, path: str) -> None:
    import httpx

    with (
        httpx.stream(
            "GET", f"{base_url}/videos/{video_id}/content", headers={"Authorization": "Bearer test-key"}
        ) as response,
        Path(path).open("wb") as file,
    ):
        measure(lambda: [file.write(chunk) for chunk in response.iter_bytes()])


def measure(job: Callable[[], object]) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before, began = memory_mib("VmRSS"), time.perf_counter()
    job()
    print(json.dumps({"mib": memory_mib("VmHWM") - before, "seconds": time.perf_counter() - began}))


def run(name: str, base_url: str, video_id: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", __file__, name, base_url, video_id, f"{folder}/film.mp4"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> int:
    import httpx

    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-bench-"))
    with Emulator() as emulator, httpx.Client(headers={"Authorization": "Bearer test-key"}) as client:
        video_id = client.post(f"{emulator.base_url}/videos", json={"prompt": "A boat"}).json()["id"]
        emulator.clock.advance(60)
        client.get(f"{emulator.base_url}/videos/{video_id}/content?variant=thumbnail")
        emulator.serve_bytes(SIZE)
        result, peer = (run(name, emulator.base_url, video_id) for name in ("ours", "naive"))
    print(
        f"512 MiB by VideoDownloadOperator: {result['mib']:.1f} MiB more at the peak (bar {BAR_MIB} MiB), "
        f"{result['seconds']:.1f} s"
    )
    print(
        f"a plain loop without hash, checks or sync: {peer['mib']:.1f} MiB, {peer['seconds']:.1f} s; "
        f"time ours / plain: {result['seconds'] / peer['seconds']:.2f}"
    )
    return result["mib"] >= BAR_MIB


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"ours": ours, "naive": naive}[sys.argv[1]](*sys.argv[2:])
    else:
        sys.exit(main())
