from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from airflow_provider_videos.api.addresses import (
    Reach,
    ResultHosts,
    check_address,
    check_peer,
    literal_of,
    reach_of,
)
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.errors import InvalidRequest, Refused

PUBLIC = "https://videos.example/v1"


@pytest.fixture(autouse=True)
def names(monkeypatch):
    """What names lead to, without asking anybody."""
    known = {"videos.example": "93.184.216.34", "gpu-box": "10.0.0.5", "metadata": "169.254.169.254"}

    def getaddrinfo(host, port, *args, **kwargs):
        if host in known:
            host = known[host]
        return real(host, port, *args, **kwargs)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def endpoint(base_url=PUBLIC, *hosts):
    return Endpoint(base_url, api_key="sk-12345678", result_hosts=ResultHosts.parse(hosts))


def is_followed(server, url, peer=None):
    """Whether an address is asked, by what it says and by where it leads."""
    try:
        check_address(server, httpx.URL(url))
        if peer:
            check_peer(server, httpx.URL(url), peer)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("127.0.0.1", Reach.HOST),
        ("127.9.9.9", Reach.HOST),
        ("0.0.0.0", Reach.HOST),
        ("::1", Reach.HOST),
        ("::", Reach.HOST),
        ("::ffff:127.0.0.1", Reach.HOST),
        ("::127.0.0.1", Reach.HOST),
        ("64:ff9b::7f00:1", Reach.HOST),
        ("169.254.169.254", Reach.LINK),
        ("::ffff:169.254.169.254", Reach.LINK),
        ("fe80::1", Reach.LINK),
        ("10.1.2.3", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("224.0.0.1", Reach.PRIVATE),
        ("240.0.0.1", Reach.PRIVATE),
        ("fd00::1", Reach.PRIVATE),
        ("ff02::1", Reach.PRIVATE),
        ("2002:0a00:0001::", Reach.PRIVATE),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("64:ff9b::a00:1", Reach.PRIVATE),
        ("93.184.216.34", Reach.PUBLIC),
        ("2606:2800:220:1::1", Reach.PUBLIC),
        ("::ffff:93.184.216.34", Reach.PUBLIC),
    ],
)
def test_an_address_is_in_one_part_of_the_net_however_it_is_wrapped(address, reach):
    assert reach_of(ipaddress.ip_address(address)) is reach


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "0X7F.0.0.1",
        ),
        *("localhost", "LOCALHOST", "localhost.", "a.localhost"),
    ],
)
def test_every_spelling_of_an_address_is_read(host):
    assert literal_of(host) == ipaddress.IPv4Address("127.0.0.1")


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0x7f.1", "localhost.", "[::ffff:7f00:1]"]
)
def test_no_spelling_leads_past_the_check(host):
    assert not is_followed(Endpoint("http://93.184.216.34/v1"), f"http://{host}/x.mp4")


@pytest.mark.parametrize("host", ["example.com", "1.2.3.4.5", "0x7g", "999.1.1.1", "abc"])
def test_a_name_is_no_address(host):
    assert literal_of(host) is None


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.9", "169.254.169.254", "::1", "fd00::9"])
def test_a_public_server_does_not_lead_to_private_addresses(inner):
    assert not is_followed(endpoint(), "https://cdn.example/x.mp4", inner)
    literal = f"[{inner}]" if ":" in inner else inner
    assert not is_followed(endpoint(), f"http://{literal}:8080/x.mp4", inner)


@pytest.mark.parametrize(
    ("server", "peer", "follows"),
    [
        ("http://127.0.0.1:8000/v1", "127.0.0.1", True),
        ("http://localhost:8000/v1", "::1", True),
        ("http://127.0.0.1:8000/v1", "10.0.0.9", True),
        ("http://127.0.0.1:8000/v1", "169.254.169.254", False),
        ("http://10.0.0.5:8000/v1", "10.0.0.9", True),
        ("http://gpu-box:8000/v1", "192.168.0.9", True),
        ("http://gpu-box:8000/v1", "127.0.0.1", False),
        ("http://gpu-box:8000/v1", "169.254.169.254", False),
        ("http://metadata/v1", "169.254.169.253", True),
        ("http://unknown.invalid/v1", "10.0.0.9", False),
        (PUBLIC, "93.184.216.35", True),
    ],
)
def test_a_server_with_a_private_address_leads_to_its_like(server, peer, follows):
    assert is_followed(endpoint(server), "http://store.example/x.mp4", peer) is follows


