from __future__ import annotations

import json
from typing import ClassVar

import pytest
from airflow.sdk._shared.secrets_masker import redact, reset_secrets_masker

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.requests import Timeouts
from airflow_provider_videos.emulator import Answer, Drop, Fault
from airflow_provider_videos.hooks.videos import VideosHook


@pytest.fixture
def connect(monkeypatch):
    def connect(value: str | dict) -> VideosHook:
        text = value if isinstance(value, str) else json.dumps({"conn_type": "videos", **value})
        monkeypatch.setenv("AIRFLOW_CONN_MY_SERVER", text)
        return VideosHook("my_server")

    return connect


GPU = {"host": "http://gpu:8000/v1", "password": "a-long-key"}


@pytest.mark.parametrize(
    ("connection", "base_url"),
    [
        (GPU, "http://gpu:8000/v1"),
        ({**GPU, "host": "https://gpu/v1/"}, "https://gpu/v1"),
        ({**GPU, "host": " https://gpu/v1 ", "schema": ""}, "https://gpu/v1"),
        ({**GPU, "host": "gpu/v1", "schema": "HTTPS"}, "https://gpu/v1"),
        ({**GPU, "host": "gpu:8000/v1"}, "http://gpu:8000/v1"),
        ({**GPU, "host": "gpu", "port": 8000, "schema": "v1"}, "http://gpu:8000/v1"),
        ({**GPU, "host": "gpu", "port": 8443, "schema": "https"}, "https://gpu:8443"),
        ({**GPU, "host": "gpu/v1", "schema": "https"}, "https://gpu/v1"),
        ({**GPU, "host": "https://gpu/v1", "port": 8443}, "https://gpu:8443/v1"),
        ("videos://:a-long-key@gpu:8000/v1", "http://gpu:8000/v1"),
        ("videos://https://:a-long-key@gpu:8443/v1", "https://gpu:8443/v1"),
        ("videos://https://:a-long-key@gpu/api%2Fv1", "https://gpu/api/v1"),
        ("videos://:a-long-key@https%3A%2F%2Fgpu%3A8443%2Fv1", "https://gpu:8443/v1"),
    ],
)
def test_every_form_of_a_connection_gives_the_base_url(connect, connection, base_url):
    with connect(connection).get_conn() as client:
        assert client.endpoint.base_url.rstrip("/") == base_url
        assert client.endpoint.api_key == "a-long-key"


def test_extra_fields_are_read_in_json_and_in_uri_form(connect):
    extra = {
        "model": "wan-2.2",
        "request_format": "json",
        "seconds_type": "integer",
        "auth_header": "api-key",
        "auth_scheme": "",
        "headers": {"x-a": 1, "x-b": None},
        "query": '{"api-version": "2"}',
        "timeout": {"read": 5},
        "verify": "false",
        "requests_per_minute": "30",
        "result_hosts": "cdn.example, 10.0.0.0/8",
    }
    with connect({**GPU, "extra": extra}).get_conn() as client:
        endpoint = client.endpoint
    assert (endpoint.model, endpoint.request_format, endpoint.seconds_type) == ("wan-2.2", "json", "integer")
    assert endpoint.credentials() == {"api-key": "a-long-key", "x-a": "1"}
    assert endpoint.query == {"api-version": "2"}
    assert endpoint.timeout == Timeouts(read=5)
    assert endpoint.verify is False
    assert endpoint.requests_per_minute == 30
    assert len(endpoint.result_hosts.entries) == 2
    with connect("videos://:a-long-key@gpu/v1?model=wan&timeout=7&verify=true").get_conn() as client:
        assert client.endpoint.model == "wan"
        assert client.endpoint.timeout == Timeouts(7, 7, 7)
        assert client.endpoint.verify is True


def test_an_empty_form_means_the_defaults(connect):
    fields = ["model", "request_format", "seconds_type", "headers", "query", "timeout", "verify"]
    fields += ["requests_per_minute", "result_hosts"]
    with (
        connect({**GPU, "extra": dict.fromkeys(fields, "")}).get_conn() as given,
        connect({**GPU, "extra": dict.fromkeys(fields)}).get_conn() as null,
        connect(GPU).get_conn() as absent,
    ):
        assert given.endpoint == null.endpoint == absent.endpoint


def test_a_server_without_keys_is_reached_when_told_so(connect):
    with connect({"host": "http://gpu/v1", "extra": {"auth_header": ""}}).get_conn() as client:
        assert client.endpoint.credentials() == {}


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"password": "a-long-key"}, "base URL"),
        ({"host": "http://gpu/v1"}, "no key"),
        ({"host": "http://gpu/v1", "password": "  "}, "no key"),
        ({**GPU, "host": "http://gpu:port/v1"}, "not an address"),
        ({**GPU, "host": "http://gpu/v1?key=k"}, "`query`"),
        ({**GPU, "extra": {"request_format": "xml"}}, "multipart, json"),
        ({**GPU, "extra": {"seconds_type": "float"}}, "string, integer"),
        ({**GPU, "extra": {"headers": "x-a: 1"}}, "headers must be a JSON object"),
        ({**GPU, "extra": {"query": [1]}}, "query must be a JSON object"),
        ({**GPU, "extra": {"timeout": "soon"}}, "timeout"),
        ({**GPU, "extra": {"timeout": -1}}, "timeout"),
        ({**GPU, "extra": {"timeout": 0}}, "timeout"),
        ({**GPU, "extra": {"timeout": "inf"}}, "timeout"),
        ({**GPU, "extra": {"timeout": "nan"}}, "timeout"),
        ({**GPU, "extra": {"verify": "/nope.pem"}}, "nope.pem"),
        ({**GPU, "extra": {"verify": 1}}, "true, false or the path"),
        ({**GPU, "extra": {"requests_per_minute": 0}}, "a number above 0; got 0"),
        ({**GPU, "extra": {"requests_per_minute": "many"}}, "a number above 0; got 'many'"),
        ({**GPU, "extra": {"requests_per_minute": "inf"}}, "a number above 0"),
        ({**GPU, "extra": {"verify": __file__}}, "CA bundle"),
        ({**GPU, "extra": {"timeout": {"reed": 1}}}, "connect, read, total"),
    ],
)
def test_what_a_connection_lacks_is_said_with_its_name(connect, connection, words):
    with pytest.raises(errors.InvalidRequest, match=words) as caught:
        connect(connection).get_conn()
    assert "'my_server'" in str(caught.value)
    assert "a-long-key" not in str(caught.value)


