from __future__ import annotations

import boto3
import pytest

from airflow_provider_videos.adapters.names import DAG, AirflowFailException
from airflow_provider_videos.api.errors import DeliveryError
from airflow_provider_videos.operators.videos import VideoPreflightOperator
from tests.system.object_storage import ObjectStorage


@pytest.mark.parametrize("name", ["boat.mp4", "films/"])
@pytest.mark.parametrize("form", ["{path}", "file://{path}"])
def test_a_place_that_can_be_written_to_passes_and_stays_empty(run, tmp_path, name, form):
    destination = form.format(path=tmp_path / "new") + f"/{name}"
    assert run(VideoPreflightOperator, destination=destination).state == "success"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
@pytest.mark.parametrize("name", ["boat.mp4", "boat.{ext}"])
def test_a_place_that_is_taken_is_found_before_anything_is_bought(run, tmp_path, if_exists, name):
    (tmp_path / "boat.mp4").write_bytes(b"a boat")
    destination = f"{tmp_path}/{name}"
    assert (
        run(VideoPreflightOperator, destination=destination, if_exists=if_exists, retries=3).state == "failed"
    )
    assert type(run.errors[0]) is AirflowFailException
    assert f"{tmp_path}/boat.mp4 exists already: a file of 6 bytes" in str(run.errors[0])
    assert "overwrite" in str(run.errors[0])
    assert "{video_id}" in str(run.errors[0])
    assert (tmp_path / "boat.mp4").read_bytes() == b"a boat"


@pytest.mark.parametrize(
    "options", [{"if_exists": "overwrite"}, {"name": "{video_id}.mp4"}, {"name": "films/"}], ids=str
)
def test_a_place_that_may_be_taken_or_that_each_video_has_for_itself_passes(run, tmp_path, options):
    (tmp_path / "boat.mp4").write_bytes(b"a boat")
    destination = f"{tmp_path}/{options.pop('name', 'boat.mp4')}"
    assert run(VideoPreflightOperator, destination=destination, **options).state == "success"
    assert (tmp_path / "boat.mp4").read_bytes() == b"a boat"


class Memory(dict):
    """Values that Airflow keeps for a task."""

    def set(self, key, value, retention=None):
        self[key] = value


def test_a_cleared_run_is_not_stopped_by_what_it_has_delivered_itself(tmp_path):
    context = {"task_state_store": Memory()}
    with DAG("cleared", schedule=None):
        task = VideoPreflightOperator(task_id="it", destination=f"{tmp_path}/boat.mp4")
    task.execute(context)
    (tmp_path / "boat.mp4").write_bytes(b"delivered meanwhile")
    task.execute(context)
    with pytest.raises(AirflowFailException, match="exists already"):
        task.execute({"task_state_store": Memory()})  # another run


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
