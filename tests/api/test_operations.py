"""An operation's label is for people: nothing else depends on it."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from airflow_provider_videos.api import operations, requests
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.errors import NotFound, NotSupported, VideosError
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.api.operations import KINDS
from airflow_provider_videos.api.retry import Backoff, Call
from airflow_provider_videos.api.uploads import Upload
from airflow_provider_videos.submission.evidence import Wanted

ENDPOINT = Endpoint("http://gpu.invalid/v1", api_key="k")
CLIP = Upload("clip.mp4", b"\0\0\0\x18ftypmp42", "video/mp4")
BUILT = {
    "create": requests.create(ENDPOINT, "A boat", model="m", seconds=4, size="1x1"),
    "remix": requests.remix("v", "A boat"),
    "edit": requests.edit("v", "A boat"),
    "extend": requests.extend(ENDPOINT, "v", "A boat", seconds=4, extra_body={"size": "1x1"}),
    "create character": requests.create_character("Captain", CLIP),
    "get character": requests.get_character("c"),
    "retrieve": requests.retrieve("v"),
    "delete": requests.delete("v"),
    "list": requests.list_page(after=None, limit=None, order=None),
    "download": requests.download_content("v"),
    "download of the thumbnail": requests.download_content("v", variant="thumbnail"),
    "probe": requests.probe("OPTIONS", "/videos"),
    "list models": requests.list_models(),
}
ANSWERS = {
    "a video": (200, {"id": "v", "status": "completed", "data": [], "model": "m"}),
    "another shape": (200, ["nothing"]),
    "a router's 404": (404, {"detail": "Not Found"}),
    "the server's 404": (404, {"error": {"message": "no such video", "code": "not_found"}}),
    "405": (405, {"detail": "Method Not Allowed"}),
    "500": (500, {"error": {"message": "oops"}}),
    "busy": (503, {"error": {"message": "too many jobs"}}),
    "moved": (303, {}),
}


def relabelled(operation):
    job = operation.job and relabelled(operation.job)
    return replace(operation, kind=replace(operation.kind, label="LABEL"), job=job)


def came_to(operation, answer):
    """What an operation comes to: the value, or the error with the label taken out of its words."""
    status, body = answer
    transport = httpx.MockTransport(lambda request: httpx.Response(status, json=body))
    backoff = Backoff(attempts=2, base=0)
    with VideosClient(ENDPOINT, backoff=backoff, transport=transport) as client:
        try:
            value = client.perform(operation)
        except VideosError as error:
            words = str(error).replace(f"{operation.name}:", "").replace(f"support {operation.name}", "")
            return type(error), words.replace(f" {operation.name},", "")
        return type(value), getattr(value, "id", None)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("operation", BUILT.values(), ids=BUILT)
def test_another_label_changes_nothing_but_words(operation, answer):
    assert came_to(relabelled(operation), answer) == came_to(operation, answer)


@pytest.mark.parametrize("operation", BUILT.values(), ids=BUILT)
def test_another_label_is_the_same_record_and_the_same_video_to_look_for(operation):
    assert relabelled(operation).fingerprint(ENDPOINT) == operation.fingerprint(ENDPOINT)
    assert Wanted.of(relabelled(operation)) == Wanted.of(operation)


def test_every_operation_is_one_of_the_contract_under_a_key_of_its_own():
    assert {operation.kind.key for operation in BUILT.values()} == {kind.key for kind in KINDS}
    assert len({kind.key for kind in KINDS}) == len(KINDS)
    assert set(KINDS) == {one for one in vars(operations).values() if type(one) is type(KINDS[0])}


def test_the_keys_are_those_of_records_that_exist():
    assert {kind.key for kind in KINDS if kind.call is Call.BUY} == {
        *("create", "remix", "edit", "extend", "create character")
    }
    assert (
        requests.create(Endpoint("http://gpu-box/v1"), "A boat").fingerprint(Endpoint("http://gpu-box/v1"))
        == "9d4c442cc10eaf60"
    )


def test_an_extension_s_seconds_are_no_difference():
    video = Video(id="v", prompt="A boat", seconds="12", size="1x1")
    assert Wanted.of(BUILT["extend"]).differences(video) == {}
    assert Wanted.of(BUILT["create"]).differences(video) == {"seconds": "12"}


@pytest.mark.parametrize(("name", "error"), [("remix", NotSupported), ("retrieve", NotFound)])
def test_a_router_s_404_is_read_by_the_operation_s_facts(name, error):
    assert came_to(relabelled(BUILT[name]), ANSWERS["a router's 404"])[0] is error
