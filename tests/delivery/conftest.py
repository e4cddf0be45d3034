"""A real S3 server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

KEY, SECRET = "delivery-tests-access-key", "delivery-tests-secret-key"


@pytest.fixture(scope="session")
def s3_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("s3")
    (root / "bucket").mkdir()
    return root


@pytest.fixture(scope="session")
def s3_endpoint(s3_root):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent))
    options = ["--addr", address, "--auth-key", f"{KEY},{SECRET}", "--config", str(s3_root / "none.conf")]
    server = subprocess.Popen([rclone, "serve", "s3", *options, str(s3_root)], stderr=subprocess.DEVNULL)
    yield f"http://{address}"
    server.terminate()
    server.wait(10)


@pytest.fixture
def s3(s3_endpoint):
    return boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        # The server is being started: boto3 knows how to wait for it.
        config=Config(retries={"total_max_attempts": 10, "mode": "standard"}),
    )
