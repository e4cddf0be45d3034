"""Mistakes of clients, and what faults have to survive."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_videos.emulator import AddHeaders, Answer, Cut, Emulator, Failed, Fault, Latency, Stall

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("method", "path", "content", "headers"),
    [
        ("GET", "/videos?limit=--5", b"", {}),
        ("GET", "/videos?limit=" + "9" * 5000, b"", {}),
        ("POST", "/videos", b"x", {"content-type": "multipart/form-data"}),
        ("POST", "/videos", b"garbage", {"content-type": "multipart/form-data; boundary=b"}),
        ("POST", "/videos", b'{"prompt": "\\ud800"}', {"content-type": "application/json"}),
        ("POST", "/videos", b'{"prompt": "x", "cfg": 1e999}', {"content-type": "application/json"}),
        ("POST", "/videos", b"[" * 200_000, {"content-type": "application/json"}),
    ],
)
def test_a_client_s_mistake_is_a_400_and_buys_nothing(
    client: httpx.Client,
    videos_emulator: Emulator,
    method: str,
    path: str,
    content: bytes,
    headers: Mapping[str, str],
) -> None:
    answer = client.request(method, path, content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
    assert videos_emulator.purchases == []
    assert client.get("/videos").status_code == 200


def test_a_prompt_too_long_for_the_contract_is_named_in_a_form_too(client: httpx.Client) -> None:
    answer = client.post("/videos", files={"prompt": (None, "x" * 2_000_000)})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "prompt"


@pytest.mark.parametrize("after_bytes", [0, 5, 1_000_000])
def test_a_cut_never_lets_the_whole_answer_through(
    client: httpx.Client, videos_emulator: Emulator, after_bytes: int
) -> None:
    videos_emulator.inject(Fault(Cut(after_bytes=after_bytes), operation="create"))
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/videos", json={"prompt": "A boat"})
    assert len(videos_emulator.purchases) == 1
    assert client.get("/videos").status_code == 200


def test_requests_behind_a_stalled_one_do_not_keep_it_from_stopping() -> None:
    with Emulator(api_key=None) as emulator:
        emulator.inject(Fault(Stall(), operation="list", times=None))
        host, port = emulator.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET /v1/videos HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            while not emulator.record.requests["list"]:
                pass


def test_a_job_s_fate_waits_for_a_job(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Failed()), Fault(Answer(status=429), operation="create"))
    assert client.post("/videos", json={"prompt": "A boat"}).status_code == 429
    bought = client.post("/videos", json={"prompt": "A boat"}).json()
    videos_emulator.clock.advance(60)
    assert client.get(f"/videos/{bought['id']}").json()["status"] == "failed"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Answer(status=700),
        lambda: Answer(status="503"),  # type: ignore[arg-type]
        lambda: Latency(seconds=-1),
        lambda: Latency(seconds="1"),  # type: ignore[arg-type]
        lambda: Cut(after_bytes=-1),
        lambda: Fault(Cut(), operation="lists"),
        lambda: Fault(Cut(), method="get"),
        lambda: Fault(Cut(), prompt=5),  # type: ignore[arg-type]
    ],
)
def test_a_fault_that_cannot_strike_is_refused(make) -> None:
    with pytest.raises(ValueError, match=r"got|texts"):
        make()


def test_headers_of_faults_are_texts(client: httpx.Client, videos_emulator: Emulator) -> None:
    raw = {"effect": {"kind": "add_headers", "headers": {"Retry-After": 5}}, "operation": "list"}
    videos_emulator.inject(Fault.from_json(raw), Fault(AddHeaders(headers={"Date": "then"}), times=None))
    answer = client.get("/videos")
    assert answer.headers["retry-after"] == "5"
    assert answer.headers.get_list("date") == ["then"]


def test_without_a_seed_chance_is_chance() -> None:
    patterns = set()
    for _ in range(3):
        with (
            Emulator(api_key=None, seed=None) as emulator,
            httpx.Client(base_url=emulator.base_url) as client,
        ):
            emulator.inject(Fault(Answer(status=503), operation="list", times=None, chance=0.5))
            patterns.add(tuple(client.get("/videos").status_code for _ in range(40)))
    assert len(patterns) == 3


def test_the_record_keeps_no_body_and_no_secret(client: httpx.Client, videos_emulator: Emulator) -> None:
    url = "data:image/png;base64," + "A" * 100_000
    client.post(
        "/videos", json={"prompt": "A boat", "extra": {"mask": url}}, headers={"x-goog-api-key": "hush"}
    )
    client.post(
        "/videos", files={"prompt": (None, "A boat"), "mask[image]": ("m.png", b"BYTES", "image/png")}
    )
    client.get("/videos?api_key=hush")
    record = json.dumps(videos_emulator.record.to_json())
    assert len(videos_emulator.purchases) == 2
    assert "AAAA" not in record
    assert "BYTES" not in record
    assert "hush" not in record
