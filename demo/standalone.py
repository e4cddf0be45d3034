"""A real Airflow (scheduler, API server, DAG processor and triggerer) as a context manager."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sys
import time
from collections import ChainMap
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from demo.keeper import Kept
from demo.rest import AirflowRest
from demo.rest_v1 import AirflowRestV1

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASE = tuple(map(int, re.findall(r"\d+", version("apache-airflow"))[:2]))
IS_2 = RELEASE < (3, 0)
COMPONENTS = (
    ("scheduler", "webserver", "triggerer")
    if IS_2
    else ("scheduler", "dag-processor", "api-server", "triggerer")
)
START_SECONDS = 300.0

QUICK = {
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
}
"""Settings under which a small Airflow starts and reacts in seconds."""

QUICK_2 = {
    "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
    "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "1",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
    "AIRFLOW__WEBSERVER__WORKERS": "1",
    "AIRFLOW__WEBSERVER__WORKER_REFRESH_INTERVAL": "0",
}
"""Those that 2.11 calls otherwise."""

ALL_ADMINS = "AUTH_ROLE_PUBLIC = 'Admin'\nWTF_CSRF_ENABLED = True\n"
"""What 2.11's web server is told so that nobody needs a password."""


class AirflowDidNotStartError(RuntimeError):
    """Airflow is not healthy; the message says which component, which port, and what was logged."""


class Airflow(Kept):
    """
    A real Airflow in its own session, on free ports, which leaves no process behind.

    :param home: an empty directory: settings, logs and (without ``database``) the SQLite file go there
    :param dags: the folder of DAG files
    :param connections: connections by id, as URIs or JSON; given to Airflow in its environment
    :param env: further environment for every component and so for every task
    :param database: a SQLAlchemy URL; SQLite below ``home`` by default
    :param port: the port of the API and the UI; a free one by default
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        *,
        connections: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        database: str | None = None,
        port: int | None = None,
    ) -> None:
        self.home = home
        self.port, self.worker_log_port, self.trigger_log_port = _ports(port)
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.environment = environment(home, dags, connections=connections, env=env, database=database) | {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.base_url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.base_url}/execution/",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.worker_log_port),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.trigger_log_port),
        }
        if IS_2:
            self.environment |= {
                "AIRFLOW__WEBSERVER__BASE_URL": self.base_url,
                "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
                "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            }
        self._rest: AirflowRest | None = None
        self._restarted: list[Kept] = []
        super().__init__(
            [*airflow_command(), "standalone"], log=home / "standalone.log", env=self.environment
        )

    @property
    def rest(self) -> AirflowRest:
        """The door to trigger and watch runs."""
        if self._rest is None:
            raise RuntimeError("Airflow is not running: enter it with `with` first")
        return self._rest

    def start(self, timeout: float = START_SECONDS) -> None:
        """Start everything and wait until all four components are healthy."""
        self.home.mkdir(parents=True, exist_ok=True)
        if IS_2:
            (self.home / "webserver_config.py").write_text(ALL_ADMINS)
        for name, port in self._named_ports().items():
            if not is_free(port):
                raise AirflowDidNotStartError(f"port {port}, wanted for the {name}, is taken")
        super().start()
        try:
            self._wait_until_healthy(time.monotonic() + timeout)
            self._rest = AirflowRestV1(self.base_url) if IS_2 else AirflowRest(self.base_url)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Interrupt Airflow, kill what does not go, and see that nothing is left."""
        if self._rest is not None:
            self._rest.close()
            self._rest = None
        with contextlib.ExitStack() as stack:
            stack.callback(super().stop)
            for kept in self._restarted:
                stack.callback(kept.stop)

    def component_pids(self, component: str) -> list[int]:
        """Process ids of a component ("scheduler", "triggerer", ...), the parent before its children."""
        title = f"airflow {component}"
        return [pid for pid, line in sorted(self.pids().items()) if title in line.replace("_", "-")]

    def pids(self) -> dict[int, str]:
        """The command lines of all live processes of this Airflow, by process id."""
        restarted = [kept.pids() for kept in self._restarted]
        return dict(ChainMap(super().pids(), *restarted))

    def kill_component(self, component: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to every process of a component and wait until they have gone."""
        while pids := self.component_pids(component):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(0.1)

    def start_component(self, component: str) -> None:
        """Start a component anew, which `airflow standalone` does not do; it stops with the rest."""
        log = self.home / f"{component}-{len(self._restarted)}.log"
        kept = Kept([*airflow_command(), component], log=log, env=self.environment)
        kept.start()
        self._restarted.append(kept)

    def _wait_until_healthy(self, deadline: float) -> None:
        seen: set[str] = set()
        while unhealthy := self.unhealthy():
            alive = {name for name in COMPONENTS if self.component_pids(name)}
            died = seen - alive
            if died or not self.running or time.monotonic() > deadline:
                raise AirflowDidNotStartError(self._diagnosis(sorted(died) or sorted(unhealthy)))
            seen |= alive
            time.sleep(0.2)

    def unhealthy(self) -> set[str]:
        path = "/health" if IS_2 else "/api/v2/monitor/health"
        try:
            health = httpx.get(f"{self.base_url}{path}", timeout=5, trust_env=False).json()
        except (httpx.TransportError, ValueError):
            return {"webserver" if IS_2 else "api-server"}
        # The API server answers, or we would not be here.
        known = {"scheduler": "scheduler", "dag_processor": "dag-processor", "triggerer": "triggerer"}
        known = {key: name for key, name in known.items() if name in COMPONENTS}
        return {name for key, name in known.items() if health[key]["status"] != "healthy"}

    def _diagnosis(self, components: list[str]) -> str:
        ports = ", ".join(f"{name} {port}" for name, port in self._named_ports().items())
        tails = [self.log_tail(15, name) for name in components]
        shown = "\n".join(tail for tail in tails if tail) or self.log_tail()
        return f"Airflow is not healthy: {', '.join(components)} (ports: {ports}). Its log ends:\n{shown}"

    def _named_ports(self) -> dict[str, int]:
        return {
            "api-server": self.port,
            "scheduler's task logs": self.worker_log_port,
            "triggerer's logs": self.trigger_log_port,
        }


def environment(
    home: Path,
    dags: Path,
    *,
    connections: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    database: str | None = None,
) -> dict[str, str]:
    """The environment of an Airflow of our own: nothing of the caller's Airflow settings gets in."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    url = database or f"sqlite:///{home.resolve()}/airflow.db"
    return (
        inherited
        | QUICK
        | (_quick_2(url) if IS_2 else {})
        | {f"AIRFLOW_CONN_{name.upper()}": value for name, value in (connections or {}).items()}
        | {
            "AIRFLOW_HOME": str(home.resolve()),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags.resolve()),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "NO_COLOR": "1",
            # The components call `airflow` by name.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        }
        | dict(env or {})
    )


def _quick_2(database: str) -> dict[str, str]:
    executor = "SequentialExecutor" if database.startswith("sqlite") else "LocalExecutor"
    return QUICK_2 | {"AIRFLOW__CORE__EXECUTOR": executor}


def airflow_command() -> list[str]:
    """The `airflow` command of the Python that runs this."""
    return [sys.executable, "-m", "airflow"]


def is_free(port: int) -> bool:
    """Whether a port of this machine can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports: list[int] = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _ports(api: int | None) -> tuple[int, int, int]:
    first, second, third = free_ports(3)
    return api or first, second, third
