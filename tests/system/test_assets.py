"""A delivered video sets off the next DAG, on a real scheduler; a killed download leaves nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from airflow_provider_videos.emulator import Fault, Stall
from demo.rest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_videos.emulator import Emulator
    from demo.standalone import Airflow
    from tests.system.object_storage import ObjectStorage

pytestmark = pytest.mark.system

PRODUCER, CONSUMER = "example_video_asset", "example_video_asset_consumer"


def test_the_consumer_learns_what_was_delivered(airflow: Airflow, emulator: Emulator, tmp_path: Path) -> None:
    airflow.rest.wait_for_dag(CONSUMER)
    airflow.rest.call("PATCH", f"/dags/{CONSUMER}", json={"is_paused": False})
    run = airflow.rest.trigger(PRODUCER, {"destination": f"{tmp_path}/"})
    assert run.wait() == "success"
    video, thumbnail = run.xcom("download_video")
    assert {path.as_uri() for path in tmp_path.iterdir()} == {video["uri"], thumbnail["uri"]}

    wait_until(
        lambda: airflow.rest.get(f"/dags/{CONSUMER}/dagRuns")["dag_runs"], "the consumer to be started"
    )
    consumer = airflow.rest.latest_run(CONSUMER)
    assert consumer.wait() == "success"
    (extra,) = consumer.xcom("publish")
    assert extra == {
        **video,
        "model": emulator.purchases[-1].fields.get("model", "emulated-1"),
        "seconds": "4",
    }

    events = airflow.rest.get("/assets/events", source_dag_id=PRODUCER)["asset_events"]
    by_uri = {event["uri"]: event["extra"] for event in events}
    assert {video["uri"], thumbnail["uri"]} <= set(by_uri)
    assert by_uri[thumbnail["uri"]]["sha256"] == thumbnail["sha256"]
    assert str(emulator.api_key) not in json.dumps(events)


def test_a_download_that_is_killed_aborts_its_upload(
    airflow: Airflow, emulator: Emulator, object_storage: ObjectStorage
) -> None:
    environment = object_storage.client_env
    s3 = boto3.client(
        "s3",
        endpoint_url=object_storage.endpoint,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )

    def uploads() -> list[str]:
        try:
            return [item["Key"] for item in s3.list_multipart_uploads(Bucket="videos").get("Uploads", [])]
        except s3.exceptions.NoSuchUpload:  # so rclone says it before the first
            return []

    emulator.serve_bytes(60 * 2**20)
    emulator.inject(Fault(Stall(after_bytes=40 * 2**20), operation="content"))
    run = airflow.rest.trigger("example_video_to_storage", {"destination": "s3://videos/killed.mp4"})
    run.wait_for_state("download_video", "running")  # the preflight before it uploads a little, too
    wait_until(lambda: uploads() == ["killed.mp4"], "the upload to begin")
    # As a person does it in the UI.
    airflow.rest.call(
        "PATCH",
        f"{run.path}/taskInstances/download_video",
        json={"new_state": "failed", "include_future": False},
    )
    wait_until(lambda: uploads() == [], "the upload to be aborted")
    assert run.wait() == "failed"
    assert not (object_storage.root / "videos" / "killed.mp4").exists()
    assert "the task was killed" in json.dumps(run.log("download_video"))
