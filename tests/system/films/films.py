"""A film for each prompt, waited for in the triggerer from beginning to end."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, task, task_group

from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoDownloadOperator
from airflow_provider_videos.sensors.videos import VideoSensor

with DAG(
    "films",
    schedule=None,
    params={"prompts": Param([], type="array"), "folder": Param("", type="string")},
    max_active_tasks=200,
    default_args={"retries": 5, "retry_delay": timedelta(seconds=2)},
) as dag:

    @task_group
    def film(prompt):
        create = VideoCreateOperator(task_id="create", prompt=prompt)
        wait = VideoSensor(
            task_id="wait",
            video_id=create.output,
            poke_interval=1,
            timeout=600,
            deferrable=True,
            start_from_trigger=True,
            end_from_trigger=True,
        )
        download = VideoDownloadOperator(
            task_id="download",
            video_id=create.output,
            destination="{{ params.folder }}/{{ ti.map_index }}.mp4",
        )
        create >> wait >> download

    @task
    def prompts(params=None):
        return params["prompts"]

    film.expand(prompt=prompts())
