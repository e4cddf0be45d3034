from __future__ import annotations

import json
import pickle
import re
import socket
from inspect import isawaitable
from typing import ClassVar

import pytest
from airflow.sdk._shared.secrets_masker import redact, reset_secrets_masker
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.secrets import BaseSecretsBackend

from airflow_provider_videos.adapters.names import Connection
from airflow_provider_videos.api import errors
from airflow_provider_videos.api.clock import use_clock
from airflow_provider_videos.api.endpoint import Timeouts
from airflow_provider_videos.emulator import Answer, Drop, Fault
from airflow_provider_videos.hooks.videos import VideosHook
from tests.supervisor import MISSING, STORED, STUMBLES, Supervisor
from tests.turned_time import TurnedTime


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


IPV6 = {"password": "a-long-key"}


@pytest.mark.parametrize(
    "connection",
    [
        "videos://http://:a-long-key@[2001:db8::1]:8000/v1",
        "videos://:a-long-key@[2001:db8::1]:8000/v1",
        "videos://:a-long-key@[2001:DB8:0::1]:8000/v1",
        "videos://:a-long-key@%5B2001%3Adb8%3A%3A1%5D:8000/v1",
        "videos://:a-long-key@2001%3Adb8%3A%3A1:8000/v1",
        "videos://:a-long-key@http%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D%3A8000%2Fv1",
        "videos://:a-long-key@http%3A%2F%2F%5B2001%3Adb8%3A%3A1%5D:8000/v1",
        {**IPV6, "host": "2001:db8::1", "port": 8000, "schema": "v1"},
        {**IPV6, "host": "2001:db8::1/v1", "port": 8000},
        {**IPV6, "host": "2001:DB8::1/v1/", "port": 8000, "schema": "HTTP"},
        {**IPV6, "host": "[2001:db8::1]", "port": 8000, "schema": "/v1/"},
        {**IPV6, "host": "[2001:db8::1]:8000/v1"},
        {**IPV6, "host": "[2001:db8::1]:8000", "schema": "v1"},
        {**IPV6, "host": "http://2001:db8::1", "port": 8000, "schema": "v1"},
        {**IPV6, "host": " HTTP://[2001:DB8::0001]:8000/v1/ "},
        {**IPV6, "host": "http://[2001:db8::1]/v1", "port": 8000},
    ],
)
def test_every_form_of_an_ipv6_address_gives_one_base_url(connect, connection):
    with connect(connection).get_conn() as client:
        assert client.endpoint.base_url.rstrip("/") == "http://[2001:db8::1]:8000/v1"
        assert client.endpoint.api_key == "a-long-key"


@pytest.mark.parametrize(
    ("connection", "base_url"),
    [
        ("videos://https://:a-long-key@[::1]/v1", "https://[::1]/v1"),
        ("videos://https://:a-long-key@[::1]", "https://[::1]"),
        ({**IPV6, "host": "::1", "schema": "https"}, "https://[::1]"),
        ({**IPV6, "host": "::1", "port": 443, "schema": "https"}, "https://[::1]:443"),
        ({**IPV6, "host": "::ffff:192.0.2.1", "port": 80, "schema": "http"}, "http://[::ffff:c000:201]:80"),
        # A zone is resolved as it is, never with the %25 that a URL writes for its %.
        ("videos://:a-long-key@[fe80::1%25eth0]:8000/v1", "http://[fe80::1%eth0]:8000/v1"),
        ({**IPV6, "host": "fe80::1%eth0", "port": 8000, "schema": "v1"}, "http://[fe80::1%eth0]:8000/v1"),
        ({**IPV6, "host": "http://[fe80::1%25eth0]:8000/v1"}, "http://[fe80::1%eth0]:8000/v1"),
    ],
)
def test_an_ipv6_address_is_written_with_brackets(connect, connection, base_url):
    with connect(connection).get_conn() as client:
        assert client.endpoint.base_url.rstrip("/").replace("::ffff:192.0.2.1", "::ffff:c000:201") == base_url


@pytest.mark.parametrize("connection", [GPU, {**IPV6, "host": "::1", "port": 8000, "schema": "v1"}])
def test_a_connection_is_the_same_after_airflow_has_made_a_uri_of_it(connect, connection):
    # As the button Test in the UI does.
    uri = Connection(conn_id="v", conn_type="videos", **connection).get_uri()
    assert connect(uri).get_conn().endpoint == connect(connection).get_conn().endpoint


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


