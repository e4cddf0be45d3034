"""The doctor on the command line, with a connection of the environment's."""

from __future__ import annotations

import json
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
    assert lines[5].endswith("make a video and ask again, or download a thumbnail of one and see")
    assert videos_emulator.purchases == []
    assert videos_emulator.api_key not in done.stdout + done.stderr


@pytest.mark.usefixtures("_database")
def test_it_reads_connections_out_of_airflow_s_database(videos_emulator):
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        row = Connection("stored", "videos", host=videos_emulator.base_url, password="test-key")  # noqa: AIR311
        session.add(row)
    done = subprocess.run([*COMMAND, "stored"], capture_output=True, text=True, check=True)
    assert "delete    yes" in done.stdout


def run(connection, *options):
    environment = {**os.environ, "AIRFLOW_CONN_MY_SERVER": json.dumps(connection)}
    return subprocess.run(
        [*COMMAND, "my_server", *options], env=environment, capture_output=True, text=True, check=False
    )


def test_a_script_reads_json(videos_emulator):
    done = run(json.loads(videos_emulator.airflow_connection), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert (found["conn_id"], found["base_url"]) == ("my_server", videos_emulator.base_url)
    assert list(found["findings"]) == ["models", "list", "delete", "remix", "variants", "ranges"]
    assert found["findings"]["delete"] == {"offer": "yes", "words": "", "hint": ""}
    assert all(finding["hint"] for finding in found["findings"].values() if finding["offer"] == "unknown")


def test_a_wrong_key_is_the_server_s_no(videos_emulator):
    done = run(json.loads(videos_emulator.airflow_connection) | {"password": "another-key"})
    assert done.returncode == 1
    assert "check the connection's key" in done.stdout
    assert "another-key" not in done.stdout + done.stderr


def test_a_server_that_is_not_there_is_told(videos_emulator):
    videos_emulator.stop()
    done = run(json.loads(videos_emulator.airflow_connection))
    assert done.returncode == 1
    assert "the server is up" in done.stdout


def test_a_base_url_of_no_videos_server_is_told(videos_emulator):
    connection = json.loads(videos_emulator.airflow_connection)
    done = run(connection | {"host": videos_emulator.base_url.removesuffix("/v1")})
    assert done.returncode == 1


@pytest.mark.parametrize("wrong", [{"host": ""}, {"password": ""}, {"extra": '{"verify": "/nowhere"}'}])
def test_a_connection_that_is_wrong_is_told_apart(wrong):
    done = run({"conn_type": "videos", "host": "http://localhost:1/v1", "password": "key"} | wrong, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"].startswith("connection 'my_server': ")


def test_a_connection_that_is_missing_is_named():
    done = subprocess.run([*COMMAND, "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no connection 'nowhere'" in done.stderr
