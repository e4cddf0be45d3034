"""Leftovers of a killed try are forgotten only when they are gone."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config

from airflow_provider_videos.api.errors import DeliveryError, InvalidRequest
from airflow_provider_videos.delivery import destinations, s3
from airflow_provider_videos.delivery.destinations import Destination, Stores
from airflow_provider_videos.delivery.s3 import S3Object
from airflow_provider_videos.delivery.sinks import Description
from airflow_provider_videos.delivery.stores import store_of_leftover
from airflow_provider_videos.emulator import Answer, Fault
from tests.delivery.conftest import open_uploads
from tests.delivery.films import MIB, film, served
from tests.delivery.test_filesystem import Plain

UPLOAD = {"Bucket": "bucket", "Key": "film.mp4", "UploadId": "1"}


def unfinished(memory):
    return memory["videos_delivery"]["unfinished"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "films").mkdir()
    return tmp_path / "films"


@pytest.fixture
def stuck(tmp_path, memory):
    """A leftover that can't be removed, until it is."""
    path = tmp_path / ".film.mp4.part"
    path.mkdir()
    memory["videos_delivery"] = {"unfinished": [{"temporary": str(path)}]}
    return path


def test_what_stays_is_looked_for_again_by_each_try(deliver, server, folder, memory, stuck, caplog):
    server.emulator.serve(served(film(1000)))
    deliver(f"{folder}/film.mp4")
    assert unfinished(memory) == [{"temporary": str(stuck)}]
    assert "the next try looks again" in caplog.text
    stuck.rmdir()
    stuck.write_bytes(b"half")
    deliver(f"{folder}/film.mp4")
    assert unfinished(memory) == []
    assert not stuck.exists()


def test_a_failed_delivery_forgets_nothing(deliver, server, folder, memory, stuck):
    server.emulator.serve(served(film(1000)))
    server.emulator.inject(Fault(Answer(status=200, body="<html>"), operation="content", times=None))
    with pytest.raises(DeliveryError):
        deliver(f"{folder}/film.mp4")
    assert unfinished(memory) == [{"temporary": str(stuck)}]


def test_what_another_machine_left_is_not_gone_because_it_is_not_here(deliver, server, folder, memory):
    server.emulator.serve(served(film(1000)))
    elsewhere = {"temporary": "/no/such/.film.mp4.part", "host": "another machine"}
    memory["videos_delivery"] = {"unfinished": [elsewhere, {"temporary": "/no/such/.other.part"}]}
    deliver(f"{folder}/film.mp4")
    assert unfinished(memory) == [elsewhere]


@pytest.mark.parametrize("problem", [InvalidRequest("no such connection"), RuntimeError("no credentials")])
def test_a_door_that_is_gone_does_not_keep_a_file_from_going_elsewhere(problem):
    def locked(*_):
        raise problem

    stores = Stores(s3=locked, filesystem=locked)
    assert not destinations.discard(UPLOAD, stores)
    assert not destinations.discard({"uri": "gs://films/film.mp4", "temporary": "x"}, stores)


@pytest.mark.parametrize(
    "leftover",
    [
        {"kind": "tape", "temporary": "{path}"},
        {"kind": None, "temporary": "{path}"},
        {"kind": ["local"], "temporary": "{path}"},
        {"kind": "s3", "temporary": "{path}"},
        {"temporary": "{path}", "reel": 7},
        {"temporary": "{path}", "uri": None},
        {"kind": "local"},
        {"kind": "local", "temporary": None},
        {"kind": "s3", "Bucket": "bucket", "Key": "film.mp4", "UploadId": {}},
        {"temporary": 3},
        {},
    ],
    ids=str,
)
def test_what_no_store_of_this_release_has_left_is_left_alone(
    deliver, server, folder, memory, leftover, caplog, tmp_path
):
    server.emulator.serve(served(film(1000)))
    path = tmp_path / ".film.mp4.part"
    path.write_bytes(b"somebody's")
    leftover = {key: str(path) if value == "{path}" else value for key, value in leftover.items()}
    memory["videos_delivery"] = {"unfinished": [leftover]}
    deliver(f"{folder}/film.mp4")
    assert path.read_bytes() == b"somebody's"
    assert unfinished(memory) == [leftover]
    assert f"of a kind unknown here, {leftover.get('kind')!r}: left alone" in caplog.text


