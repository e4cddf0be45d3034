"""DAGs of the fault campaign: from a prompt to a file, once, or as two mapped tasks that want the same."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, task_group

from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoDownloadOperator
from airflow_provider_videos.sensors.videos import VideoSensor
from tests.chaos import seams

SETTINGS = {
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
    "videos_conn_id": "{{ params.conn_id }}",
    "pre_execute": seams.before,
    "post_execute": seams.after,
}
PARAMS = {"prompt": "none", "conn_id": "none", "destination": "/nowhere/"}


def pipeline(size: str, poke_interval: float = 1) -> None:
    """Create, wait, download."""
    create = VideoCreateOperator(task_id="create", prompt="{{ params.prompt }}", size=size, seconds="4")
    wait = VideoSensor(
        task_id="wait",
        video_id=create.output,
        poke_interval=poke_interval,
        timeout=timedelta(minutes=5),
        deferrable=True,
    )
    download = VideoDownloadOperator(
        task_id="download", video_id=wait.output, destination="{{ params.destination }}"
    )
    create >> wait >> download


with DAG("chaos", schedule=None, default_args=SETTINGS, params=PARAMS, max_active_runs=64):
    pipeline("1280x720")

with DAG("chaos_slow", schedule=None, default_args=SETTINGS, params=PARAMS, max_active_runs=64):
    # The server is asked seldom, so that there is time to take the trigger away before it has fired.
    pipeline("1280x720", poke_interval=6)

with DAG(
    "chaos_patient",
    schedule=None,
    # A try that begins while the API server is away ends before any code of ours runs; one has to come later.
    default_args=SETTINGS
    | {"retry_delay": timedelta(seconds=float(os.environ.get("CHAOS_OUTAGE", "60")) + 30)},
    params=PARAMS,
    max_active_runs=64,
):
    pipeline("1280x720")

with DAG("chaos_mapped", schedule=None, default_args=SETTINGS, params=PARAMS, max_active_runs=64):

    @task_group(prefix_group_id=False)
    def clip(size: str) -> None:
        """One of two clips that nothing tells apart."""
        pipeline(size)

    clip.expand(size=["1280x720", "1280x720"])
