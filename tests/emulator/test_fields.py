"""Requests as clients of all kinds send them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_videos.emulator.fields import nest

if TYPE_CHECKING:
    import httpx

    from airflow_provider_videos.emulator import Emulator


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("video[id]", "v"), ("video[x]", "y")], {"video": {"id": "v", "x": "y"}}),
        ([("characters[][id]", "a"), ("characters[][id]", "b")], {"characters": [{"id": "a"}, {"id": "b"}]}),
        ([("characters[0][id]", "a")], {"characters": [{"id": "a"}]}),
        ([("video", "v"), ("video[id]", "w")], {"video": {"id": "w"}}),
    ],
)
def test_brackets_nest(items: list[tuple[str, str]], fields: dict[str, Any]) -> None:
    assert nest(items) == fields


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({}, "prompt", "missing_required_parameter"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": ""}, "prompt", "empty_string"),
        ({"prompt": 1.5}, "prompt", "invalid_type"),
        ({"prompt": "x" * 32_001}, "prompt", "string_above_max_length"),
        ({"seconds": 4}, "seconds", "invalid_type"),
        ({"seconds": "5"}, "seconds", "invalid_value"),
        ({"size": "1x1"}, "size", "invalid_value"),
        ({"model": 3}, "model", "invalid_type"),
        ({"characters": "otter"}, "characters", "invalid_type"),
        ({"characters": [{"id": "a"}] * 3}, "characters", "array_above_max_length"),
        ({"characters": [{"name": "a"}]}, "characters[0]", "invalid_type"),
        ({"input_reference": "file_1"}, "input_reference", "invalid_type"),
        ({"input_reference": "{"}, "input_reference", "invalid_type"),
        ({"input_reference": {"image_url": 5}}, "input_reference", "invalid_type"),
        ({"input_reference": {"image_url": "data:,x"}}, "input_reference.image_url", "invalid_image_url"),
    ],
)
def test_what_is_wrong_is_named(
    given: dict[str, Any], param: str, code: str, client: httpx.Client, videos_emulator: Emulator
) -> None:
    fields = given if "prompt" in given or not given else {"prompt": "x", **given}

    response = client.post("/videos", json=fields)

    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, param, code)
    assert error["type"] == "invalid_request_error"
    assert not videos_emulator.purchases


def test_the_longest_prompt_is_taken(client: httpx.Client) -> None:
    assert client.post("/videos", files={"prompt": (None, "é" * 32_000)}).status_code == 200


def test_a_data_url_is_looked_into(client: httpx.Client) -> None:
    url = f"data:image/png;base64,{base64.b64encode(b'no image').decode()}"

    response = client.post("/videos", json={"prompt": "x", "input_reference": {"image_url": url}})

    assert response.json()["error"]["code"] == "invalid_image"


def test_extra_fields_go_on_record(client: httpx.Client, videos_emulator: Emulator) -> None:
    client.post("/videos", files={"prompt": (None, "x"), "lora": (None, json.dumps({"scale": 1}))})

    assert videos_emulator.purchases[0].fields == {"prompt": "x", "lora": '{"scale": 1}'}


@pytest.mark.parametrize("place", ["/videos/edits", "/videos/extensions", "/videos/characters"])
@pytest.mark.parametrize("video", [None, "video_1", {"id": "video_none"}, {"name": "x"}])
def test_a_source_has_to_be_there(place: str, video: object, client: httpx.Client) -> None:
    response = client.post(place, json={"prompt": "x", "name": "x", "seconds": "4", "video": video})

    assert response.status_code in {400, 404}
    assert response.json()["error"]["message"]
