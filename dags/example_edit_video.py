"""
Several versions of one video: buy it once, edit it once for each change, deliver every version.

Each version is a mapped task group: it waits and downloads on its own. It needs a connection
``videos_default`` to a server that can edit videos.
"""

from __future__ import annotations

# As of airflow.sdk, which Airflow 2.11 does not have.
from airflow_provider_videos.adapters.names import DAG, Param, task, task_group
from airflow_provider_videos.operators.videos import (
    VideoCreateOperator,
    VideoDownloadOperator,
    VideoEditOperator,
)
from airflow_provider_videos.sensors.videos import VideoSensor

with DAG(
    dag_id="example_edit_video",
    schedule=None,
    catchup=False,
    tags=["example", "videos"],
    doc_md=__doc__,
    params={
        "prompt": Param("A paper boat on a quiet lake", type="string", minLength=1, title="Prompt"),
        "changes": Param(
            ["It snows", "It is night, and the boat carries a lantern"],
            type="array",
            items={"type": "string"},
            minItems=1,
            title="Changes",
            description="One version is made for each.",
        ),
        "destination": Param(
            "/tmp/videos/",  # noqa: S108 - a default to be overridden
            type="string",
            pattern="/$",
            title="Folder",
            description="A folder: a path, file:///path/ or s3://bucket/path/, ending in /.",
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

    @task
    def changes(params: dict[str, list[str]] | None = None) -> list[str]:
        """Return the changes the run was asked for, one mapped group each."""
        return (params or {})["changes"]

    @task_group
    def version(change: str) -> None:
        """Edit the video, wait for it and deliver it."""
        edited = VideoEditOperator(
            task_id="edit_video",
            video_id=video_ready.output,
            prompt=change,
            map_index_template="{{ task.prompt }}",
        )
        ready = VideoSensor(
            task_id="wait_for_version",
            video_id=edited.output,
            poke_interval=5,
            timeout=3600,
            deferrable=True,
            retries=2,
        )
        VideoDownloadOperator(
            task_id="download_version",
            video_id=ready.output,
            destination="{{ params.destination }}",
            retries=3,
        )

    version.expand(change=changes())
