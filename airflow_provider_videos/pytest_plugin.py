"""Pytest plugin for whoever tests DAGs: a fixture that costs nothing until it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.emulator import Emulator


@pytest.fixture
def videos_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """
    A Videos API server of the test's own, its clock turned by hand.

    It speaks another dialect than the contract's with
    ``@pytest.mark.parametrize("videos_emulator", ["sglang", "litellm"], indirect=True)``.
    """
    from airflow_provider_videos.emulator import Emulator, ManualClock

    with Emulator(clock=ManualClock(), profile=getattr(request, "param", "openai")) as emulator:
        yield emulator
