"""Hosted models behind the gateway: what reaches a client of two vendors' successes and failures."""

from __future__ import annotations

import hashlib

import pytest
from example_video_to_storage import dag

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.models import Phase
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.hooks.videos import VideosHook
from airflow_provider_videos.polling.wait_state import WaitState
from tests.gateway.vendors import FAILED, FILE, FILTERED, LONG

pytestmark = pytest.mark.gateway

POLLS = 5
POKE_SECONDS, HOUR = 15, 3600
SHA256 = hashlib.sha256(b"".join(FILE.chunks(0, FILE.size))).hexdigest()


@pytest.fixture(params=["veo", "runway"])
def model(request, gateway, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_VIDEOS_DEFAULT", gateway.connection(request.param))
    return request.param


def on(*models):
    return pytest.mark.parametrize("model", models, indirect=True)


@pytest.fixture
def client(model):
    with VideosHook().get_conn() as client:
        client._backoff = Backoff(attempts=2, base=0, cap=0)
        yield client


@pytest.fixture
def vendors(gateway):
    return gateway.vendors


def create(client, prompt="A boat"):
    return client.create(prompt, size="1280x720", seconds="4").id


def content(client, video_id):
    with client.download_content(video_id) as download:
        return b"".join(download.chunks)


def wait_an_hour(watch, error):
    """Hear the same of a video again and again, while the server answers for others."""
    for moment in range(0, HOUR, POKE_SECONDS):
        watch.update(error, float(moment), serves_others=True)


def test_the_whole_dag_passes_through_it(model, vendors, tmp_path):
    bought = len(vendors.jobs)
    run = dag.test(run_conf={"prompt": "A boat", "destination": f"{tmp_path}/boat.mp4"})
    assert run.state == "success"
    assert len(vendors.jobs) == bought + 1
    assert hashlib.sha256((tmp_path / "boat.mp4").read_bytes()).hexdigest() == SHA256


def test_a_video_is_waited_for_and_downloaded(client):
    video_id = create(client, f"A boat {LONG}")
    phases = [client.retrieve(video_id).phase for _ in range(3)]
    assert phases[-1] is Phase.SUCCEEDED
    assert set(phases[:-1]) <= {Phase.WAITING, Phase.RUNNING}
    assert hashlib.sha256(content(client, video_id)).hexdigest() == SHA256


@on("runway")
def test_a_failed_task_says_why(client):
    video = client.retrieve(create(client, f"A boat {FAILED}"))
    assert video.has_failed
    assert "Something went wrong." in str(video.error)


@on("veo")
def test_a_failed_operation_is_reported_as_completed_and_has_no_content(client):
    video_id = create(client, f"A boat {FAILED}")
    assert client.retrieve(video_id).phase is Phase.SUCCEEDED
    for _ in range(POLLS):
        with pytest.raises(errors.ServerFault) as caught:
            content(client, video_id)
        assert caught.value.status_code == 500


@on("veo")
def test_a_filtered_video_answers_every_poll_with_500_which_ends_its_wait_in_time(client):
    filtered, other = create(client, f"A boat {FILTERED}"), create(client)
    for _ in range(POLLS):
        with pytest.raises(errors.ServerFault) as caught:
            client.retrieve(filtered)
        assert caught.value.status_code == 500
    assert client.retrieve(other).phase is Phase.SUCCEEDED
    assert client.list_models()
    with pytest.raises(errors.VideoUnavailable, match="generatedSamples"):
        wait_an_hour(WaitState(filtered, started_at=0.0), caught.value)


@on("veo")
def test_a_vendor_s_refusal_is_an_unknown_outcome(client, vendors):
    bought, vendors.refusals[:] = len(vendors.jobs), [503]
    with pytest.raises(errors.OutcomeUnknown):
        create(client)
    assert len(vendors.jobs) == bought


@pytest.mark.parametrize(
    "query", [{}, {"custom_llm_provider": "gemini"}, {"custom_llm_provider": "runwayml"}]
)
def test_there_is_no_list_in_which_a_lost_answer_could_be_looked_for(query, gateway, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_VIDEOS_DEFAULT", gateway.connection("veo", **query))
    with VideosHook().get_conn() as client:
        client._backoff = Backoff(attempts=2, base=0, cap=0)
        with pytest.raises((errors.Refused, errors.ServerFault)):
            list(client.list(limit=2))


def test_it_deletes_nothing(client):
    with pytest.raises(errors.NotSupported):
        client.delete(create(client))
