"""
`make demo`: buy, wait for, fetch and delete a video in a real Airflow, against the emulator.

Environment: ``KEEP=1`` leaves the user interface up until Ctrl-C, ``PORT=8080`` chooses its port.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import httpx

from demo.keeper import Kept
from demo.standalone import Airflow
from demo.timeline import draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.rest import Change, Run

DAG_ID = "example_video_to_storage"
WIDTH, HEIGHT, SECONDS = 1280, 720, 4
JOB_SECONDS = 8
RUN_SECONDS = 300.0
EMULATOR_SECONDS = 30.0
BUSY = {"running", "deferred"}
ROOT = Path(__file__).resolve().parent.parent
BEGUN = time.monotonic()


class DemoFailedError(RuntimeError):
    """The demo did not end as it should."""


def say(text: str = "") -> None:
    """Tell the reader, with the seconds since the start."""
    print(f"[{time.monotonic() - BEGUN:5.1f} s] {text}", flush=True)  # noqa: T201 - what a demo is for


def main() -> int:
    """Run the demo and say how it went."""
    # `kill` means what Ctrl-C means.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _demo()
    except KeyboardInterrupt:
        say("interrupted; everything is stopped")
        return 128 + signal.SIGINT
    except (RuntimeError, OSError, httpx.HTTPError) as error:
        say(f"FAILED: {error}")
        return 1
    say("done; everything is stopped")
    return 0


def _demo() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="videos-demo-") as directory,
        _emulator(Path(directory)) as server,
    ):
        say("starting Airflow: scheduler, API server, DAG processor, triggerer")
        airflow = Airflow(
            Path(directory, "airflow"),
            ROOT / "dags",
            connections={"videos_default": json.dumps(server)},
            port=_port(),
        )
        with airflow:
            say(f"Airflow is healthy at {airflow.base_url}")
            _make_a_video(airflow)
            if os.environ.get("KEEP"):
                _stay(airflow, server)
            say("stopping")


def _port() -> int | None:
    """The port that was asked for; none means any."""
    given = os.environ.get("PORT", "")
    if given and not (given.isdecimal() and 0 < int(given) < 65536):
        raise RuntimeError(f"PORT must be a number from 1 to 65535; got {given!r}")
    return int(given) if given else None


@contextmanager
def _emulator(directory: Path) -> Iterator[dict[str, str]]:
    """A Videos server in a process of its own, and the connection to it."""
    key = secrets.token_hex(16)
    module = ["-m", "airflow_provider_videos.emulator"]
    options = ["--port", "0", "--api-key", key, "--job-seconds", str(JOB_SECONDS)]
    with Kept([sys.executable, "-u", *module, *options], log=directory / "emulator.log") as emulator:
        base_url = _address(emulator)
        say(f"the emulator answers at {base_url}")
        yield {"conn_type": "videos", "host": base_url, "password": key}


def _address(emulator: Kept) -> str:
    deadline = time.monotonic() + EMULATOR_SECONDS
    while not (found := re.search(r"http://[\w.]+:\d+\S*", emulator.log_tail(100))):
        if not emulator.running or time.monotonic() > deadline:
            raise DemoFailedError(f"the emulator did not start:\n{emulator.log_tail()}")
        time.sleep(0.1)
    return found[0].rstrip("/.,")


def _make_a_video(airflow: Airflow) -> None:
    output = ROOT / "demo-output" / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}.mp4"
    output.parent.mkdir(exist_ok=True)
    conf = {
        "prompt": "A paper boat on a quiet lake at sunrise",
        "size": f"{WIDTH}x{HEIGHT}",
        "seconds": str(SECONDS),
        "destination": str(output),
    }
    run = airflow.rest.trigger(DAG_ID, conf)
    say(f"triggered {DAG_ID}: {json.dumps(conf | {'destination': str(output.relative_to(ROOT))})}")
    changes = _show(run)
    if run.state() != "success":
        raise DemoFailedError(f"the run is {run.state()}\n{_failures(run)}")
    say(f"delivered {output.relative_to(ROOT)}: {_inspected(output)}")
    for line in draw(changes):
        say(f"  {line}")


def _show(run: Run) -> list[Change]:
    """Tell what happens to the run as it happens; return the changes of state."""
    changes: list[Change] = []
    told: set[tuple[str, str]] = set()
    for poll in run.polls(RUN_SECONDS):
        for task in poll.changed:
            say(f"  {task.name:<16} {task.state or 'waiting for the task before it'}")
        for name in (task.task_id for task in poll.tasks if task in poll.changed or task.state in BUSY):
            for line in _own_lines(run, name):
                if (name, line) not in told:
                    told.add((name, line))
                    say(f"  {name:<16}   {line}")
        changes += poll.changes
    return changes


def _own_lines(run: Run, task_id: str) -> list[str]:
    """What our own code has logged for a task."""
    lines = run.log(task_id)
    return [line["event"] for line in lines if "airflow_provider_videos" in line.get("logger", "")]


def _failures(run: Run) -> str:
    """The errors that the failed tasks logged."""
    failed = [task.task_id for task in run.tasks() if task.state == "failed"]
    return "\n".join(
        f"{task_id}: {_told(line)}" for task_id in failed for line in run.log(task_id) if _bad(line)
    )


def _bad(line: dict[str, Any]) -> bool:
    return line.get("level") in {"error", "critical"}


def _told(line: dict[str, Any]) -> str:
    return " ".join(
        [str(line["event"]), *(str(detail.get("exc_value")) for detail in line.get("error_detail") or [])]
    )


def _inspected(path: Path) -> str:
    """What the delivered file is, read from the file itself; raises when it is not what was bought."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        codec, size = video.codec_context.name, (video.width, video.height)
        length = (container.duration or 0) / av.time_base
    if (codec, size) != ("h264", (WIDTH, HEIGHT)) or abs(length - SECONDS) > 0.5:
        raise DemoFailedError(f"{path} is {codec} {size}, {length:.2f} s")
    return f"{codec}, {size[0]}x{size[1]}, {length:.2f} s, {path.stat().st_size} bytes"


def _stay(airflow: Airflow, server: dict[str, str]) -> None:
    say(f"the emulator stays up, too: export AIRFLOW_CONN_VIDEOS_DEFAULT='{json.dumps(server)}'")
    say(f"Airflow stays up at {airflow.base_url} (no password). To stop it and the emulator: Ctrl-C here,")
    say(f"or from another terminal: kill {os.getpid()}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
