"""Real servers on both ends: an emulator whose traits can be changed, and S3."""

from __future__ import annotations

import logging
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import fsspec
import pytest
from botocore.config import Config

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.delivery.deliver import Courier
from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.order import Order
from airflow_provider_videos.delivery.record import Record
from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.delivery.bare_store import BareStore
from tests.delivery.films import Traits

KEY, SECRET = "delivery-tests-access-key", "delivery-tests-secret-key"
AT_ONCE = Backoff(attempts=3, total=30, base=0)


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


@pytest.fixture(scope="session")
def s3(s3_endpoint):
    return client_of(s3_endpoint)


@pytest.fixture(scope="session")
def bare_store():
    with BareStore() as store:
        yield store.endpoint


@pytest.fixture(scope="session")
def bare_s3(bare_store):
    """A client as any user has it; what the store can't do has to be found out."""
    return client_of(bare_store)


@pytest.fixture(scope="session")
def bare_s3_as_it_likes(bare_store):
    return client_of(bare_store, request_checksum_calculation="when_required")


def client_of(endpoint, **options):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
        # The server is being started: boto3 knows how to wait for it.
        config=Config(retries={"total_max_attempts": 10, "mode": "standard"}, **options),
    )


class Server:
    """An emulator with one finished video, seen through a client that waits for nothing."""

    def __init__(self) -> None:
        self.traits = Traits()
        self.emulator = Emulator(clock=ManualClock(), middleware=self.traits)

    def __enter__(self):
        self.emulator.start()
        endpoint = Endpoint(self.emulator.base_url, api_key=self.emulator.api_key, timeout=Timeouts(read=1.0))
        self.client = VideosClient(endpoint, backoff=AT_ONCE)
        self.new_video()
        return self

    def __exit__(self, *_):
        self.client.close()
        self.emulator.stop()

    def new_video(self) -> str:
        self.video_id = self.client.create("A boat", model="emulated-1", seconds=4, size="1280x720").id
        self.emulator.clock.advance(60)
        return self.video_id

    def as_new(self) -> None:
        self.emulator.clear_faults()
        self.emulator.serve(None)
        self.emulator.record.clear()
        self.traits.reset()
        self.new_video()

    @property
    def downloads(self) -> int:
        return self.emulator.record.requests["content"]


@pytest.fixture(scope="session")
def one_server():
    with Server() as server:
        yield server


@pytest.fixture
def server(one_server):
    one_server.as_new()
    return one_server


class Waits:
    """A clock that only sleeping moves, with something that happens meanwhile."""

    def __init__(self, meanwhile=lambda: None) -> None:
        self.waited: list[float] = []
        self._meanwhile = meanwhile

    def monotonic(self) -> float:
        return sum(self.waited)

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds) -> None:
        self.waited.append(seconds)
        self._meanwhile()


class Memory(dict):
    """Values that a task remembers."""

    def set(self, key, value):
        self[key] = value


class Local:
    def __init__(self, folder, _) -> None:
        self._folder = folder
        self.uri = f"file://{folder}/"

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self._folder.iterdir()}

    def put(self, name, data):
        (self._folder / name).write_bytes(data)

    def remove(self, name):
        (self._folder / name).unlink(missing_ok=True)


def open_uploads(client) -> list[str]:
    """Multipart uploads that were begun and neither completed nor aborted."""
    try:
        return [item["Key"] for item in client.list_multipart_uploads(Bucket="bucket").get("Uploads", [])]
    except client.exceptions.NoSuchUpload:  # so rclone says it before the first
        return []


class Bucket:
    def __init__(self, _, client) -> None:
        self._client = client
        self._prefix = f"{random.randbytes(8).hex()}/"
        self.uri = f"s3://bucket/{self._prefix}"

    def files(self) -> dict[str, bytes]:
        found = self._client.list_objects_v2(Bucket="bucket", Prefix=self._prefix).get("Contents", [])
        assert open_uploads(self._client) == []
        keys = [item["Key"] for item in found]
        return {
            key.removeprefix(self._prefix): self._client.get_object(Bucket="bucket", Key=key)["Body"].read()
            for key in keys
        }

    def put(self, name, data):
        self._client.put_object(Bucket="bucket", Key=self._prefix + name, Body=data)

    def remove(self, name):
        self._client.delete_object(Bucket="bucket", Key=self._prefix + name)


class Memories:
    """A filesystem of fsspec."""

    protocol = "memory"

    def __init__(self, folder, _) -> None:
        self._filesystem = fsspec.filesystem(self.protocol)
        self._folder = f"{folder}/files"
        self.uri = f"{self.protocol}2://{self._folder.lstrip('/')}/"

    def files(self) -> dict[str, bytes]:
        if not self._filesystem.isdir(self._folder):
            return {}
        return {
            path.rpartition("/")[2]: self._filesystem.cat_file(path)
            for path in self._filesystem.ls(self._folder, detail=False)
        }

    def put(self, name, data):
        self._filesystem.makedirs(self._folder, exist_ok=True)
        self._filesystem.pipe_file(f"{self._folder}/{name}", data)

    def remove(self, name):
        if self._filesystem.exists(f"{self._folder}/{name}"):
            self._filesystem.rm_file(f"{self._folder}/{name}")


class Disk(Memories):
    protocol = "file"

    def __init__(self, folder, _) -> None:
        super().__init__(folder, _)
        # Where fsspec keeps what is not committed.
        self._temporary = folder / "temporary"
        self._temporary.mkdir()
        tempfile.tempdir = str(self._temporary)

    def files(self) -> dict[str, bytes]:
        assert list(self._temporary.iterdir()) == []
        return super().files()


def filesystem(uri):
    """As Airflow's object storage would: two schemes of fsspec's, told from ours by their names."""
    scheme, _, path = uri.partition("2://")
    return fsspec.filesystem(scheme), f"/{path}"


PLACES = {"local": Local, "s3": Bucket, "memory": Memories, "disk": Disk}
BUCKETS = {"s3": ("s3", "s3"), "bare store": ("bare_s3", "bare_s3_as_it_likes")}
"""For each store that speaks S3 the fixtures of the client that delivers and of the one that looks."""


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    """A folder to deliver to, and everything that lies in it, even what is unfinished."""
    return place_at(request, request.param, tmp_path)


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)


def place_at(request, name, folder):
    if name in BUCKETS:
        request.node.s3, looks = BUCKETS[name]
        return Bucket(folder, request.getfixturevalue(looks))
    return PLACES[name](folder, None)


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def deliver(server, memory, request):
    """Deliver the server's video to a destination."""

    def deliver(destination, clock=None, **options):
        s3 = lambda: request.getfixturevalue(getattr(request.node, "s3", "s3"))  # noqa: E731 - started where it is needed
        courier = Courier(
            server.client,
            server.client.retrieve(server.video_id),
            Stores(s3=s3, filesystem=filesystem),
            Record(memory),
            logging.getLogger("delivery"),
            clock=clock or Waits(),
        )
        courier.tidy()
        order = {"video_id": server.video_id, "destination": Destination.parse(destination), **options}
        return courier.deliver(Order(**order))

    return deliver
