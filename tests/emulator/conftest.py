"""The emulator for tests of the emulator; `server` is it too, unless the environment names a living one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_videos.emulator import Emulator, ManualClock
from airflow_provider_videos.emulator.pytest_plugin import videos_emulator  # noqa: F401 - a fixture
from tests.emulator.videos_contract import Subject, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

LIVE_POLL_SECONDS = 5.0


@pytest.fixture
def client(videos_emulator: Emulator) -> Iterator[httpx.Client]:  # noqa: F811 - the fixture of that name
    with connect(videos_emulator.base_url, videos_emulator.api_key) as client:
        yield client


@pytest.fixture(scope="session")
def server() -> Iterator[Subject]:
    base_url = os.environ.get("VIDEOS_BASE_URL")
    if base_url:
        yield from _living(base_url)
        return
    with Emulator(clock=ManualClock()) as emulator, connect(emulator.base_url, emulator.api_key) as client:
        yield Subject(client, pass_time=emulator.clock.advance, complete=True)


def _living(base_url: str) -> Iterator[Subject]:
    with connect(base_url, os.environ.get("VIDEOS_API_KEY"), timeout=120) as client:
        yield Subject(
            client,
            pass_time=lambda _: time.sleep(LIVE_POLL_SECONDS),
            model=os.environ.get("VIDEOS_MODEL"),
            may_buy_more=False,
            patience=600,
        )
