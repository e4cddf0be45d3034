from __future__ import annotations

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_videos.api.errors import DeliveryError
from airflow_provider_videos.operators.videos import VideoPreflightOperator
from tests.system.object_storage import ObjectStorage


@pytest.mark.parametrize("name", ["boat.mp4", "films/"])
@pytest.mark.parametrize("form", ["{path}", "file://{path}"])
def test_a_place_that_can_be_written_to_passes_and_stays_empty(run, tmp_path, name, form):
    destination = form.format(path=tmp_path / "new") + f"/{name}"
    assert run(VideoPreflightOperator, destination=destination).state == "success"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_that_stands_there_is_left_alone(run, tmp_path):
    (tmp_path / "boat.mp4").write_bytes(b"a boat")
    assert run(VideoPreflightOperator, destination=f"{tmp_path}/boat.mp4").state == "success"
    assert (tmp_path / "boat.mp4").read_bytes() == b"a boat"


def test_a_place_that_cannot_be_written_to_is_named(run, tmp_path):
    (tmp_path / "file").touch()
    assert run(VideoPreflightOperator, destination=f"{tmp_path}/file/boat.mp4").state == "failed"
    assert type(run.errors[0]) is DeliveryError
    assert f"{tmp_path}/file/boat.mp4 cannot be written" in str(run.errors[0])


def test_what_is_no_destination_is_not_tried_again(run):
    assert run(VideoPreflightOperator, destination="ftp://host/boat.mp4", retries=3).state == "failed"
    assert type(run.errors[0]) is AirflowFailException


class TestObjectStorage:
    @pytest.fixture
    def bucket(self, tmp_path, monkeypatch):
        with ObjectStorage(tmp_path, buckets=["films"]) as server:
            for name, value in server.client_env.items():
                monkeypatch.setenv(name, value)
            yield server

    def test_a_bucket_that_can_be_written_to_passes_and_stays_empty(self, run, bucket, tmp_path):
        assert run(VideoPreflightOperator, destination="s3://films/today/").state == "success"
        client = boto3.client("s3")
        assert "Contents" not in client.list_objects_v2(Bucket="films")
        assert "Uploads" not in client.list_multipart_uploads(Bucket="films")

    def test_one_that_does_not_exist_is_named(self, run, bucket):
        assert run(VideoPreflightOperator, destination="s3://nowhere/boat.mp4").state == "failed"
        assert "s3://nowhere/boat.mp4 cannot be written" in str(run.errors[0])
