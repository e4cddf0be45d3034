"""
A delivered video sets off the next DAG.

The first DAG buys a video, brings it and its thumbnail to storage and says so in the asset
``finished_videos``.
The second is scheduled on that asset: it knows where the file is and can trust it, because the event
carries address, size and SHA-256. The alias ``video_files`` becomes an asset for each file, at its own URI.

It needs a connection ``videos_default`` to a server that speaks the Videos API.
"""

from __future__ import annotations

from typing import Any

# As of airflow.sdk, which Airflow 2.11 does not have.
from airflow_provider_videos.adapters.names import DAG, Asset, AssetAlias, Param, task
from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoDownloadOperator
from airflow_provider_videos.sensors.videos import VideoSensor

FINISHED = Asset("finished_videos")

with DAG(
    dag_id="example_video_asset",
    schedule=None,
    catchup=False,
    tags=["example", "videos"],
    doc_md=__doc__,
    params={
        "prompt": Param("A paper boat on a quiet lake", type="string", minLength=1, title="Prompt"),
        "destination": Param(
            "/tmp/videos/",  # noqa: S108 - a default to be overridden
            type="string",
            pattern="/$",
            title="Folder",
            description="A folder: a path, file:///path/ or s3://bucket/path/, ending in /.",
        ),
    },
) as dag:
    create = VideoCreateOperator(task_id="create_video", prompt="{{ params.prompt }}", seconds="4")
    wait = VideoSensor(
        task_id="wait_for_video",
        video_id=create.output,
        poke_interval=5,
        timeout=3600,
        deferrable=True,
        retries=2,
    )
    VideoDownloadOperator(
        task_id="download_video",
        video_id=wait.output,
        destination="{{ params.destination }}",
        variant=["video", "thumbnail"],
        retries=3,
        outlets=[FINISHED, AssetAlias("video_files")],
    )

with DAG(
    dag_id="example_video_asset_consumer",
    schedule=[FINISHED],
    catchup=False,
    tags=["example", "videos"],
    doc_md=__doc__,
):

    @task
    def publish(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Return what the events say of the videos that were delivered since the last run."""
        return [event.extra for event in triggering_asset_events[FINISHED]]

    publish()
