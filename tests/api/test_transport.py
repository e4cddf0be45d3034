"""The way to a server: proxies, certificates, timeouts."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import Fault, Latency, Stall


class Server(ThreadingHTTPServer):
    """Answers every GET with a video; as a proxy it is told the whole address."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = json.dumps({"id": "v", "status": "queued"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(context: ssl.SSLContext | None = None):
    with Server() as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody but its own file vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as server:
        yield f"https://127.0.0.1:{server.server_port}/v1"


def test_a_certificate_nobody_vouches_for_is_refused(connect, secure):
    with pytest.raises(errors.NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
        connect(Endpoint(secure), Backoff(attempts=1)).retrieve("v")


def test_verify_takes_a_ca_bundle(connect, secure, certificate):
    assert connect(Endpoint(secure, verify=str(certificate))).retrieve("v").id == "v"


def test_verify_can_be_off(connect, secure):
    assert connect(Endpoint(secure, verify=False)).retrieve("v").id == "v"


def test_the_proxy_of_the_environment_is_used(connect, monkeypatch):
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        assert connect(Endpoint("http://gpu.invalid/v1")).retrieve("v").id == "v"
        assert proxy.asked == ["http://gpu.invalid/v1/videos/v"]


def test_no_proxy_is_respected(connect, endpoint, monkeypatch, videos_emulator):
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        connect(endpoint).create("A boat")
        assert proxy.asked == []
        assert len(videos_emulator.purchases) == 1


def test_a_file_may_take_longer_to_begin_than_to_go_on(connect, endpoint, videos_emulator):
    client = connect(replace(endpoint, timeout=Timeouts(read=0.1, total=10)), Backoff(attempts=1, total=10))
    videos_emulator.serve_bytes(5_000_000)
    bought = client.create("A boat")
    videos_emulator.clock.advance(60)
    videos_emulator.inject(Fault(Latency(seconds=0.3), operation="content"))
    with client.download_content(bought.id) as content:
        assert sum(map(len, content.chunks)) == 5_000_000
    videos_emulator.inject(Fault(Stall(after_bytes=2_000_000), operation="content"))
    with (
        pytest.raises(errors.TransportError, match="broke off"),
        client.download_content(bought.id) as content,
    ):
        list(content.chunks)


def test_a_silent_server_is_left_after_the_read_timeout(connect, endpoint, videos_emulator):
    videos_emulator.inject(Fault(Stall(), operation="retrieve"))
    hasty = replace(endpoint, timeout=Timeouts(read=0.05))
    with pytest.raises(errors.TransportError, match="ReadTimeout"):
        connect(hasty, Backoff(attempts=1)).retrieve("v")


NO_PROXY = [
    *(
        "*",
        " 127.0.0.1 ",
        "localhost,127.0.0.1,fd00::/8",
        "[::1],127.0.0.1",
        "fd00::/8 127.0.0.0/8",
        "a,127.0.0.1:{port}",
    ),
    *("http://127.0.0.1", "all://127.0.0.1", "[::,127.0.0.1", "%,::1%eth0,127.0.0.1"),
]


@pytest.mark.parametrize("exempt", NO_PROXY)
def test_what_no_proxy_names_goes_straight(connect, monkeypatch, exempt):
    with serving() as proxy, serving() as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("NO_PROXY", exempt.format(port=server.server_port))
        connect(Endpoint(f"http://127.0.0.1:{server.server_port}/v1")).retrieve("v")
        assert (len(proxy.asked), len(server.asked)) == (0, 1)


@pytest.mark.parametrize(
    "exempt", ["", "[::1]", "fd00::/8", "10.0.0.0/8", "127.0.0.1:1", "https://127.0.0.1", "[", "."]
)
def test_what_no_proxy_does_not_name_goes_through_the_proxy(connect, monkeypatch, exempt):
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("NO_PROXY", exempt)
        connect(Endpoint("http://127.0.0.1:9/v1")).retrieve("v")
        assert len(proxy.asked) == 1


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "proxy",
    ["socks://u:pw@h:1", "socks4://h", "http://h:99999", "http://h:abc", "http://", "http://[::1", "ftp://h"],
)
def test_a_proxy_that_is_none_is_named_by_its_variable(connect, monkeypatch, name, proxy):
    monkeypatch.setenv(name, proxy)
    with pytest.raises(errors.InvalidRequest, match=f"variable {name} .*NO_PROXY") as raised:
        connect(Endpoint("http://gpu.invalid/v1"))
    assert "pw" not in str(raised.value)
    monkeypatch.setenv("NO_PROXY", "gpu.invalid")
    connect(Endpoint("http://gpu.invalid/v1"))


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_matter_to_https_alone(connect, monkeypatch, name):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(name, "/nonexistent/ca")
    connect(Endpoint("http://gpu.invalid/v1"))
    connect(Endpoint("https://gpu.invalid/v1", verify=False))
    with pytest.raises(errors.InvalidRequest, match=f"{name} .*nonexistent"):
        connect(Endpoint("https://gpu.invalid/v1"))


def test_an_unreachable_server_is_named(connect):
    with pytest.raises(
        errors.NotConnected, match=r"no answer from the server: ConnectError.*; http://127\.0\.0\.1:9"
    ):
        connect(Endpoint("http://127.0.0.1:9/v1"), Backoff(attempts=1)).retrieve("v")


def test_an_answer_s_headers_are_not_logged_at_debug(connect, endpoint, caplog):
    with caplog.at_level("DEBUG"):
        connect(endpoint).list_models()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("httpcore")]
    assert "receive_response_headers.complete" in lines
    assert not [line for line in lines if "x-request-id" in line or "return_value" in line]
