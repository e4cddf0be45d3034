"""
Make a video longer: buy it, extend it, deliver the whole.

It needs a connection ``videos_default`` to a server that can extend videos.
"""

from __future__ import annotations

# As of airflow.sdk, which Airflow 2.11 does not have.
from airflow_provider_videos.adapters.names import DAG, Param
from airflow_provider_videos.operators.videos import (
    VideoCreateOperator,
    VideoDownloadOperator,
    VideoExtendOperator,
)
from airflow_provider_videos.sensors.videos import VideoSensor

with DAG(
    dag_id="example_extend_video",
    schedule=None,
    catchup=False,
    tags=["example", "videos"],
    doc_md=__doc__,
    params={
        "prompt": Param("A paper boat leaves the harbour", type="string", minLength=1, title="Prompt"),
        "next": Param("It sails into the sunset", type="string", minLength=1, title="What happens next"),
        "destination": Param(
            "/tmp/videos/",  # noqa: S108 - a default to be overridden
            type="string",
            title="Destination",
            description="A path, file:///path/ or s3://bucket/key; one that ends in / is a folder.",
        ),
    },
) as dag:
    video = VideoCreateOperator(task_id="create_video", prompt="{{ params.prompt }}", seconds="4")
    video_ready = VideoSensor(
        task_id="wait_for_video",
        video_id=video.output,
        poke_interval=5,
        timeout=3600,
        deferrable=True,
        retries=2,
    )
    longer = VideoExtendOperator(
        task_id="extend_video", video_id=video_ready.output, prompt="{{ params.next }}", seconds="4"
    )
    longer_ready = VideoSensor(
        task_id="wait_for_longer_video",
        video_id=longer.output,
        poke_interval=5,
        timeout=3600,
        deferrable=True,
        retries=2,
    )
    VideoDownloadOperator(
        task_id="download_longer_video",
        video_id=longer_ready.output,
        destination="{{ params.destination }}",
        retries=3,
    )
