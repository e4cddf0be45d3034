"""Waits that give their video up when a user fails them, as the system tests need them."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_videos.sensors.videos import VideoSensor

with DAG(
    "cancelling", schedule=None, params={"deferred": Param(type="string"), "poked": Param(type="string")}
):
    for task_id, deferrable in {"deferred": True, "poked": False}.items():
        VideoSensor(
            task_id=task_id,
            video_id=f"{{{{ params.{task_id} }}}}",
            poke_interval=0.5,
            timeout=timedelta(minutes=5),
            deferrable=deferrable,
            cancel_on_kill=True,
        )
