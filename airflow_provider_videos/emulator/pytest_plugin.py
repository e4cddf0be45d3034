"""A pytest fixture for whoever tests DAGs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.emulator import Emulator


@pytest.fixture
def videos_emulator() -> Iterator[Emulator]:
    """A Videos API server of the test's own, its clock turned by hand."""
    from airflow_provider_videos.emulator import Emulator, ManualClock

    with Emulator(clock=ManualClock()) as emulator:
        yield emulator
