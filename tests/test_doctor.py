"""The doctor on the command line, with a connection of the environment's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "airflow_provider_videos.doctor"]


def test_it_says_what_the_server_offers(videos_emulator):
    environment = {**os.environ, "AIRFLOW_CONN_MY_SERVER": videos_emulator.airflow_connection}
    done = subprocess.run(
        [*COMMAND, "my_server"], env=environment, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[0] == f"my_server: {videos_emulator.base_url}"
    assert lines[1] == "models    yes      emulated-1, emulated-1-pro"
    assert lines[2:5] == ["list      yes", "delete    yes", "remix     yes"]
    assert lines[5].startswith("variants  unknown")
    assert videos_emulator.purchases == []
    assert videos_emulator.api_key not in done.stdout + done.stderr


@pytest.mark.usefixtures("_database")
def test_it_reads_connections_out_of_airflow_s_database(videos_emulator):
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection("stored", "videos", host=videos_emulator.base_url, password="test-key"))
    done = subprocess.run([*COMMAND, "stored"], capture_output=True, text=True, check=True)
    assert "delete    yes" in done.stdout


def test_a_connection_that_is_missing_is_named():
    done = subprocess.run([*COMMAND, "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no connection 'nowhere'" in done.stderr
