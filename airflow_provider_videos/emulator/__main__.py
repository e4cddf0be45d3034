"""The emulator on the command line."""

from __future__ import annotations

import argparse
import logging
import shlex
import signal
import sys
import threading
from typing import TYPE_CHECKING

from airflow_provider_videos.emulator.profiles import CONTRACT, PROFILES

if TYPE_CHECKING:
    from airflow_provider_videos.emulator import Emulator

LEVELS = ("debug", "info", "warning", "error")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_videos.emulator", description="A Videos API server: no GPU, no bill."
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8787, help="the port, 0 for a free one (%(default)s)")
    parser.add_argument("--api-key", default="test-key", help="the key to ask for (%(default)s)")
    parser.add_argument("--job-seconds", type=float, default=6.0, help="the most a job takes (%(default)s)")
    parser.add_argument("--clock-offset", type=float, default=0.0, help="seconds its clock is ahead of ours")
    parser.add_argument(
        "--profile", choices=PROFILES, default=CONTRACT, help="whose dialect it speaks (%(default)s)"
    )
    parser.add_argument("--replicas", type=int, default=1, help="servers behind the address (%(default)s)")
    parser.add_argument("--seed", type=int, help="the same seed gives the same ids, again and again")
    parser.add_argument("--log-level", choices=LEVELS, default="warning", help="info logs each request")
    return parser.parse_args()


def _greeting(emulator: Emulator) -> str:
    return (
        f"base URL  {emulator.base_url}\n"
        f"API key   {emulator.api_key or 'none: it asks for no key'}\n"
        f"export AIRFLOW_CONN_VIDEOS_DEFAULT={shlex.quote(emulator.airflow_connection)}\n"
    )


def _build(arguments: argparse.Namespace) -> Emulator:
    from airflow_provider_videos.emulator import Clock, Emulator

    return Emulator(
        api_key=arguments.api_key,
        seed=arguments.seed,
        clock=Clock(arguments.clock_offset),
        job_seconds=arguments.job_seconds,
        profile=arguments.profile,
        replicas=arguments.replicas,
        host=arguments.host,
        port=arguments.port,
    )


def main() -> None:
    """Serve until interrupted or terminated."""
    arguments = _arguments()
    logging.basicConfig(level=arguments.log_level.upper())
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        emulator = _build(arguments)
        emulator.start()
    except (ImportError, OSError, OverflowError, ValueError) as error:
        sys.exit(f"cannot serve at {arguments.host}:{arguments.port}: {error}")
    sys.stdout.write(_greeting(emulator))
    sys.stdout.flush()
    over.wait()
    emulator.stop()


if __name__ == "__main__":
    main()
