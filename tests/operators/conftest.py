"""One operator, run by Airflow itself, and a video to run it on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_videos.adapters.names import DAG
from airflow_provider_videos.adapters.release import is_before
from airflow_provider_videos.api.client import VideosClient


@pytest.fixture
def run(run_dag):
    """Run one operator; what went wrong is in ``run.errors``."""

    def run(operator, params=None, **options):
        run.errors = []
        options = {"retries": 1, "retry_delay": timedelta(0), **options}
        with DAG("single", schedule=None, params=params or {}) as dag:
            raised = []
            if is_before(3, 3) and not is_before(3, 0):
                # There dag.test() does not tell the callback what was raised.
                operator = keeping(raised, operator)
            operator(
                task_id="it",
                on_failure_callback=lambda context: run.errors.append(context.get("exception") or raised[-1]),
                **options,
            )
        return run_dag(dag)["it"]

    return run


def keeping(raised, operator):
    class Noting(operator):
        def execute(self, context):
            try:
                return super().execute(context)
            except Exception as error:
                raised.append(error)
                raise

    return Noting


@pytest.fixture
def completed(endpoint, videos_emulator) -> str:
    with VideosClient(endpoint) as client:
        video_id = client.create("A paper boat", size="1280x720", seconds=4).id
    videos_emulator.clock.advance(60)
    return video_id
