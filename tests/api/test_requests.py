from __future__ import annotations

import pytest

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.errors import InvalidRequest

HOME = {"base_url": "http://gpu-box/v1", "api_key": "sk-123456", "query": {"model": "a"}}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"api_key": "sk-rotated"}, True),
        ({"headers": {"x-api-key": "sk-rotated"}}, True),
        ({"base_url": "http://elsewhere/v1"}, False),
        ({"query": {"model": "b"}}, False),
        ({"headers": {"custom-llm-provider": "wan"}}, False),
    ],
)
def test_a_fingerprint_is_of_the_request_and_the_server_but_not_of_the_key(change, same):
    def fingerprint(**fields):
        endpoint = Endpoint(**fields)
        return requests.create(endpoint, "A boat").fingerprint(endpoint)

    assert (fingerprint(**HOME) == fingerprint(**{**HOME, **change})) is same


@pytest.mark.parametrize("name", ["user-agent", "User-Agent", "ACCEPT", "accept-encoding", "authorization"])
def test_a_header_of_the_connection_replaces_ours_in_any_spelling(name):
    endpoint = Endpoint("http://gpu/v1", api_key="k", headers={name: "theirs"})
    sent = requests.retrieve("v").request(endpoint).headers
    assert sent.get_list(name) == ["theirs"]


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_a_header_that_frames_a_body_cannot_be_set(name):
    with pytest.raises(InvalidRequest, match="cannot be set"):
        Endpoint("http://gpu/v1", headers={name: "5"})
