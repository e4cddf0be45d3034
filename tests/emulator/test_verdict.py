"""The verdict on a living server, on each of the ten dialects and on servers that are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from airflow_provider_videos.emulator import PROFILES, Answer, Emulator, Fault, ManualClock
from tests.emulator.verdict import endpoint_from, judge


@pytest.mark.parametrize("profile", PROFILES)
def test_each_dialect_works_whatever_it_deviates_in(profile):
    with Emulator(profile=profile, clock=ManualClock()) as emulator:
        endpoint = endpoint_from({"VIDEOS_CONNECTION": emulator.airflow_connection})
        verdict = judge(endpoint, pass_time=lambda _: emulator.clock.advance(10))
        assert verdict.problem is None
        assert len(emulator.purchases) == 1
    lines = verdict.lines()
    assert lines[0].startswith("works with this provider: ")
    assert lines[1].startswith(f"deviates from the contract in {len(verdict.deviations)} of ")
    assert len(lines) == 3 + len(verdict.deviations)
    assert not verdict.deviations if profile == "openai" else verdict.deviations
    assert all(words and words.isprintable() for words in verdict.deviations.values())


def test_the_emulator_s_habits_are_not_asked_of_others():
    with Emulator(clock=ManualClock()) as emulator:
        endpoint = endpoint_from({"VIDEOS_CONNECTION": emulator.airflow_connection})
        verdict = judge(endpoint, pass_time=lambda _: emulator.clock.advance(10))
    assert "content_takes_no_head" in verdict.left_out


def run(**environment):
    return subprocess.run(
        [sys.executable, "-m", "tests.emulator.verdict"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_server_whose_file_is_json_does_not_work():
    with Emulator(job_seconds=0) as emulator:
        emulator.inject(Fault(Answer(status=200, body='{"a": 1}'), operation="content", times=None))
        done = run(VIDEOS_BASE_URL=emulator.base_url, VIDEOS_API_KEY=emulator.api_key)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "does not work with this provider: " in done.stdout


def test_a_server_that_refuses_the_key_does_not_work(videos_emulator):
    done = run(VIDEOS_BASE_URL=videos_emulator.base_url, VIDEOS_API_KEY="another-key")
    assert done.returncode == 1
    assert "does not work with this provider: " in done.stdout
    assert "another-key" not in done.stdout + done.stderr


def test_the_connection_s_query_and_header_for_the_key_are_taken():
    extra = {"key_header": "api-key", "auth_scheme": "none", "query": {"api-version": "1"}}
    given = {"conn_type": "videos", "host": "http://box/v1", "password": "abc", "extra": extra}
    endpoint = endpoint_from({"VIDEOS_CONNECTION": json.dumps(given), "VIDEOS_MODEL": "wan"})
    assert endpoint.credentials() == {"api-key": "abc"}
    assert (endpoint.query, endpoint.model) == ({"api-version": "1"}, "wan")
