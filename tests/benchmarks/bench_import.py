"""
Import time of a DAG file beyond ``airflow.sdk``, and of the pytest plugin: the median of five runs each.

Bars: under 60 ms; under 5 ms beyond ``pytest`` for whoever does not ask for the fixture.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RUNS = 5
BAR_MS = 60
PLUGIN_BAR_MS = 5
PROGRAM = """
import time
import {base}
began = time.perf_counter()
{imports}
print((time.perf_counter() - began) * 1000)
"""
OURS = """
from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoDownloadOperator
from airflow_provider_videos.sensors.videos import VideoSensor
"""
PEER = "from airflow.providers.standard.sensors.filesystem import FileSensor"
EMPTY_PLUGIN = """
import pytest

@pytest.fixture
def nothing():
    return None
"""


def median_ms(imports: str, *, base: str = "airflow.sdk", folder: str | None = None) -> float:
    program = PROGRAM.format(imports=imports, base=base)
    command = [sys.executable, "-W", "ignore", "-c", program]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder) for _ in range(RUNS)
    ]
    return statistics.median(float(run.stdout.split()[-1]) for run in runs)


def main() -> int:
    ours, peer = median_ms(OURS), median_ms(PEER)
    print(f"operators and sensor: {ours:.1f} ms (bar {BAR_MS} ms)")
    print(f"the standard provider's FileSensor: {peer:.1f} ms; ours / theirs: {ours / peer:.2f}")
    plugin = median_ms("import airflow_provider_videos.pytest_plugin", base="pytest")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "empty_plugin.py").write_text(EMPTY_PLUGIN)
        empty = median_ms("import empty_plugin", base="pytest", folder=folder)
    print(f"the pytest plugin: {plugin:.2f} ms (bar {PLUGIN_BAR_MS} ms); an empty one: {empty:.2f} ms")
    return ours >= BAR_MS or plugin >= PLUGIN_BAR_MS


if __name__ == "__main__":
    sys.exit(main())
