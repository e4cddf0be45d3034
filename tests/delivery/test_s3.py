"""S3 alone: parts beside each other, checksums, labels, and what a killed process leaves."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.config import Config
from urllib3 import HTTPResponse

from airflow_provider_videos.api.errors import DeliveryError, Taken
from airflow_provider_videos.delivery.s3 import S3Object
from airflow_provider_videos.delivery.sinks import Description
from airflow_provider_videos.emulator import Cut, Drop, Fault, Stall
from tests.delivery.conftest import KEY, SECRET, open_uploads
from tests.delivery.films import MIB, film, served
from tests.delivery.s3_stub import Stub

URI = "s3://bucket/film.mp4"


@pytest.fixture(autouse=True)
def _nothing_stands_there(s3):
    s3.delete_object(Bucket="bucket", Key="film.mp4")


@pytest.fixture
def events(s3):
    """Listen to what boto3 does."""
    listening = []

    def listen(event, listener):
        s3.meta.events.register(event, listener)
        listening.append((event, listener))

    yield listen
    for event, listener in listening:
        s3.meta.events.unregister(event, listener)


def test_parts_are_uploaded_beside_each_other(server, deliver, s3, events, monkeypatch):
    monkeypatch.setattr(S3Object, "SMALLEST_PART", MIB)
    server.emulator.serve(served(film(8 * MIB)))
    meet, seen = threading.Barrier(S3Object.IN_FLIGHT), []

    def wait_for_the_others(**_):
        seen.append(1)
        if len(seen) <= S3Object.IN_FLIGHT:
            meet.wait(20)

    events("before-call.s3.UploadPart", wait_for_the_others)
    deliver(URI)
    assert not meet.broken
    assert s3.get_object(Bucket="bucket", Key="film.mp4")["Body"].read() == film(8 * MIB)


def test_parts_wait_for_those_that_are_on_their_way(server, deliver, events, monkeypatch):
    monkeypatch.setattr(S3Object, "SMALLEST_PART", MIB)
    server.emulator.serve(served(film(8 * MIB)))
    count, lock = {"now": 0, "most": 0}, threading.Lock()

    def change(by):
        with lock:
            count["now"] += by
            count["most"] = max(count["most"], count["now"])

    events("before-call.s3.UploadPart", lambda **_: change(1))
    events("after-call.s3.UploadPart", lambda **_: change(-1))
    deliver(URI)
    assert count["now"] == 0
    assert count["most"] <= S3Object.IN_FLIGHT


def test_parts_grow_so_that_they_never_become_too_many(server, deliver, s3, events, monkeypatch):
    monkeypatch.setattr(S3Object, "SMALLEST_PART", 5 * MIB)
    monkeypatch.setattr(S3Object, "PARTS_PER_SIZE", 1)
    server.emulator.serve(served(film(31 * MIB)))
    sizes = {}
    events(
        "before-call.s3.UploadPart",
        lambda params, **_: sizes.update(
            {params["query_string"]["partNumber"]: round(len(params["body"]) / MIB)}
        ),
    )
    deliver(URI)
    assert [sizes[number] for number in sorted(sizes)] == [5, 10, 15, 1]
    assert s3.get_object(Bucket="bucket", Key="film.mp4")["Body"].read() == film(31 * MIB)


@pytest.mark.parametrize(
    ("size", "operation"), [(MIB, "PutObject"), (9 * MIB, "UploadPart")], ids=["one piece", "parts"]
)
def test_the_store_refuses_what_changed_on_its_way(server, deliver, s3, events, size, operation):
    server.emulator.serve(served(film(size)))

    def corrupt(params, **_):
        params["body"][100] ^= 1

    events(f"before-call.s3.{operation}", corrupt)
    with pytest.raises(DeliveryError, match="BadDigest"):
        deliver(URI)
    assert "Contents" not in s3.list_objects_v2(Bucket="bucket", Prefix="film.mp4")
    assert open_uploads(s3) == []


@pytest.mark.parametrize("size", [MIB, 9 * MIB], ids=["one piece", "parts"])
def test_an_object_says_which_video_it_is(server, deliver, s3, size):
    server.emulator.serve(served(film(size)))
    deliver(URI)
    found = s3.head_object(Bucket="bucket", Key="film.mp4")
    labels = {name.lower(): label for name, label in found["Metadata"].items()}
    video = server.client.retrieve(server.video_id)
    assert labels == {
        "video-id": server.video_id,
        "video-variant": "video",
        "video-model": "emulated-1",
        "video-created-at": str(video.created_at),
    }
    assert found["ContentType"] == "video/mp4"


def test_who_may_write_and_not_read_delivers_all_the_same(server, deliver, s3, events):
    server.emulator.serve(served(film(1000)))

    def forbidden(request, **_):
        return AWSResponse(request.url, 403, HeadersDict(), HTTPResponse(io.BytesIO(), preload_content=False))

    events("before-send.s3.HeadObject", forbidden)
    deliver(URI)
    assert s3.get_object(Bucket="bucket", Key="film.mp4")["Body"].read() == film(1000)


@pytest.mark.parametrize(
    ("size", "operation"), [(1000, "PutObject"), (9 * MIB, "CompleteMultipartUpload")], ids=["piece", "parts"]
)
@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_the_store_itself_is_told_not_to_replace(server, deliver, events, size, operation, if_exists):
    server.emulator.serve(served(film(size)))
    asked = []
    events(
        f"before-call.s3.{operation}", lambda params, **_: asked.append(params["headers"]["If-None-Match"])
    )
    deliver(URI, if_exists=if_exists)
    assert asked == ["*"]


def test_a_bucket_that_is_not_there_is_named(server, deliver):
    server.emulator.serve(served(film(1000)))
    with pytest.raises(DeliveryError, match=r"s3://nowhere/film\.mp4 cannot be written"):
        deliver("s3://nowhere/film.mp4")


def test_an_upload_ends_with_its_delivery(server, deliver, s3, events):
    server.emulator.serve(served(film(20 * MIB)))
    server.emulator.inject(
        Fault(Cut(after_bytes=18 * MIB), operation="content"),
        Fault(Drop(), operation="content", nth=2, times=None),
    )
    begun = []
    events("before-call.s3.CreateMultipartUpload", lambda **_: begun.append(1))
    with pytest.raises(Exception, match="no answer"):
        deliver(URI)
    assert begun
    assert open_uploads(s3) == []


KILLED = """
import json, logging, pathlib, sys
import boto3
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.delivery.deliver import Courier
from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.order import Order
from airflow_provider_videos.delivery.record import Record

