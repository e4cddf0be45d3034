"""Processes of the tests and the demo leave none of theirs behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.keeper import Kept, command_line
from demo.postgres import Postgres
from demo.rest import Change, Task, wait_until
from demo.standalone import Airflow, AirflowDidNotStartError
from demo.timeline import draw

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.system

SLEEPERS = """
import signal, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]], start_new_session=True)
signal.signal(signal.SIGINT, signal.SIG_IGN)
time.sleep(600)
"""

OWNER = """
import pathlib, sys, time
from demo.keeper import Kept
_, sleepers, marker = sys.argv
Kept([sys.executable, "-c", sleepers, marker], log=pathlib.Path(marker, "log"), grace=0.2).start()
time.sleep(600)
"""


def alive(marker: str) -> list[int]:
    """Processes that carry a marker on their command line."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if marker in command_line(pid) and pid != os.getpid()]


def wait_for_processes(count: int, marker: str) -> None:
    wait_until(lambda: len(alive(marker)) == count, f"{count} processes", timeout=20)


def test_stopping_ends_a_deaf_program_and_its_daemon(tmp_path: Path) -> None:
    marker = str(tmp_path)
    with Kept([sys.executable, "-c", SLEEPERS, marker], log=tmp_path / "log", grace=0.2) as kept:
        wait_for_processes(3, marker)  # the keeper, the program and the program's daemon
        assert len(kept.pids()) == 2
    assert alive(marker) == []


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_the_owner_ends_the_program(tmp_path: Path, death: signal.Signals) -> None:
    marker = str(tmp_path)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, SLEEPERS, marker], cwd=ROOT)
    wait_for_processes(4, marker)
    owner.send_signal(death)
    owner.wait()
    wait_for_processes(0, marker)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        airflow = Airflow(tmp_path / "home", tmp_path, port=port)
        with pytest.raises(
            AirflowDidNotStartError, match=f"port {port}, wanted for the api-server, is taken"
        ):
            airflow.start()


def test_the_timeline_tells_worker_from_triggerer() -> None:
    states = {0: "queued", 1: "running", 2: "deferred", 9: "running", 10: "success"}
    lines = draw([Change(at, Task("wait", -1, state, 1, None, None)) for at, state in states.items()])
    bar = "." * 5 + "#" * 5 + "~" * 35 + "#" * 5
    assert lines[0] == f"wait |{bar}| success from 1.0 s, 2.0 s on a worker, 7.0 s in the triggerer"


def test_postgres_comes_and_goes(tmp_path: Path) -> None:
    with Postgres(tmp_path / "data") as server:
        assert server.url.startswith("postgresql+psycopg2://")
        assert server.pids()
    assert alive(str(tmp_path)) == []
