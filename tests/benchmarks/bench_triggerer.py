"""
Cost of a thousand deferred waits in a real triggerer on PostgreSQL, beside a trigger that only sleeps.

A real Airflow defers 1000 mapped tasks (``--waits`` sets another number): first those of a DAG that only
sleeps, then 1000 waits for videos at a 5 s interval, against the stub in a process of its own.
Measured for a minute each, from outside: the triggerer's share of a core, its memory, and how often Airflow
found its event loop blocked for longer than 0.2 s (the metric ``triggers.blocked_main_thread``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from demo.postgres import Postgres
from demo.standalone import Airflow
from tests.benchmarks.bench_waiting import counts, stub

SECONDS = 60.0
SETTLE_SECONDS = 20.0
PATIENCE_SECONDS = 600.0
DAGS = {"only sleeping": "waits_for_time", "waiting for videos": "waits_for_videos"}


def cpu_and_memory(airflow: Airflow) -> tuple[float, float]:
    """CPU seconds so far and resident megabytes of all processes of the triggerer."""
    seconds = memory = 0.0
    for pid in airflow.component_pids("triggerer"):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        # Shared pages are counted once over all processes.
        memory += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 1000
    return seconds, memory


def blocked(airflow: Airflow) -> int:
    return len(airflow.log_tail(10**9, "async thread was blocked").splitlines())


def measure(airflow: Airflow, dag_id: str, waits: int) -> dict[str, float]:
    run = airflow.rest.trigger(dag_id)
    deadline = time.monotonic() + PATIENCE_SECONDS
    deferred = f"{run.path}/taskInstances"
    while airflow.rest.get(deferred, limit=1, state="deferred")["total_entries"] < waits:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {waits} tasks are deferred")
        time.sleep(1)
    time.sleep(SETTLE_SECONDS)
    seconds, _ = cpu_and_memory(airflow)
    stalls, began = blocked(airflow), time.monotonic()
    time.sleep(SECONDS)
    after, memory = cpu_and_memory(airflow)
    elapsed = time.monotonic() - began
    result = {"cpu": (after - seconds) / elapsed, "memory": memory, "blocked": blocked(airflow) - stalls}
    airflow.rest.call("PATCH", run.path, json={"state": "failed"})
    while airflow.rest.get(deferred, limit=1, state="deferred")["total_entries"]:
        time.sleep(1)
    time.sleep(SETTLE_SECONDS)
    return result


def main(waits: int) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="airflow-bench-") as folder,
        stub(waits, 0, lists=True) as base_url,
        Postgres(Path(folder) / "postgres") as postgres,
    ):
        connection = {"conn_type": "videos", "host": base_url, "password": "a-key-of-no-value"}
        env = {
            "BENCH_WAITS": str(waits),
            "AIRFLOW__TRIGGERER__CAPACITY": str(2 * waits),
            "AIRFLOW__CORE__MAX_MAP_LENGTH": str(waits),
            "AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY": "128",
        }
        with Airflow(
            Path(folder) / "home",
            Path(__file__).with_name("waits"),
            connections={"videos_default": json.dumps(connection)},
            env=env,
            database=postgres.url,
        ) as airflow:
            results = {}
            for name, dag_id in DAGS.items():
                counts(base_url)
                result = results[name] = measure(airflow, dag_id, waits)
                seen = counts(base_url)
                print(
                    f"{waits} deferred tasks, {name:20}: {result['cpu']:6.1%} of a core, "
                    f"{result['memory']:6.0f} MB, blocked {result['blocked']:.0f} times; "
                    f"{seen['list']} pages, {seen['retrieve']} single questions",
                    flush=True,
                )
    ours, sleeping = results["waiting for videos"], results["only sleeping"]
    more = ours["cpu"] - sleeping["cpu"]
    print(f"more than sleeping: {more:.1%} of a core, {ours['memory'] - sleeping['memory']:.0f} MB")
    return ours["blocked"] > sleeping["blocked"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--waits", type=int, default=1000)
    sys.exit(main(parser.parse_args().waits))