@pytest.mark.parametrize(
    ("hosts", "url", "peer", "follows"),
    [
        ("cdn.example", "https://cdn.example/x", "93.184.216.34", True),
        ("cdn.example", "https://CDN.example./x", "93.184.216.34", True),
        ("cdn.example", "https://other.example/x", "93.184.216.34", False),
        ("cdn.example", "https://cdn.example.evil.example/x", "93.184.216.34", False),
        ("cdn.example", "https://cdn.example@evil.example/x", "93.184.216.34", False),
        ("cdn.example", "https://cdn.example/x", "10.0.0.9", True),
        ("*.cdn.example", "https://a.cdn.example/x", "93.184.216.34", True),
        (".cdn.example", "https://a.cdn.example/x", "93.184.216.34", True),
        ("*.cdn.example", "https://cdn.example/x", "93.184.216.34", False),
        ("*.cdn.example", "https://evilcdn.example/x", "93.184.216.34", False),
        ("minio:9000", "http://minio:9000/x", "10.0.0.9", True),
        ("minio:9000", "http://minio/x", "10.0.0.9", False),
        ("cdn.example:443", "https://cdn.example/x", "93.184.216.34", True),
        ("10.0.0.0/8", "http://minio/x", "10.0.0.9", True),
        ("10.0.0.0/8", "http://10.0.0.9/x", "10.0.0.9", True),
        ("10.0.0.0/8", "http://minio/x", "192.168.0.9", False),
        ("10.0.0.0/8", "https://cdn.example/x", "93.184.216.34", False),
        ("10.0.0.9", "http://0x0a000009/x", "10.0.0.9", True),
        ("10.0.0.9", "http://[::ffff:10.0.0.9]/x", "::ffff:10.0.0.9", True),
        ("[::1]:9000", "http://[::1]:9000/x", "::1", True),
        ("*", "https://cdn.example/x", "93.184.216.34", True),
        ("*", "http://minio/x", "10.0.0.9", False),
        ("*,10.0.0.0/8", "http://minio/x", "10.0.0.9", True),
        ("cdn.example", f"{PUBLIC}/videos/v/content", "93.184.216.34", True),
    ],
)
def test_a_connection_limits_where_results_are(hosts, url, peer, follows):
    server = endpoint(PUBLIC, *hosts.split(","))
    assert is_followed(server, url, None if server.is_home_of(url) else peer) is follows


@pytest.mark.parametrize(
    "entry", ["https://cdn.example", "a b", "cdn.example/path", "h:port", "[::1", "user@h"]
)
def test_a_host_that_is_none_is_named(entry):
    with pytest.raises(InvalidRequest, match="result_hosts must be hosts such as"):
        ResultHosts.parse([entry])


def test_behind_a_proxy_numbers_are_judged_and_names_are_the_proxy_s(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    assert not is_followed(endpoint(), "http://10.0.0.9/x.mp4")
    assert is_followed(endpoint(), "http://cdn.example/x.mp4")
    assert not is_followed(endpoint(PUBLIC, "10.0.0.0/8"), "http://cdn.example/x.mp4")


def test_a_refusal_names_the_host_and_nothing_else():
    with pytest.raises(Refused) as caught:
        check_address(endpoint(PUBLIC, "cdn.example"), httpx.URL("https://u:pw@127.1/sk?sig=abc"))
    assert "127.1:443, which is none of the connection's result_hosts" in str(caught.value)
    assert not {"pw", "sig", "abc", "sk?"} & set(str(caught.value).split("/"))
    with pytest.raises(Refused, match="this machine's own address, while the server's own is not"):
        check_peer(endpoint(), httpx.URL("https://sk-12345678.evil.example/"), "127.0.0.1")


@contextmanager
def server(location):
    """A server that redirects, or sends a file where there is nothing to redirect to; yields its requests."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(302 if location else 200)
            if location:
                self.send_header("location", location)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"film")

        def log_message(self, *_):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield listening.server_port, asked
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def download(client):
    with client.download_content("v") as content:
        return b"".join(content.chunks)


def test_a_name_that_leads_to_a_private_address_is_not_asked(connect, monkeypatch):
    with server(None) as (port, asked), server(f"http://store.example:{port}/x.mp4?sig=1") as (home, _):
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *args, **kwargs: real(
                "127.0.0.1" if str(host).strip("b'") == "store.example" else host, *args, **kwargs
            ),
        )
        base = f"http://127.0.0.1:{home}/v1"
        assert download(connect(Endpoint(base))) == b"film"
        limited = Endpoint(base, result_hosts=ResultHosts.parse(["cdn.example"]))
        with pytest.raises(Refused, match="none of the connection's result_hosts"):
            download(connect(limited))
        elsewhere = Endpoint(base, result_hosts=ResultHosts.parse(["93.184.216.0/24"]))
        with pytest.raises(Refused, match=r"store.example:\d+, which is none of"):
            download(connect(elsewhere))
        assert len(asked) == 1
