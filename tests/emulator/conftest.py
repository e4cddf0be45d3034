"""The emulator for tests of the emulator; `server` is it as a subject of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.emulator.videos_contract import Subject, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture
def client(videos_emulator: Emulator) -> Iterator[httpx.Client]:
    with connect(videos_emulator.base_url, videos_emulator.api_key) as client:
        yield client


@pytest.fixture(scope="session")
def server() -> Iterator[Subject]:
    with Emulator(clock=ManualClock()) as emulator, connect(emulator.base_url, emulator.api_key) as client:
        yield Subject(client, pass_time=emulator.clock.advance, complete=True)
