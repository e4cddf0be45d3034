"""A real S3 server for the tests: `rclone serve s3` over directories."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from demo.keeper import Kept
from demo.standalone import free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

START_SECONDS = 20.0
ACCESS_KEY, SECRET_KEY = "the-access-key-of-the-system-tests", "the-secret-key-of-the-system-tests"


class ObjectStorage(Kept):
    """An S3 server whose buckets are the directories below ``root``."""

    def __init__(self, directory: Path, *, buckets: Sequence[str]) -> None:
        self.root = directory / "buckets"
        for bucket in buckets:
            (self.root / bucket).mkdir(parents=True)
        (port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{port}"
        self.client_env = {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        rclone = str(Path(sys.executable).with_name("rclone"))
        listen = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
        # The configuration is a file that does not exist: nobody's own settings get in.
        config = ["--config", str(directory / "rclone.conf")]
        super().__init__(
            [rclone, "serve", "s3", str(self.root), *listen, *config], log=directory / "rclone.log"
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        super().start()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"rclone does not serve {self.endpoint}:\n{self.log_tail()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            httpx.get(self.endpoint, trust_env=False)
        except httpx.TransportError:
            return False
        return True