@pytest.mark.parametrize(
    "extra", [{"auth_header": ""}, {"auth_header": "none"}, {"key_header": "None"}, {"key_header": " none "}]
)
def test_a_server_without_keys_is_reached_when_told_so(connect, extra):
    with connect({"host": "http://gpu/v1", "extra": extra}).get_conn() as client:
        assert client.endpoint.credentials() == {}


@pytest.mark.parametrize(
    ("extra", "sent"),
    [
        ({}, {"Authorization": "Bearer a-long-key"}),
        ({"key_header": None, "auth_scheme": None}, {"Authorization": "Bearer a-long-key"}),
        ({"key_header": "", "auth_header": "x-key"}, {"x-key": "Bearer a-long-key"}),
        ({"key_header": "api-key", "auth_scheme": "none"}, {"api-key": "a-long-key"}),
        ({"key_header": "api-key", "auth_scheme": ""}, {"api-key": "a-long-key"}),
        ({"key_header": "api-key", "auth_header": "Authorization"}, {"api-key": "Bearer a-long-key"}),
        ({"auth_scheme": "Token"}, {"Authorization": "Token a-long-key"}),
    ],
)
def test_the_key_goes_into_the_header_that_either_field_names(connect, extra, sent):
    with connect({**GPU, "extra": extra}).get_conn() as client:
        assert client.endpoint.credentials() == sent


class TestAMaskInsteadOfAValue:
    """The form of Airflow 3.3 saved its own mask where a field's name is one that it hides."""

    @pytest.mark.parametrize(
        ("extra", "named"),
        [
            ({"auth_header": "***"}, "auth_header"),
            ({"key_header": "***", "auth_header": "***"}, "key_header, auth_header"),
            ({"auth_scheme": "***"}, "auth_scheme"),
            ({"model": "***-video"}, "model"),
            ({"headers": "***"}, "headers"),
            ({"headers": {"api-key": "***"}}, "headers.api-key"),
            ({"headers": '{"x-tenant": "Bearer ***"}'}, "headers.x-tenant"),
            ({"query": {"sig": "***"}}, "query.sig"),
            ({"timeout": "***", "verify": "***"}, "timeout, verify"),
            ({"requests_per_minute": "***", "request_format": "***"}, "requests_per_minute, request_format"),
        ],
    )
    def test_it_is_read_as_an_empty_field_and_named(self, connect, extra, named, caplog):
        with connect(GPU).get_conn() as plain, connect({**GPU, "extra": extra}).get_conn() as client:
            assert client.endpoint == plain.endpoint
        (record,) = caplog.records
        assert f"'my_server': {named}: " in record.getMessage()

    def test_what_stands_beside_it_is_kept(self, connect):
        extra = {"headers": {"api-key": "***", "x-a": "b"}, "query": {"v": "1", "sig": "***"}}
        with connect({**GPU, "extra": extra}).get_conn() as client:
            assert client.endpoint.headers == {"x-a": "b"}
            assert client.endpoint.query == {"v": "1"}

    def test_no_key_is_that(self, connect):
        with pytest.raises(errors.InvalidRequest, match="'my_server': its password is Airflow's mask"):
            connect({**GPU, "password": "***"}).get_conn()


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


