"""Access to the endpoints under `/_emulator`."""

from __future__ import annotations

import httpx
import pytest

from airflow_provider_videos.emulator import Emulator


def asked(emulator: Emulator, path: str = "record", **headers: str) -> int:
    given = {"authorization": f"Bearer {emulator.api_key}", **headers}
    url = f"{emulator.base_url.removesuffix('/v1')}/_emulator/{path}"
    return httpx.get(url, headers=given, trust_env=False).status_code


@pytest.mark.parametrize("path", ["record", "faults"])
def test_the_control_door_asks_for_the_key(videos_emulator: Emulator, path: str) -> None:
    assert asked(videos_emulator, path) == 200
    assert asked(videos_emulator, path, authorization="") == 401
    assert asked(videos_emulator, path, authorization="Bearer other") == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("localhost:8787", 200), ("127.0.0.1", 200), ("[::1]:8787", 200), ("emulator:8787", 200)),
        *(("evil.example:8787", 403), ("evil.example.", 403), ("127.0.0.1.nip.io", 403), ("", 403)),
    ],
)
def test_a_name_that_strangers_can_point_here_is_refused(
    videos_emulator: Emulator, host: str, status: int
) -> None:
    assert asked(videos_emulator, host=host) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8787", 200),
        ("https://localhost:8787", 403),
        ("http://localhost:9999", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
def test_pages_of_other_origins_are_refused(videos_emulator: Emulator, origin: str, status: int) -> None:
    assert asked(videos_emulator, host="localhost:8787", origin=origin) == status


def test_without_a_key_pages_are_refused_all_the_same() -> None:
    with Emulator(api_key=None) as emulator:
        assert asked(emulator, authorization="") == 200
        assert asked(emulator, authorization="", origin="https://evil.example") == 403
