"""A throw-away Airflow home for the whole run, and a server to talk to for each test."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Airflow reads its home when it is first imported.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-provider-videos-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parents[1] / "dags")
os.environ["AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY"] = "0"

from airflow_provider_videos.api.endpoint import Endpoint  # noqa: E402 - the home comes first

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG
    from sqlalchemy.orm import Session

    from airflow_provider_videos.emulator import Emulator


@dataclass(frozen=True)
class Ran:
    """State and XComs of a task that has run."""

    state: str
    xcoms: dict[str, Any]


class RunDag:
    """Runs DAGs and says what became of their tasks."""

    def __call__(self, dag: DAG, **conf: Any) -> dict[str, Ran]:
        from airflow.utils.session import create_session

        with create_session() as session:
            _register(dag, session)
        run = dag.test(run_conf=conf)
        with create_session() as session:
            xcoms = _xcoms(run, session)
            return {
                _name(task.task_id, task.map_index): Ran(
                    str(task.state),
                    {key: value for *where, key, value in xcoms if where == [task.task_id, task.map_index]},
                )
                for task in run.get_task_instances(session=session)
            }


def _xcoms(run: Any, session: Session) -> list[tuple[str, int, str, Any]]:
    from airflow_provider_videos.adapters.release import is_before

    if is_before(3, 0):
        from airflow.models.xcom import XCom

        rows: Any = XCom.get_many(run_id=run.run_id, dag_ids=run.dag_id, session=session)
        return [(row.task_id, row.map_index, row.key, row.value) for row in rows]
    from airflow.models.xcom import XComModel

    found: Any = session.execute(XComModel.get_many(run_id=run.run_id, dag_ids=run.dag_id)).scalars()
    return [(row.task_id, row.map_index, row.key, XComModel.deserialize_value(row)) for row in found]


def _register(dag: DAG, session: Session) -> None:
    """Do for a DAG that has no file what the DAG processor does for the others."""
    from airflow_provider_videos.adapters.release import is_before

    if is_before(3, 0):
        return  # there it needs none
    from airflow.dag_processing import collection
    from airflow.serialization import serialized_objects

    objects: Any = serialized_objects
    lazy = objects.LazyDeserializedDAG
    update: Any = collection.update_dag_parsing_results_in_db
    if is_before(3, 1):
        read = lazy(data=objects.SerializedDAG.to_dict(dag))
        update("dags-folder", None, [read], {}, set(), session)
    else:
        update("dags-folder", None, [lazy.from_dag(dag)], {}, None, set(), session=session)


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"


@pytest.fixture
def endpoint(videos_emulator: Emulator) -> Endpoint:
    return Endpoint(videos_emulator.base_url, api_key=videos_emulator.api_key)


@pytest.fixture
def connect_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Point the connection `videos_default` to a server, with further fields of its extra."""

    def connect_to(emulator: Emulator, **extra: Any) -> None:
        fields = json.loads(emulator.airflow_connection)
        fields["extra"] = {**fields.get("extra", {}), **extra}
        monkeypatch.setenv("AIRFLOW_CONN_VIDEOS_DEFAULT", json.dumps(fields))

    return connect_to


@pytest.fixture
def connection(videos_emulator: Emulator, connect_to: Callable[..., None]) -> None:
    """The connection `videos_default`, to the emulator."""
    connect_to(videos_emulator)


@pytest.fixture(scope="session")
def _database() -> None:
    from airflow.utils.db import initdb

    initdb()
    from airflow_provider_videos.adapters.release import is_before

    if is_before(3, 0):
        return
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()


@pytest.fixture
def run_dag(_database: None) -> RunDag:
    """Run a DAG in this process, as ``dag.test()`` does: real tasks, real triggers, a real database."""
    return RunDag()


MATRIX = pytest.StashKey[dict[str, dict[str, str]]]()


class Matrix:
    """Collects what each operation came to on each server; shown when the tests have ended."""

    def __init__(self, rows: dict[str, dict[str, str]]) -> None:
        self.rows = rows

    def __call__(self, server: str, operation: str, cell: str) -> None:
        self.rows.setdefault(server, {})[operation] = cell


@pytest.fixture
def matrix(request: pytest.FixtureRequest) -> Matrix:
    return Matrix(request.config.stash.setdefault(MATRIX, {}))


class FromTheWorkers:
    """Brings together what several processes have collected, where tests run in several."""

    def pytest_testnodedown(self, node: Any) -> None:
        node.config.stash.setdefault(MATRIX, {}).update(getattr(node, "workeroutput", {}).get("matrix", {}))


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(FromTheWorkers())


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["matrix"] = session.config.stash.get(MATRIX, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if rows := config.stash.get(MATRIX, {}):
        from tests.emulator.client_contract import table

        terminalreporter.section("what each server offers")
        terminalreporter.write_line(table(rows))
