"""Cost of a wait on a real scheduler and a real triggerer."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.standalone import Airflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.emulator import Emulator
    from demo.rest import Run, Task

pytestmark = pytest.mark.system

FILMS = Path(__file__).with_name("films")


@pytest.fixture(scope="module")
def statsd() -> Iterator[socket.socket]:
    """Where Airflow's metrics go."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        yield server


@pytest.fixture(scope="module")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, emulator: Emulator, statsd: socket.socket
) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    metrics = {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.getsockname()[1]),
        "AIRFLOW__METRICS__METRICS_ALLOW_LIST": r"^videos\.",
    }
    connections = {"videos_default": emulator.airflow_connection}
    with Airflow(home, FILMS, connections=connections, env=metrics) as airflow:
        yield airflow


def received(statsd: socket.socket) -> Iterator[str]:
    with suppress(BlockingIOError):
        while True:
            yield statsd.recv(65_536).decode()


def worker_starts(airflow: Airflow, run: Run, task: Task) -> int:
    """How many times a worker has taken up a task; a triggerer's log is another file."""
    run_folder = airflow.home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"
    index = [] if task.map_index < 0 else [f"map_index={task.map_index}"]
    logs = run_folder.joinpath(f"task_id={task.task_id}", *index).glob("attempt=*.log")
    lines = [line for log in logs if ".trigger." not in log.name for line in log.read_text().splitlines()]
    return sum("DAG bundles loaded" in line for line in lines)


def test_a_film_takes_two_workers_and_a_bad_end_a_third(
    airflow: Airflow, emulator: Emulator, tmp_path: Path
) -> None:
    prompts = ["A boat", "A ship", "[fail] A raft"]
    run = airflow.rest.trigger("films", {"prompts": prompts, "folder": str(tmp_path)})
    assert run.wait() == "failed"
    tasks = {task.name: task for task in run.tasks()}
    starts = {name: worker_starts(airflow, run, task) for name, task in tasks.items()}
    for film in (0, 1):
        assert [starts[f"film.{task}[{film}]"] for task in ("create", "wait", "download")] == [1, 0, 1]
        assert tasks[f"film.wait[{film}]"].state == "success"
        assert run.xcom_keys("film.wait", map_index=film) == []
        assert "completed, 100 %" in str(run.log("film.wait", map_index=film))
    assert tasks["film.wait[2]"].state == "failed"
    assert starts["film.wait[2]"] == 1
    assert "the video ended as failed" in str(run.log("film.wait", map_index=2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.mp4", "1.mp4"]


def test_statsd_is_told_what_waiting_costs(airflow: Airflow, statsd: socket.socket, tmp_path: Path) -> None:
    list(received(statsd))
    run = airflow.rest.trigger("films", {"prompts": ["A kite"], "folder": str(tmp_path)})
    assert run.wait() == "success"
    told = list(received(statsd))
    assert {metric.split(":")[0]: metric.split("|")[1] for metric in told} == {
        "airflow.videos.connection_reads": "c",
        "airflow.videos.waits": "g",
        "airflow.videos.polls": "c",
        "airflow.videos.poll_duration": "ms",
        "airflow.videos.notice_delay": "ms",
    }
    assert told[-1] == "airflow.videos.waits:0|g"
