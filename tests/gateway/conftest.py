"""A foreign server: the LiteLLM proxy, in a process of its own, in front of emulators and hosted vendors."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.gateway.vendors import Vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

LITELLM = Path(os.environ.get("LITELLM", "missing"))
START_SECONDS = 120.0


@pytest.fixture(autouse=True)
def _migrated(_database: None) -> None:
    """Have the database that ``dag.test()`` needs."""


@dataclass(frozen=True)
class Gateway:
    """The proxy, and the servers behind it by the names of its models."""

    base_url: str
    key: str
    upstreams: dict[str, Emulator]
    vendors: Vendors

    def connection(self, model: str, **query: str) -> str:
        extra = {"model": model, **({"query": query} if query else {})}
        return json.dumps(
            {"conn_type": "videos", "host": self.base_url, "password": self.key, "extra": extra}
        )


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        Emulator(clock=ManualClock(), api_key="the-upstream-s-key") as contract,
        Emulator(clock=ManualClock(), api_key="the-engine-s-key", profile="vllm-omni") as engine,
        Vendors() as vendors,
    ):
        upstreams = {"contract": contract, "engine": engine}
        key = f"sk-{secrets.token_hex(24)}"
        # A job's id names its model and no more: two upstreams with the same one would be mixed up.
        models = {"contract": "openai/emulated-1", "engine": "hosted_vllm/emulated-1-pro"}
        served = [
            _model(name, models[name], emulator.base_url, emulator.api_key or "")
            for name, emulator in upstreams.items()
        ]
        hosted = [
            _model("veo", "gemini/veo-3.1", vendors.url, "the-vendor-s-key"),
            _model("runway", "runwayml/gen4.5", f"{vendors.url}/v1", "the-vendor-s-key"),
        ]
        config: dict[str, object] = {
            "model_list": served + hosted,
            "general_settings": {"master_key": key},
            "router_settings": {"num_retries": 0},
        }
        with _litellm(folder, config, engine) as base_url:
            yield Gateway(base_url, key, upstreams, vendors)


def _model(name: str, model: str, api_base: str, api_key: str) -> dict[str, object]:
    return {
        "model_name": name,
        "litellm_params": {"model": model, "api_base": api_base, "api_key": api_key},
    }


@contextmanager
def _litellm(folder: Path, config: dict[str, object], engine: Emulator) -> Iterator[str]:
    if not LITELLM.exists():
        pytest.fail("there is no proxy here: run make test-gateway")
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    port = _free_port()
    environment = {
        "PATH": f"{LITELLM.parent}:{os.defpath}",
        "HOME": str(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # It talks to nobody but the emulators.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        # The list has no model to look up an address for; it takes the provider's.
        "HOSTED_VLLM_API_BASE": engine.base_url,
        "HOSTED_VLLM_API_KEY": engine.api_key or "",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [LITELLM, "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}/health/liveliness", folder / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the proxy did not start:\n{log.read_text()[-3000:]}")