async def test_one_that_cannot_be_parsed_is_not_called_missing(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"conn_type": "videos", "password": "a-long-key"')
    for read in (VideosHook("broken").get_conn, VideosHook("broken").get_async_conn):
        with pytest.raises(errors.InvalidRequest, match="AIRFLOW_CONN_BROKEN is neither") as caught:
            await pending if isawaitable(pending := read()) else None
        assert "a-long-key" not in str(caught.value)


class TestAirflowStumbles:
    """Airflow says "not found" of a connection also where it could not look."""

    @pytest.fixture
    def supervised(self, monkeypatch):
        def supervised(*answers):
            supervisor = Supervisor(*answers)
            monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
            return supervisor

        with use_clock(TurnedTime().clock):
            yield supervised

    async def test_it_is_not_a_connection_that_is_missing(self, supervised):
        supervisor = supervised(STUMBLES)
        with pytest.raises(errors.NotConnected, match=r"'stored' could not be read.*API_SERVER_ERROR"):
            VideosHook("stored").get_conn()
        assert supervisor.asked == 6
        with pytest.raises(errors.NotConnected, match=r"'stored' could not be read.*API_SERVER_ERROR"):
            await VideosHook("stored").get_async_conn()

    def test_it_is_asked_again(self, supervised):
        supervised(STUMBLES, STUMBLES, STUMBLES, STORED)
        with VideosHook("stored").get_conn() as client:
            assert client.endpoint.base_url == "http://gpu/v1"

    def test_an_answer_at_the_second_look_is_no_missing_connection_either(self, supervised):
        supervised(STUMBLES, STORED)
        with VideosHook("stored").get_conn() as client:
            assert client.endpoint.conn_id == "stored"

    async def test_one_that_is_missing_is_asked_for_no_longer(self, supervised):
        supervisor = supervised(MISSING)
        with pytest.raises(errors.InvalidRequest, match="no connection 'stored'"):
            VideosHook("stored").get_conn()
        assert supervisor.asked == 2
        with pytest.raises(errors.InvalidRequest, match="no connection 'stored'"):
            await VideosHook("stored").get_async_conn()

    @pytest.mark.parametrize("kind", [ErrorType.GENERIC_ERROR, ErrorType.PERMISSION_DENIED])
    async def test_any_other_answer_is_an_error_of_ours(self, supervised, kind):
        supervised(ErrorResponse(error=kind, detail={"secret": "words"}))
        for read in (VideosHook("stored").get_conn, VideosHook("stored").get_async_conn):
            with pytest.raises(errors.NotConnected) as caught:
                await pending if isawaitable(pending := read()) else None
            assert "words" not in str(caught.value)

    def test_a_secrets_backend_that_fails_is_named_without_its_words(self, monkeypatch, supervised):
        monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.BrokenVault")
        supervised(MISSING)
        with pytest.raises(errors.NotConnected, match="BrokenVault: RuntimeError") as caught:
            VideosHook("stored").get_conn()
        assert "token" not in str(caught.value)


class BrokenVault(BaseSecretsBackend):
    def get_connection(self, conn_id, team_name=None):
        raise RuntimeError("the vault wants another token")


class TestErrorsNameTheServer:
    @pytest.mark.parametrize("status", [401, 403, 404, 410, 302])
    async def test_that_may_be_the_wrong_one(self, connect, videos_emulator, status):
        videos_emulator.inject(Fault(Answer(status=status, headers={"location": "/login"}), times=None))
        address = videos_emulator.base_url.removesuffix("/v1")
        hook = connect({"host": videos_emulator.base_url, "password": "a-long-key"})
        with pytest.raises(errors.AnswerError, match=f"; connection 'my_server', {address} ") as caught:
            hook.retrieve("v")
        assert "a-long-key" not in str(caught.value)
        async with await hook.get_async_conn() as client:
            with pytest.raises(errors.AnswerError, match=f"; connection 'my_server', {address} "):
                await client.retrieve("v")

    @pytest.mark.parametrize(
        ("host", "address"),
        [
            ("http://127.0.0.1:{port}/v1", "http://127.0.0.1:{port}"),
            ("http://[::1]:{port}/v1", r"http://\[::1\]:{port}"),
            ("https://127.0.0.1:{port}/secret/v1", "https://127.0.0.1:{port} "),
        ],
    )
    def test_that_cannot_be_reached(self, connect, host, address, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        hook = connect({"host": host.format(port=port), "password": "a-long-key", "extra": {"timeout": 1}})
        with pytest.raises(errors.NotConnected) as caught:
            hook.retrieve("v")
        assert re.search(f"; connection 'my_server', {address.format(port=port)}", str(caught.value))
        assert "a-long-key" not in str(caught.value)
        assert f":{port}" in hook.test_connection()[1]

    def test_an_error_that_concerns_the_request_alone_does_not(self, connect, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=400, body={"detail": "no such size"}), times=None))
        hook = connect({"host": videos_emulator.base_url, "password": "a-long-key"})
        with pytest.raises(errors.Refused) as caught:
            hook.create("A boat")
        assert "my_server" not in str(caught.value)

    def test_it_is_named_after_a_journey_to_another_process(self, connect, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=401), times=None))
        with pytest.raises(errors.Unauthorized) as caught:
            connect({"host": videos_emulator.base_url, "password": "a-long-key"}).retrieve("v")
        again = pickle.loads(pickle.dumps(caught.value))
        assert str(again) == str(caught.value)


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
    """Values in a connection's extra show up in no log."""

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
