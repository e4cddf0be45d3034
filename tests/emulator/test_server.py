"""Coming and going: the process, the thread, the port, the record."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

import airflow_provider_videos.emulator as package
from airflow_provider_videos.emulator import Clock, Emulator, ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "airflow_provider_videos.emulator"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, "--port", "0", "--job-seconds", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_it_leaves_nothing_behind() -> None:
    before = threading.active_count()

    with Emulator() as emulator, httpx.Client(base_url=emulator.base_url) as client:
        client.get("/models")
        assert threading.active_count() > before

    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{emulator.base_url}/models")
    assert emulator.record.requests["models"] == 1


def test_it_comes_back_at_the_same_port_with_its_jobs(
    client: httpx.Client, videos_emulator: Emulator
) -> None:
    identity, url = client.post("/videos", json={"prompt": "x"}).json()["id"], videos_emulator.base_url

    videos_emulator.stop()
    with pytest.raises(httpx.TransportError):
        client.get(f"/videos/{identity}")
    videos_emulator.start()

    assert videos_emulator.base_url == url
    assert client.get(f"/videos/{identity}").status_code == 200


def test_a_restart_loses_the_jobs_and_never_repeats_an_id(
    client: httpx.Client, videos_emulator: Emulator
) -> None:
    first = client.post("/videos", json={"prompt": "x"}).json()["id"]

    videos_emulator.restart()

    assert client.get(f"/videos/{first}").status_code == 404
    assert client.post("/videos", json={"prompt": "x"}).json()["id"] != first


def test_connections_are_counted_and_dropped(client: httpx.Client, videos_emulator: Emulator) -> None:
    client.get("/models")
    client.get("/models")
    assert videos_emulator.record.connections == 1

    videos_emulator.drop_connections()
    client.get("/models")

    assert videos_emulator.record.connections == 2


def test_the_record_keeps_no_secret(client: httpx.Client, videos_emulator: Emulator) -> None:
    client.post("/videos?a=b", json={"prompt": "x", "steps": 5}, headers={"x-extra": "1", "api-key": "hush"})

    (exchange,) = videos_emulator.record.exchanges
    assert (exchange.operation, exchange.query, exchange.status) == ("create", "a=b", 200)
    assert exchange.headers["x-extra"] == "1"
    assert (exchange.headers["authorization"], exchange.headers["api-key"]) == ("***", "***")
    assert videos_emulator.purchases[0].fields == {"prompt": "x", "steps": 5}
    text = json.dumps(videos_emulator.record.to_json())
    assert "test-key" not in text
    assert "hush" not in text


def test_a_refused_request_buys_nothing(client: httpx.Client, videos_emulator: Emulator) -> None:
    for body in (b"{", b"[]", b'{"prompt": ""}', b'{"prompt": 5}', b'{"prompt": "x", "characters": [1]}'):
        response = client.post("/videos", content=body, headers={"Content-Type": "application/json"})
        assert response.status_code == 400, body
    assert client.post("/videos", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 400
    assert client.put("/videos", json={}).headers["allow"] == "GET, POST"
    assert client.get("/nowhere").status_code == 404
    assert not videos_emulator.purchases


def test_no_key_is_asked_for_when_there_is_none() -> None:
    with Emulator(api_key=None) as emulator:
        assert httpx.get(f"{emulator.base_url}/models").status_code == 200


def test_the_same_seed_gives_the_same_ids() -> None:
    def ids(seed: int | None) -> list[str]:
        with (
            Emulator(seed=seed, api_key=None) as emulator,
            httpx.Client(base_url=emulator.base_url) as client,
        ):
            return [client.post("/videos", json={"prompt": "x"}).json()["id"] for _ in range(3)]

    assert ids(7) == ids(7)
    assert ids(None) != ids(None)


def test_clocks() -> None:
    real, manual = Clock(offset=-100), ManualClock(start=5)
    before = real.now()

    real.advance(50)
    manual.advance(1.5)

    assert real.now() - before >= 50
    assert manual.now() == 6.5


def test_requests_can_turn_the_clock() -> None:
    clock = ManualClock(1_000_000, per_request=5)
    with Emulator(api_key=None, clock=clock) as emulator:
        bought = httpx.post(f"{emulator.base_url}/videos", json={"prompt": "A boat"}).json()
        assert bought["created_at"] == 1_000_005
        httpx.get(f"{emulator.base_url}/models")
        assert clock.now() == 1_000_010


def test_the_connection_is_one_airflow_reads() -> None:
    with Emulator(api_key="k") as emulator:
        assert json.loads(emulator.airflow_connection) == {
            "conn_type": "videos",
            "host": emulator.base_url,
            "password": "k",
        }


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "EXTRA", ("a_module_nobody_has",))

    with pytest.raises(ImportError, match=r"airflow-provider-videos\[emulator\]"):
        package.__getattr__("Emulator")


def test_describing_faults_and_loading_the_plugin_need_no_extra() -> None:
    code = (
        "import sys, airflow_provider_videos.pytest_plugin, airflow_provider_videos.emulator;"
        "print([name for name in ('av', 'PIL', 'starlette', 'uvicorn', 'airflow') if name in sys.modules])"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_command_says_where_it_is(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    base_url = process.stdout.readline().split()[-1]
    key = process.stdout.readline().split()[-1]
    name, _, connection = process.stdout.readline().strip().removeprefix("export ").partition("=")

    assert name == "AIRFLOW_CONN_VIDEOS_DEFAULT"
    assert json.loads(connection.strip("'")) == {"conn_type": "videos", "host": base_url, "password": key}
    headers = {"Authorization": f"Bearer {key}"}
    response = httpx.post(f"{base_url}/videos", json={"prompt": "x"}, headers=headers)
    assert response.json()["status"] == "completed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_stops_cleanly(number: signal.Signals, process: subprocess.Popen[str]) -> None:
    assert process.stdout
    process.stdout.readline()

    process.send_signal(number)

    assert process.wait(timeout=5) == 0


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [*COMMAND, "--port", port], capture_output=True, text=True, check=False, timeout=10
        )

    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in run.stderr
    assert "in use" in run.stderr


def test_the_plugin_gives_a_fixture(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("def test_it(videos_emulator):\n    assert videos_emulator.base_url.endswith('/v1')\n")

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", test],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed" in run.stdout
