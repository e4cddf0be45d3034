"""A whole DAG, and each operation, through a server that is none of ours."""

from __future__ import annotations

import av
import pytest
from example_video_to_storage import dag

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.capabilities import examine
from airflow_provider_videos.api.models import Phase
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import Answer, Drop, Fault
from airflow_provider_videos.hooks.videos import VideosHook
from tests.emulator.client_contract import OPERATIONS, UNSUPPORTED, Served

pytestmark = pytest.mark.gateway

# How each model's connection differs; a list is answered for a provider, so it is told which.
QUERIES = {"contract": {}, "engine": {"custom_llm_provider": "hosted_vllm"}}
COMMON = {"early": "NotFound 404", "thumbnail": "MP4 instead", "delete": UNSUPPORTED}
EXPECTED = {
    "contract": COMMON | {"lists": "Refused 400", "unknown": "ServerFault 500"},
    "engine": COMMON
    | {"lists": "ok, other ids", "unknown": "NotFound 404"}
    | dict.fromkeys(("remix", "edit", "extend"), UNSUPPORTED),
}


@pytest.fixture(params=QUERIES)
def model(request, gateway, monkeypatch):
    name = request.param
    monkeypatch.setenv("AIRFLOW_CONN_VIDEOS_DEFAULT", gateway.connection(name, **QUERIES[name]))
    yield name
    gateway.upstreams[name].clear_faults()
    gateway.upstreams[name].record.clear()


@pytest.fixture
def upstream(gateway, model):
    return gateway.upstreams[model]


@pytest.fixture
def client(model):
    with VideosHook().get_conn() as client:
        client._backoff = Backoff(attempts=2, base=0, cap=0)
        yield client


def test_every_operation_comes_to_what_is_documented(model, upstream, client, matrix):
    upstream.restart()
    served, name = Served(client, pass_time=upstream.clock.advance), f"litellm: {model}"
    for operation, check in OPERATIONS.items():
        matrix(name, operation, check(served))
    assert matrix.rows[name] == dict.fromkeys(OPERATIONS, "ok") | EXPECTED[model]


def test_the_whole_dag_passes_through_it(upstream, tmp_path):
    upstream.clock.per_request = 10
    run = dag.test(run_conf={"prompt": "A boat", "destination": f"{tmp_path}/boat.mp4"})
    upstream.clock.per_request = 0

    assert run.state == "success"
    states = {task.task_id: task.state for task in run.get_task_instances()}
    assert states["delete_video"] == "skipped"
    assert len(upstream.purchases) == 1
    with av.open(str(tmp_path / "boat.mp4")) as film:
        assert film.duration == 4 * av.time_base


@pytest.mark.parametrize("effect", [Drop(accepted=True), Answer(status=500, accepted=True)])
def test_a_lost_answer_behind_it_is_not_asked_for_again(upstream, client, effect):
    upstream.inject(Fault(effect, operation="create", times=None))
    with pytest.raises(errors.OutcomeUnknown):
        client.create("A boat")
    assert len(upstream.purchases) == 1


def test_the_doctor_sees_what_it_offers(model, upstream, client):
    video_id = client.create("A boat", size="1280x720", seconds=4).id
    upstream.clock.advance(60)
    assert client.retrieve(video_id).phase is Phase.SUCCEEDED
    bought = len(upstream.purchases)
    found = {finding.name: finding.offer.value for finding in examine(client)}
    listed = model == "engine"
    assert found == {
        "models": "yes",
        "list": "yes" if listed else "unknown",
        "delete": "no",
        "remix": "yes",
        "variants": "no" if listed else "unknown",
        "ranges": "no" if listed else "unknown",
    }
    assert len(upstream.purchases) == bought


@pytest.mark.parametrize("model", ["engine"], indirect=True)
def test_its_list_shows_shorter_ids_and_its_upstream_s_prompts_and_models(client):
    bought = client.create("A lighthouse", size="1280x720", seconds=4)
    listed = next(video for video in client.list() if video.prompt == "A lighthouse")
    assert (bought.model, listed.model) == ("engine", "emulated-1-pro")
    assert len(listed.id) < len(bought.id)
    alone = client.retrieve(listed.id)
    assert (alone.id, alone.model, alone.prompt) == (bought.id, "engine", None)


def test_a_wrong_key_is_told_in_its_words(gateway, monkeypatch):
    wrong = gateway.connection("contract").replace(gateway.key, "sk-wrong-key")
    monkeypatch.setenv("AIRFLOW_CONN_VIDEOS_DEFAULT", wrong)
    works, words = VideosHook().test_connection()
    assert not works
    assert "No connected db" in words
    assert "sk-wrong-key" not in words
