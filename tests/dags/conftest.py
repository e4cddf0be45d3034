"""The database that ``dag.test()`` needs: what ``airflow db migrate`` does, once for the whole run."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _migrated(_database: None) -> None:
    return
