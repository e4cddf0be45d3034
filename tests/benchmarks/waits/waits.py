"""A thousand waits that begin in the triggerer: for videos, and, to compare, for nothing but time to pass."""

from __future__ import annotations

import os

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, task_group

from airflow_provider_videos.sensors.videos import VideoSensor

WAITS = int(os.environ.get("BENCH_WAITS", "1000"))

with DAG("waits_for_videos", schedule=None, max_active_tasks=5000) as videos:

    @task_group
    def video(number):
        VideoSensor(
            task_id="wait",
            video_id="video_{{ '%032d' % ti.map_index }}",
            poke_interval=5,
            timeout=3600,
            deferrable=True,
            start_from_trigger=True,
        )

    video.expand(number=list(range(WAITS)))

with DAG("waits_for_time", schedule=None, max_active_tasks=5000) as sleeps:

    @task_group
    def sleep(number):
        DateTimeSensorAsync(task_id="wait", target_time="2099-01-01T00:00:00+00:00", start_from_trigger=True)

    sleep.expand(number=list(range(WAITS)))
