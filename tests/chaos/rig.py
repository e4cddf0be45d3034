"""The set-up that the campaign breaks: a real Airflow on PostgreSQL, and the servers it buys from."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
from sqlalchemy import create_engine, text

from airflow_provider_videos.emulator import Emulator
from demo.keeper import command_line, descendants
from demo.postgres import Postgres
from demo.rest import wait_until
from demo.standalone import Airflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from demo.rest import Run

ROOT = Path(__file__).resolve().parents[2]
QUICK, SLOW = "videos_quick", "videos_slow"
"""Connections to the two servers that the faults share."""
KEY = "the-key-of-the-campaign"
QUESTIONS = 16
STOCK = 6
"""Videos that each server has before anything begins: a list that shows nothing older proves nothing."""
JOB_SECONDS = {QUICK: 3.0, SLOW: 20.0}
TOTAL_SECONDS = 20.0
"""After a lost answer a task looks for its video until this, and half a minute more, have passed."""
READ_SECONDS = 15.0
"""Longer than Airflow takes to end a task that a person has marked or cleared."""
COMPONENT_SECONDS = 90.0
TERMINAL = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})
JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob"}


class Rig:
    """
    Airflow, its database and the servers, for the length of a `with` block.

    :param home: an empty directory.
    :param own_servers: further servers, to be restarted or to lie: a connection id, and the one it is as fast
        as, with what else it is built with.
    :param outage: how long the API server will be gone, in seconds.
    """

    def __init__(
        self, home: Path, own_servers: Mapping[str, tuple[str, Mapping[str, Any]]], *, outage: float
    ) -> None:
        self.home = home
        self.outage = outage
        self.servers = {
            conn_id: Emulator(api_key=KEY, seed=None, job_seconds=JOB_SECONDS[speed], **more)
            for conn_id, (speed, more) in {QUICK: (QUICK, {}), SLOW: (SLOW, {}), **own_servers}.items()
        }
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            for server in self.servers.values():
                opening.enter_context(server)
                _stock(server)
            postgres = opening.enter_context(Postgres(self.home / "postgres"))
            self._engine = create_engine(postgres.url)
            opening.callback(self._engine.dispose)
            self.airflow = opening.enter_context(self._airflow(postgres.url))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _airflow(self, database: str) -> Airflow:
        return Airflow(
            self.home / "airflow",
            ROOT / "tests" / "chaos" / "dags",
            database=database,
            connections={conn_id: _connection(server) for conn_id, server in self.servers.items()},
            env={
                "PYTHONPATH": str(ROOT),
                "CHAOS_OUTAGE": str(self.outage),
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__PARALLELISM": "12",
                # On a busy machine an API server takes longer than the usual five for its first answer.
                "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
                "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
                "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
                "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
                # A task whose supervisor is gone is noticed soon, but not before an outage is over.
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": f"{self.outage + 15:.0f}",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
                "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
                "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
            },
        )

    # --- What Airflow's database says, whether or not the API server is there to ask ---------------------

    def states(self, run: Run) -> dict[str, str | None]:
        """The states of a run's task instances, by name."""
        rows = self._rows(
            "select task_id, map_index, state from task_instance where dag_id = :dag and run_id = :run",
            dag=run.dag_id,
            run=run.run_id,
        )
        return {f"{task}.{index}": state for task, index, state in rows}

    def tries(self, runs: Iterable[Run]) -> int:
        """How many tries the creates of some runs have taken."""
        return sum(
            int(number)
            for run in runs
            for (number,) in self._rows(
                "select try_number from task_instance "
                "where task_id = 'create' and dag_id = :dag and run_id = :run",
                dag=run.dag_id,
                run=run.run_id,
            )
        )

    def has_ended(self, run: Run) -> bool:
        """Whether a run and all of its task instances are in a terminal state."""
        ((state,),) = self._rows(
            "select state from dag_run where dag_id = :dag and run_id = :run", dag=run.dag_id, run=run.run_id
        )
        return state in {"success", "failed"} and all(
            state in TERMINAL for state in self.states(run).values()
        )

    def on_record(self, run: Run) -> tuple[str, ...]:
        """The videos that the creates of a run have on record."""
        rows = self._rows(
            "select value from task_state_store where task_id = 'create' and key = :key "
            "and dag_id = :dag and run_id = :run",
            key="videos_submission",
            dag=run.dag_id,
            run=run.run_id,
        )
        known = (json.loads(value).get("video_id") for (value,) in rows)
        return tuple(video_id for video_id in known if video_id)

    def triggerer_of(self, run: Run) -> int | None:
        """The triggerer that has a run's trigger, by the id of its job."""
        rows = self._rows(
            "select trigger.triggerer_id from trigger "
            "join task_instance on task_instance.trigger_id = trigger.id "
            "where dag_id = :dag and run_id = :run",
            dag=run.dag_id,
            run=run.run_id,
        )
        return rows[0][0] if rows else None

    def _rows(self, statement: str, **values: object) -> list[tuple]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    # --- Airflow's processes -----------------------------------------------------------------------------

    def end(self, component: str, number: int, *, whole: bool = False) -> list[int]:
        """
        Send a signal to a component and wait until it has gone; return what it leaves behind.

        :param component: such as "triggerer".
        :param number: the signal.
        :param whole: whether its descendants get it, too, as when a pod dies.
        """
        parents = self.main_pids(component)
        below = [pid for parent in parents for pid in descendants(parent)]
        for pid in parents + (below if whole else []):
            _signal(pid, number)
        wait_until(lambda: not _alive(parents), f"the {component} to go", COMPONENT_SECONDS)
        return _alive(below)

    def main_pids(self, component: str) -> list[int]:
        """The processes of a component that no other process of it has started."""
        pids = self.airflow.component_pids(component)
        below = {pid for parent in pids for pid in descendants(parent)}
        return [pid for pid in pids if pid not in below]

    def bring_back(self, component: str) -> None:
        """Start a component and wait until it works."""
        since = self._newest_job(component)
        self.airflow.start_component(component)
        wait_until(lambda: self._works(component, since), f"the {component} to come back", COMPONENT_SECONDS)

    def _works(self, component: str, since: int) -> bool:
        if component == "api-server":
            return "api-server" not in self.airflow.unhealthy()
        return self._newest_job(component) > since

    def _newest_job(self, component: str) -> int:
        rows = self._rows(
            "select coalesce(max(id), 0) from job where job_type = :type and state = 'running'",
            type=JOBS.get(component, ""),
        )
        return int(rows[0][0])

    # --- The servers -------------------------------------------------------------------------------------

    def hash_of(self, conn_id: str, video_id: str) -> str | None:
        """The hash of a video's file as its server has it now."""
        server = self.servers[conn_id]
        for _ in range(QUESTIONS):  # of several replicas, some do not know it
            answer = httpx.get(
                f"{server.base_url}/videos/{video_id}/content",
                headers={"Authorization": f"Bearer {server.api_key}"},
                timeout=30,
                trust_env=False,
            )
            if answer.is_success:
                return hashlib.sha256(answer.content).hexdigest()
        return None

    def logs(self, run: Run) -> Path:
        """The folder of a run's logs."""
        return self.airflow.home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}"


def _stock(server: Emulator) -> None:
    for number in range(STOCK):
        httpx.post(
            f"{server.base_url}/videos",
            json={"prompt": f"What was there before, {number}"},
            headers={"Authorization": f"Bearer {server.api_key}"},
            trust_env=False,
        ).raise_for_status()


def kill(pids: Iterable[int]) -> None:
    """Kill -9."""
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def pause(pids: Iterable[int]) -> None:
    """Stop processes where they are."""
    for pid in pids:
        _signal(pid, signal.SIGSTOP)


def resume(pids: Iterable[int]) -> None:
    """Let stopped processes go on."""
    for pid in pids:
        _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _alive(pids: Iterable[int]) -> list[int]:
    return [pid for pid in pids if command_line(pid)]


def _connection(server: Emulator) -> str:
    impatient = {"extra": {"timeout": {"read": READ_SECONDS, "total": TOTAL_SECONDS}}}
    return json.dumps(json.loads(server.airflow_connection) | impatient)
