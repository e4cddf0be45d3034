"""Clouds' own file systems, through their Airflow providers, in front of emulators of their stores."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_videos.adapters.storage import filesystem
from tests.delivery import conftest as delivery
from tests.delivery.conftest import deliver, memory, one_server, s3, s3_endpoint, s3_root, server

__all__ = ["deliver", "memory", "one_server", "s3", "s3_endpoint", "s3_root", "server"]

START_SECONDS = 60
# The account and the key that Azurite has for everybody.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def running(command, log):
    """A server on a port of its own, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(command(port), stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(process, port, log)
        yield port
    finally:
        process.kill()
        process.wait()


def wait_for(process, port, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the store did not start:\n{log.read_text()[-2000:]}")


def azurite(port) -> list[str]:
    command = shutil.which(os.environ.get("AZURITE", "azurite-blob"))
    if command is None:
        pytest.fail("there is no Azurite here: run make test-stores")
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    return [command, *where, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]


@pytest.fixture(scope="session")
def gs(tmp_path_factory):
    """A connection to a bucket of Google's."""
    command = [sys.executable, "-m", "tests.stores.gcs_server"]
    with running(lambda port: [*command, str(port)], tmp_path_factory.mktemp("gs") / "log") as port:
        extra = {"gcs.endpoint": f"http://127.0.0.1:{port}", "project": "videos", "is_anonymous": True}
        connection = {"conn_type": "google_cloud_platform", "extra": extra}
        # gcsfs would ask Google itself which kind of bucket it is.
        with environment(AIRFLOW_CONN_GS=json.dumps(connection), GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT="false"):
            yield "gs://gs@bucket/"


@pytest.fixture(scope="session")
def abfs(tmp_path_factory):
    """A connection to a container of Azure's."""
    with running(azurite, tmp_path_factory.mktemp("abfs") / "log") as port:
        address = f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
        secret = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{address};"
        connection = {"conn_type": "wasb", "extra": {"connection_string": secret}}
        with environment(AIRFLOW_CONN_ABFS=json.dumps(connection)):
            ObjectStoragePath("abfs://abfs@bucket/").fs.mkdir("bucket")
            yield "abfs://abfs@bucket/"


@contextmanager
def environment(**values):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield


class Cloud:
    """A folder of a cloud's bucket, and everything that lies in it."""

    def __init__(self, root) -> None:
        self.root = root
        self.uri = f"{root}{random.randbytes(8).hex()}/"
        self.filesystem, folder = filesystem(self.uri)
        self.folder = folder.rstrip("/") + "/"

    def files(self) -> dict[str, bytes]:
        self.filesystem.invalidate_cache()
        found = self.filesystem.find(self.folder)
        return {Path(path).name: self.filesystem.cat_file(path) for path in found}

    def put(self, name, data):
        self.filesystem.pipe_file(self.folder + name, data)

    def remove(self, name):
        self.filesystem.invalidate_cache()
        if self.filesystem.exists(self.folder + name):
            self.filesystem.rm_file(self.folder + name)


@pytest.fixture(params=["gs", "abfs"])
def place(request, monkeypatch):
    """A folder to deliver to, as in the tests of delivery."""
    monkeypatch.setattr(delivery, "filesystem", filesystem)
    return Cloud(request.getfixturevalue(request.param))
