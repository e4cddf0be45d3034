"""One logical create under three faults: how many POSTs it takes us, and how many the official SDK."""

from __future__ import annotations

from datetime import timedelta

import httpx
import openai
import pytest

from airflow_provider_videos.adapters.names import DAG
from airflow_provider_videos.emulator import Answer, Drop, Fault, Latency
from airflow_provider_videos.operators.videos import VideoCreateOperator

FAULTS = {
    "500 after acceptance": Answer(status=500, accepted=True),
    "read timeout": Latency(seconds=1),
    "dropped socket": Drop(accepted=True),
}
READ_SECONDS = 0.4


@pytest.fixture
def posts(videos_emulator):
    """The creates that reach the server since the last question."""

    def posts():
        count = videos_emulator.record.requests["create"]
        videos_emulator.record.requests.clear()
        return count

    return posts


@pytest.fixture
def our_create(run_dag, videos_emulator, connect_to):
    connect_to(videos_emulator, timeout={"read": READ_SECONDS})

    def create():
        with DAG("side_by_side", schedule=None) as dag:
            VideoCreateOperator(task_id="it", prompt="A boat", retries=3, retry_delay=timedelta(0))
        return run_dag(dag)["it"]

    return create


def sdk_create(videos_emulator):
    timeout = httpx.Timeout(5, read=READ_SECONDS)
    client = openai.OpenAI(
        base_url=videos_emulator.base_url, api_key=videos_emulator.api_key, timeout=timeout
    )
    with client, pytest.raises((openai.APIConnectionError, openai.InternalServerError)):
        client.videos.create(prompt="Another boat")


@pytest.mark.parametrize("fault", FAULTS)
def test_one_create_is_one_post_over_all_retries_of_its_task(videos_emulator, our_create, posts, fault):
    videos_emulator.inject(Fault(FAULTS[fault], operation="create", times=None))
    ran = our_create()
    ours = posts()
    assert ran.xcoms["return_value"] == videos_emulator.purchases[0].video_id
    sdk_create(videos_emulator)
    assert (ours, posts()) == (1, 3)
