"""
How long a DAG file's imports take beyond ``airflow.sdk`` itself: the median of five fresh processes each.

Bar: under 60 ms.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 5
BAR_MS = 60
PROGRAM = """
import time
import airflow.sdk
began = time.perf_counter()
{imports}
print((time.perf_counter() - began) * 1000)
"""
OURS = """
from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoDownloadOperator
from airflow_provider_videos.sensors.videos import VideoSensor
"""
PEER = "from airflow.providers.standard.sensors.filesystem import FileSensor"


def median_ms(imports: str) -> float:
    program = PROGRAM.format(imports=imports)
    command = [sys.executable, "-W", "ignore", "-c", program]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(RUNS)]
    return statistics.median(float(run.stdout.split()[-1]) for run in runs)


def main() -> int:
    ours, peer = median_ms(OURS), median_ms(PEER)
    print(f"operators and sensor: {ours:.1f} ms (bar {BAR_MS} ms)")
    print(f"the standard provider's FileSensor: {peer:.1f} ms; ours / theirs: {ours / peer:.2f}")
    return ours >= BAR_MS


if __name__ == "__main__":
    sys.exit(main())