@pytest.mark.parametrize("kind", [{}, {"kind": "local"}], ids=str)
@pytest.mark.parametrize("host", [{}, {"host": socket.gethostname()}], ids=["host", "no host"])
def test_what_this_release_or_an_older_one_has_left_is_taken_back(
    deliver, server, folder, memory, tmp_path, kind, host
):
    server.emulator.serve(served(film(1000)))
    path = tmp_path / ".film.mp4.part"
    path.write_bytes(b"half")
    memory["videos_delivery"] = {"unfinished": [{**kind, "temporary": str(path), **host}]}
    deliver(f"{folder}/film.mp4")
    assert not path.exists()
    assert unfinished(memory) == []


@pytest.mark.parametrize(
    ("destination", "kind", "fields"),
    [
        ("{folder}/film.mp4", "local", {"temporary", "host"}),
        ("s3://bucket/kinds.mp4", "s3", {"Bucket", "Key", "UploadId"}),
        ("plain://films/film.mp4", "fsspec", {"uri", "temporary"}),
    ],
)
def test_a_leftover_carries_its_kind(s3, folder, destination, kind, fields, monkeypatch):
    """Downgraded, a release that guesses by the other fields still finds them as it has written them."""
    monkeypatch.setattr(S3Object, "SMALLEST_PART", 1)
    left = []
    stores = Stores(s3=lambda: s3, filesystem=lambda _: (Plain(), f"{folder}/film.mp4"))
    place = Destination.parse(destination.format(folder=folder))
    with place.sink(Description("video/mp4"), stores, left.append) as sink:
        sink.write(b"film")
    assert [(leftover["kind"], set(leftover) - {"kind"}) for leftover in left] == [(kind, fields)]
    assert store_of_leftover(left[0]).kind == kind


def test_a_kill_while_a_leftover_is_taken_back_is_heard():
    def killed():
        raise DeliveryError("the task was killed")

    with pytest.raises(DeliveryError, match="killed"):
        destinations.discard(UPLOAD, Stores(s3=killed, filesystem=None))


@contextmanager
def store_that_answers(status: int, code: str):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_DELETE(self):
            body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def client(endpoint):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(
    ("status", "code", "is_gone"),
    [
        (204, "", True),
        (404, "NoSuchUpload", True),
        (404, "NoSuchBucket", True),
        (403, "AccessDenied", False),
        (503, "SlowDown", False),
    ],
)
def test_a_store_says_whether_an_upload_is_gone(status, code, is_gone):
    with store_that_answers(status, code) as endpoint:
        assert s3.discard(client(endpoint), UPLOAD) is is_gone


def test_a_store_that_is_not_there_has_forgotten_nothing():
    assert not s3.discard(client("http://127.0.0.1:9"), UPLOAD)


def test_an_upload_that_could_not_be_aborted_stays_known_until_it_is_gone(
    deliver, server, memory, s3, monkeypatch
):
    """What breaks in the middle is aborted at once; where that fails, the upload is not forgotten."""
    monkeypatch.setattr(S3Object, "SMALLEST_PART", MIB)
    refusing = [True]
    s3.meta.events.register(
        "before-call.s3.AbortMultipartUpload", lambda **_: _refused() if refusing else None, unique_id="test"
    )
    try:
        server.emulator.serve(served(film(3 * MIB)[:-1]))
        with pytest.raises(DeliveryError):
            deliver("s3://bucket/leftover.mp4")
    finally:
        refusing.clear()
        s3.meta.events.unregister("before-call.s3.AbortMultipartUpload", unique_id="test")
    left = list(unfinished(memory))
    assert len(left) == len(open_uploads(s3)) == 2
    server.emulator.serve(served(film(3 * MIB)))
    deliver("s3://bucket/leftover.mp4")
    assert unfinished(memory) == []
    assert open_uploads(s3) == []


def _refused():
    from botocore.exceptions import HTTPClientError

    raise HTTPClientError(error="no route")