async def test_a_missing_connection_is_named():
    with pytest.raises(errors.InvalidRequest, match=r"no connection 'nowhere'.*AIRFLOW_CONN_NOWHERE"):
        VideosHook("nowhere").get_conn()
    with pytest.raises(errors.InvalidRequest, match=r"no connection 'nowhere'.*AIRFLOW_CONN_NOWHERE"):
        await VideosHook("nowhere").get_async_conn()


async def test_both_clients_come_from_the_same_connection(connect):
    hook = connect(GPU)
    with hook.get_conn() as blocking:
        async with await hook.get_async_conn() as awaiting:
            assert blocking.endpoint == awaiting.endpoint


@pytest.mark.usefixtures("connection")
def test_the_doors_lead_to_the_client(videos_emulator):
    hook = VideosHook()
    bought = hook.create("A boat", seconds="4")
    videos_emulator.clock.advance(60)
    assert hook.retrieve(bought.id).id == bought.id
    remixed = hook.remix(bought.id, "A red boat")
    assert {video.id for video in hook.list(limit=1)} == {bought.id, remixed.id}
    with hook.download_content(bought.id, variant="thumbnail") as content:
        assert b"WEBP" in b"".join(content.chunks)[:12]
    assert hook.delete(bought.id).deleted


class TestTestConnection:
    @pytest.mark.usefixtures("connection")
    def test_a_good_one_names_the_models(self, videos_emulator):
        works, words = VideosHook().test_connection()
        assert works
        assert "emulated-1" in words
        assert videos_emulator.purchases == []

    @pytest.mark.usefixtures("connection")
    @pytest.mark.parametrize(
        ("effect", "hint"),
        [
            (Answer(status=404), "does the base URL end in /v1?"),
            (Answer(status=401), "check the key"),
            (Answer(status=500, body="boom"), "boom"),
            (Drop(), "is the server up?"),
            (Answer(status=200, body="<html>"), "login page"),
            (Answer(status=302, headers={"Location": "/login"}), "redirects"),
        ],
    )
    def test_a_bad_one_says_what_to_do(self, videos_emulator, effect, hint):
        videos_emulator.inject(Fault(effect, times=None))
        works, words = VideosHook().test_connection()
        assert not works
        assert hint in words
        assert videos_emulator.record.requests.total() == 1

    @pytest.mark.usefixtures("connection")
    def test_a_server_that_lists_no_models_is_fine(self, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=200, body={"status": "ok"})))
        assert VideosHook().test_connection()[0]

    def test_an_incomplete_one_says_what_is_missing(self, connect):
        works, words = connect({"host": "http://gpu/v1"}).test_connection()
        assert not works
        assert "no key" in words


class TestMasking:
    """What a connection's extra holds shows up in no log."""

    EXTRA: ClassVar = {
        "headers": {
            "x-tenant": "acme-film",
            "x-subscription": "0123456789abcdef0123",
            "x-api-key": "short-key",
        },
        "query": {"sig": "query-secret", "api-version": "2025-01-01"},
    }
    SECRETS = ("a-long-key", "0123456789abcdef0123", "short-key", "query-secret")

    @pytest.fixture(autouse=True)
    def _fresh_masks(self):
        reset_secrets_masker()
        yield
        reset_secrets_masker()

    async def test_secrets_of_headers_and_query_are_masked_in_logs(self, connect):
        hook = connect({**GPU, "extra": self.EXTRA})
        line = " ".join((*self.SECRETS, "acme-film", "2025-01-01"))
        with hook.get_conn():
            assert redact(line) == "*** *** *** *** acme-film 2025-01-01"
        reset_secrets_masker()
        async with await connect({**GPU, "extra": self.EXTRA}).get_async_conn():
            assert redact(line) == "*** *** *** *** acme-film 2025-01-01"

    def test_what_the_server_repeats_of_them_is_not_passed_on(self, connect, videos_emulator):
        extra = {**self.EXTRA, "headers": {"Authorization": "Bearer repeated-key", **self.EXTRA["headers"]}}
        words = f"{' '.join(self.SECRETS)} repeated-key for acme-film"
        videos_emulator.inject(Fault(Answer(status=403, body={"detail": words}), times=None))
        hook = connect({"host": videos_emulator.base_url, "password": "a-long-key", "extra": extra})
        with pytest.raises(errors.Unauthorized) as caught:
            hook.retrieve("v")
        assert not [secret for secret in (*self.SECRETS, "repeated-key") if secret in str(caught.value)]
        assert "acme-film" in str(caught.value)
