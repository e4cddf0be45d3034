"""A purchase that is not settled by looking, as the system tests need it."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_videos.operators.videos import VideoCreateOperator

with DAG("buying", schedule=None, params={"prompt": "A boat"}):
    VideoCreateOperator(task_id="create_video", prompt="{{ params.prompt }}", on_unknown="fail")
