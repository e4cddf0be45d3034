"""What a wait costs on a real scheduler and a real triggerer."""

from __future__ import annotations

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
def airflow(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("airflow")
    with Airflow(home, FILMS, connections={"videos_default": emulator.airflow_connection}) as airflow:
        yield airflow


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
