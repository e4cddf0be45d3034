"""Airflow's REST API, as far as a demo and tests need it: trigger a run, watch it, read what it left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FINISHED = frozenset({"success", "failed"})
POLL_SECONDS = 0.2
DAG_SECONDS = 60.0
RUN_SECONDS = 120.0


class DagImportError(RuntimeError):
    """A DAG is not there, and files of its folder do not import."""


@dataclass(frozen=True)
class Task:
    """A task instance as Airflow reports it."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    start: datetime | None
    end: datetime | None

    @property
    def name(self) -> str:
        """The id, with its map index where there is one."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


@dataclass(frozen=True)
class Change:
    """A task instance seen in a new state, ``elapsed`` seconds after the watch began."""

    elapsed: float
    task: Task


@dataclass(frozen=True)
class Poll:
    """One look at a run."""

    elapsed: float
    tasks: list[Task]
    changed: list[Task]

    @property
    def changes(self) -> list[Change]:
        """What is new since the look before."""
        return [Change(self.elapsed, task) for task in self.changed]


class AirflowRest:
    """The doors of one Airflow that lets everybody in as an administrator."""

    clear_options: Mapping[str, Any] = {}
    mark_options: Mapping[str, Any] = {}
    xcom_options: Mapping[str, Any] = {"deserialize": True}

    def __init__(self, base_url: str) -> None:
        self._http = self._connect(base_url)

    def _connect(self, base_url: str) -> httpx.Client:
        token = httpx.get(f"{base_url}/auth/token", trust_env=False).raise_for_status()
        return httpx.Client(
            base_url=f"{base_url}/api/v2",
            headers={"Authorization": f"Bearer {token.json()['access_token']}"},
            timeout=30,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """What Airflow answers to a GET below ``/api/v2``."""
        return self.call("GET", path, params=query)

    def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """Any call below ``/api/v2``, for what has no door of its own here."""
        response = self._http.request(method, path, **kwargs)
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        return response.json() if response.content else None

    def import_errors(self) -> dict[str, str]:
        """Tracebacks of the DAG files that do not import, by file name."""
        answer = self.get("/importErrors", limit=100)
        return {error["filename"]: error["stack_trace"] for error in answer["import_errors"]}

    def wait_for_dag(self, dag_id: str, timeout: float = DAG_SECONDS) -> None:
        """Wait until a DAG is listed; a broken file is reported once the DAG has had its chance."""
        deadline = time.monotonic() + timeout
        while not self._is_listed(dag_id):
            errors = self.import_errors()
            if errors or time.monotonic() > deadline:
                shown = "\n\n".join(f"{file}:\n{trace}" for file, trace in errors.items())
                raise DagImportError(f"DAG {dag_id} is not listed. {shown or 'No file failed to import.'}")
            time.sleep(POLL_SECONDS)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> Run:
        """Start a run, waiting for the DAG to be listed and unpausing it first."""
        self.wait_for_dag(dag_id)
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
        body = self.run_body(conf or {})
        return Run(self, dag_id, self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_body(self, conf: Mapping[str, Any]) -> dict[str, Any]:
        """What starts a run."""
        return {"logical_date": None, "conf": dict(conf)}

    def log_lines(self, content: Any) -> list[dict[str, Any]]:
        """The lines of a log, as structured as Airflow keeps them."""
        return [line if isinstance(line, dict) else {"event": line} for line in content]

    def latest_run(self, dag_id: str) -> Run:
        """The run of a DAG that was made last, by whomever."""
        answer = self.get(f"/dags/{dag_id}/dagRuns", order_by="-id", limit=1)
        return Run(self, dag_id, answer["dag_runs"][0]["dag_run_id"])

    def _is_listed(self, dag_id: str) -> bool:
        return bool(self._http.get(f"/dags/{dag_id}").status_code == httpx.codes.OK)


def wait_until(met: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout
    while not met():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(0.1)


@dataclass(frozen=True)
class Run:
    """One run of a DAG."""

    rest: AirflowRest
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        """The run's address below ``/api/v2``."""
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def state(self) -> str:
        """The state of the run."""
        return str(self.rest.get(self.path)["state"])

    def tasks(self) -> list[Task]:
        """The task instances of the run."""
        answer = self.rest.get(f"{self.path}/taskInstances", limit=1000)
        return [_task(instance) for instance in answer["task_instances"]]

    def task(self, task_id: str, map_index: int = -1) -> Task:
        """One task instance of the run."""
        return next(task for task in self.tasks() if (task.task_id, task.map_index) == (task_id, map_index))

    def xcom(self, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """A value that a task has left."""
        entry = f"{self.path}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.rest.get(entry, map_index=map_index, **self.rest.xcom_options)["value"]

    def xcom_keys(self, task_id: str, map_index: int = -1) -> list[str]:
        """The keys of the values that a task has left."""
        entries = self.rest.get(f"{self.path}/taskInstances/{task_id}/xcomEntries", map_index=map_index)
        return sorted(entry["key"] for entry in entries["xcom_entries"])

    def log(self, task_id: str, try_number: int | None = None, map_index: int = -1) -> list[dict[str, Any]]:
        """The log lines of a try (the latest by default), as structured as Airflow keeps them."""
        number = try_number or self.task(task_id, map_index).try_number
        path = f"{self.path}/taskInstances/{task_id}/logs/{number}"
        content = self.rest.get(path, map_index=map_index, full_content=True)["content"]
        return self.rest.log_lines(content)

    def polls(self, timeout: float) -> Iterator[Poll]:
        """Look at the run again and again until it has finished."""
        begun = time.monotonic()
        before: dict[str, str | None] = {}
        while True:
            finished = self.state() in FINISHED
            elapsed = time.monotonic() - begun
            tasks = self.tasks()
            yield Poll(elapsed, tasks, [task for task in tasks if task.state != before.get(task.name)])
            before = {task.name: task.state for task in tasks}
            if finished:
                return
            if elapsed > timeout:
                raise TimeoutError(f"{self.dag_id} {self.run_id} runs after {timeout:g} seconds: {before}")
            time.sleep(POLL_SECONDS)

    def watch(self, timeout: float = RUN_SECONDS) -> Iterator[Change]:
        """Yield each change of a task's state as it happens, until the run has finished."""
        for poll in self.polls(timeout):
            yield from poll.changes

    def wait(self, timeout: float = RUN_SECONDS) -> str:
        """Wait until the run has finished and return its state."""
        for _ in self.watch(timeout):
            pass
        return self.state()

    def wait_for_state(self, task_id: str, state: str, timeout: float = 60.0, map_index: int = -1) -> Task:
        """Wait until a task is in a state."""
        deadline = time.monotonic() + timeout
        while (task := self.task(task_id, map_index)).state != state:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task.name} is {task.state} after {timeout:g} seconds, not {state}")
            time.sleep(POLL_SECONDS)
        return task

    def clear(self, *task_ids: str, downstream: bool = False) -> None:
        """Clear tasks of the run, all of them by default, whatever their state."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "only_failed": False,
            "include_downstream": downstream,
            **self.rest.clear_options,
        } | ({"task_ids": list(task_ids)} if task_ids else {})
        self.rest.call("POST", f"/dags/{self.dag_id}/clearTaskInstances", json=body)

    def mark(self, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task as a user would: "success", "failed" or "skipped"."""
        suffix = "" if map_index < 0 else f"/{map_index}"
        body = {"new_state": state, **self.rest.mark_options}
        self.rest.call("PATCH", f"{self.path}/taskInstances/{task_id}{suffix}", json=body)


def _task(instance: dict[str, Any]) -> Task:
    return Task(
        task_id=instance["task_id"],
        map_index=instance["map_index"],
        state=instance["state"],
        try_number=instance["try_number"],
        start=_moment(instance["start_date"]),
        end=_moment(instance["end_date"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
