"""The plugin that every pytest run loads where the package is installed, and what it brings when asked."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

HEAVY = ("airflow", "av", "boto3", "httpx", "PIL", "pydantic", "starlette", "uvicorn")
OURS = {"airflow_provider_videos", "airflow_provider_videos.pytest_plugin"}


@pytest.fixture
def run_pytest(tmp_path):
    """Run a test file of a project of its own and return its output."""

    def run_pytest(source):
        (tmp_path / "test_theirs.py").write_text(source)
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(tmp_path)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_pytest


def test_whoever_does_not_ask_for_the_fixture_loads_the_plugin_alone(run_pytest):
    output = run_pytest(f"""
import sys
def test_modules():
    loaded = {{name for name in sys.modules if name.partition(".")[0] == "airflow_provider_videos"}}
    heavy = {{name.partition(".")[0] for name in sys.modules}} & {set(HEAVY)!r}
    print("loaded:", *sorted(loaded | heavy))
""")
    (line,) = (line for line in output.splitlines() if line.startswith("loaded:"))
    assert set(line.split()[1:]) == OURS


def test_whoever_asks_for_the_fixture_gets_a_server(run_pytest):
    run_pytest("""
import socket, sys
from urllib.parse import urlsplit
def test_server(videos_emulator):
    assert "airflow_provider_videos.emulator.server" in sys.modules
    address = urlsplit(videos_emulator.base_url)
    socket.create_connection((address.hostname, address.port)).close()
""")


def test_pytest_finds_the_plugin():
    (found,) = [point for point in entry_points(group="pytest11") if point.name == "airflow_provider_videos"]
    assert found.value == "airflow_provider_videos.pytest_plugin"
