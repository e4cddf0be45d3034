"""
From a prompt to a file.

Prove that the destination can be written to, buy a video, wait for it without a worker, bring it to storage,
tidy up on the server.

It needs a connection ``videos_default`` to a server that speaks the Videos API.
"""

from __future__ import annotations

from datetime import timedelta

# As of airflow.sdk, which Airflow 2.11 does not have.
from airflow_provider_videos.adapters.names import DAG, Param
from airflow_provider_videos.operators.videos import (
    VideoCreateOperator,
    VideoDeleteOperator,
    VideoDownloadOperator,
    VideoPreflightOperator,
)
from airflow_provider_videos.sensors.videos import VideoSensor

with DAG(
    dag_id="example_video_to_storage",
    schedule=None,
    catchup=False,
    tags=["example", "videos"],
    doc_md=__doc__,
    params={
        "prompt": Param(
            "A lighthouse at dusk, waves rolling in, slow aerial shot",
            type="string",
            minLength=1,
            title="Prompt",
            description="What the video shows.",
            format="multiline",
        ),
        "model": Param("", type="string", title="Model", description="Empty: the connection's own."),
        "size": Param("1280x720", type="string", title="Size", description="Width x height in pixels."),
        "seconds": Param("4", type="string", title="Length", description="In seconds."),
        "destination": Param(
            "/tmp/videos/",  # noqa: S108 - a default to be overridden
            type="string",
            title="Destination",
            description="A path, file:///path/ or s3://bucket/key; one that ends in / is a folder.",
        ),
    },
) as dag:
    preflight = VideoPreflightOperator(task_id="check_destination", destination="{{ params.destination }}")
    create = VideoCreateOperator(
        task_id="create_video",
        prompt="{{ params.prompt }}",
        model="{{ params.model }}",
        size="{{ params.size }}",
        seconds="{{ params.seconds }}",
        retries=2,
    )
    wait = VideoSensor(
        task_id="wait_for_video",
        video_id=create.output,
        poke_interval=5,
        timeout=timedelta(hours=1),
        deferrable=True,
        retries=2,
    )
    download = VideoDownloadOperator(
        task_id="download_video",
        video_id=wait.output,
        destination="{{ params.destination }}",
        retries=3,
    )
    delete = VideoDeleteOperator(task_id="delete_video", video_id=create.output, on_unsupported="skip")

    preflight >> create >> wait >> download >> delete