_, base_url, video_id, endpoint, key, secret, file, destination = sys.argv

class Disk(dict):
    def set(self, name, value):
        self[name] = value
        pathlib.Path(file + ".new").write_text(json.dumps(self))
        pathlib.Path(file + ".new").rename(file)

s3 = lambda: boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                          region_name="us-east-1")
client = VideosClient(Endpoint(base_url, api_key="test-key"))
courier = Courier(client, None, Stores(s3=s3, filesystem=None), Record(Disk()), logging.getLogger())
courier.deliver(Order(video_id=video_id, destination=Destination.parse(destination)))
"""


@pytest.mark.parametrize("where", ["s3", "local"])
def test_what_kill_9_leaves_is_taken_back_by_the_next_try(
    server, deliver, memory, s3, s3_endpoint, tmp_path, where
):
    data = film(40 * MIB)
    server.emulator.serve(served(data))
    server.emulator.inject(Fault(Stall(after_bytes=30 * MIB), operation="content"))
    (tmp_path / "films").mkdir()
    destination = URI if where == "s3" else f"{tmp_path}/films/film.mp4"
    file = tmp_path / "memory.json"
    arguments = [server.emulator.base_url, server.video_id, s3_endpoint, KEY, SECRET, str(file), destination]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments])
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait(10)
    assert open_uploads(s3) == (["film.mp4"] if where == "s3" else [])
    assert len(list((tmp_path / "films").iterdir())) == (where == "local")

    memory.update(json.loads(Path(file).read_text()))
    deliver(destination)
    assert open_uploads(s3) == []
    found = list((tmp_path / "films").iterdir())
    assert [path.name for path in found] == (["film.mp4"] if where == "local" else [])
    assert memory["videos_delivery"]["unfinished"] == []


LABELS = {"video-id": "v", "video-variant": "video"}
SIZES = pytest.mark.parametrize("size", [1000, 40 * MIB], ids=["piece", "parts"])


class TestHabits:
    """Stores that differ from S3, and how they are got along with."""

    @pytest.fixture
    def stub(self):
        with Stub() as stub:
            yield stub

    @pytest.fixture
    def put(self, stub):
        def put(size, labels=LABELS, traits=None, **options):
            client = boto3.client(
                "s3",
                endpoint_url=stub.url,
                aws_access_key_id=KEY,
                aws_secret_access_key=SECRET,
                region_name="us-east-1",
                config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2}, **options),
            )
            description = Description("video/mp4", labels, replace=False)
            traits = {} if traits is None else traits
            sink = S3Object(client, "films", "boat.mp4", description, lambda _: None, traits=traits)
            with sink:
                sink.write(bytes(size))
                sink.commit()
            assert len(stub.habits.objects["/films/boat.mp4"][0]) == size
            return sink

        return put

    @SIZES
    @pytest.mark.parametrize(
        ("refuses", "kept"),
        [
            (("x-amz-checksum", "x-amz-sdk-checksum"), "md5"),
            (("content-md5",), "crc32"),
            (("content-md5", "x-amz-checksum", "x-amz-sdk-checksum"), "none"),
            (("content-encoding", "x-amz-trailer", "x-amz-decoded"), "md5"),
        ],
    )
    def test_a_store_gets_the_checksums_that_it_takes(self, stub, put, size, refuses, kept):
        stub.habits.refuses, traits = refuses, {}
        stub.habits.returns_crc32 = kept == "crc32"
        put(size, traits=traits)
        assert traits["checksum"] == kept
        stub.habits.objects.clear()
        stub.habits.seen.clear()
        put(size, traits=traits)  # what was learned is kept: nothing is refused any more
        assert not [name for seen in stub.habits.seen for name in seen if name.startswith(refuses)]

    def test_one_that_returns_the_crc32_gets_no_md5_any_more(self, stub, put):
        stub.habits.returns_crc32, traits = True, {}
        put(1000, traits=traits)
        assert {"content-md5", "x-amz-checksum-crc32"} <= set(stub.habits.seen[-1])
        stub.habits.objects.clear()
        put(1000, traits=traits)
        assert "content-md5" not in stub.habits.seen[-1]
        assert "x-amz-checksum-crc32" in stub.habits.seen[-1]

    @pytest.mark.parametrize("damages", [0, 1])
    def test_one_that_names_parts_by_their_md5_is_compared(self, stub, put, damages):
        stub.habits.names_by_md5, traits = True, {}
        put(1000, traits=traits)
        assert traits["checksum"] == "etag"
        stub.habits.objects.clear()
        stub.habits.seen.clear()
        stub.habits.damages = damages
        put(20 * MIB, traits=traits)
        assert set(stub.habits.objects["/films/boat.mp4"][0]) == {0}
        assert len([seen for seen in stub.habits.seen if "content-md5" in seen]) == damages

    def test_a_part_that_never_arrives_as_it_was_sent_is_an_error(self, stub, put):
        stub.habits.names_by_md5, stub.habits.damages = True, 100
        with pytest.raises(DeliveryError, match="BadDigest"):
            put(20 * MIB, traits={"checksum": "etag"})

    def test_an_etag_that_is_no_md5_any_more_leaves_the_judgement_to_the_store(self, stub, put):
        traits = {"checksum": "etag"}
        put(20 * MIB, traits=traits)
        assert traits["checksum"] == "md5"
        assert len([seen for seen in stub.habits.seen if "content-md5" in seen]) >= 1

    def test_an_object_of_one_piece_never_appears_unverified(self, stub, put):
        stub.habits.names_by_md5 = True
        put(1000, traits={"checksum": "etag"})
        assert "content-md5" in stub.habits.seen[-1]

    @SIZES
    def test_settings_turn_checksums_off(self, stub, put, size):
        put(size, request_checksum_calculation="when_required")
        sums = ("content-md5", "x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer")
        assert not [name for seen in stub.habits.seen for name in seen if name.startswith(sums)]
        assert "UNSIGNED-PAYLOAD" not in {seen.get("x-amz-content-sha256") for seen in stub.habits.seen}

    @SIZES
    def test_one_without_conditional_writes_is_looked_at_and_named(self, stub, put, size):
        stub.habits.refuses, traits = ("if-none-match",), {}
        assert "no conditional writes" in put(size, traits=traits).hint
        assert traits["conditional"] is False
        with pytest.raises(Taken):
            put(size, traits=traits)

    @SIZES
    @pytest.mark.parametrize("conditional", [True, False])
    def test_one_s_own_object_is_found_after_a_lost_answer(self, stub, put, size, conditional):
        stub.habits.conditional = conditional
        stub.habits.loses = {"PUT" if size == 1000 else "POST"}
        put(size)
        assert stub.habits.loses == set()

    @SIZES
    def test_somebody_else_s_object_is_not_taken_for_one_s_own(self, stub, put, size):
        put(size, {**LABELS, "video-id": "another"})
        with pytest.raises(Taken, match="exists already"):
            put(size)
