"""One real Airflow for all system tests, the emulator it buys from and the object storage it delivers to."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from airflow_provider_videos.emulator import Emulator
from demo.postgres import Postgres
from demo.standalone import Airflow
from tests.system.object_storage import ObjectStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(api_key="the-key-of-the-system-tests", job_seconds=3) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def as_new(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test tells the emulator does not reach the next one."""
    yield
    if "emulator" in request.fixturenames:
        shared: Emulator = request.getfixturevalue("emulator")
        shared.clear_faults()
        shared.serve(None)


@pytest.fixture(scope="session")
def object_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStorage]:
    with ObjectStorage(tmp_path_factory.mktemp("object-storage"), buckets=["videos"]) as server:
        yield server


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, emulator: Emulator, object_storage: ObjectStorage
) -> Iterator[Airflow]:
    dags = tmp_path_factory.mktemp("dags")
    for folder in (ROOT / "dags", ROOT / "tests" / "system" / "dags"):
        shutil.copytree(folder, dags, dirs_exist_ok=True)
    # SQLite gives the ids of triggers that have gone to new ones, which then share their fate. Each pytest
    # that begins closes pytest's own folder to all but its user: the server's user has to be elsewhere.
    with (
        TemporaryDirectory(prefix="postgres-") as data,
        Postgres(Path(data) / "data") as postgres,
        Airflow(
            tmp_path_factory.mktemp("airflow"),
            dags,
            connections={"videos_default": emulator.airflow_connection},
            env=object_storage.client_env | {"AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1"},
            database=postgres.url,
        ) as airflow,
    ):
        yield airflow
