"""Each kind of fault as a client meets it, and what it leaves on record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_videos.emulator import (
    AddHeaders,
    AlterPrompts,
    Answer,
    Cached,
    Corrupt,
    Cut,
    Drop,
    Emulator,
    Expires,
    Failed,
    Fault,
    Latency,
    ListedLate,
    Lost,
    ManualClock,
    Moderated,
    SecondsAs,
    ShiftTimes,
    Stall,
    Stuck,
)
from tests.emulator.videos_contract import connect

if TYPE_CHECKING:
    from airflow_provider_videos.emulator.faults import JobEffect, WireEffect


def buy(client: httpx.Client, prompt: str = "a cat") -> httpx.Response:
    return client.post("/videos", json={"prompt": prompt})


def finished(client: httpx.Client, emulator: Emulator, prompt: str = "a cat") -> str:
    identity: str = buy(client, prompt).json()["id"]
    emulator.clock.advance(6)
    return identity


def test_an_answer_takes_the_place_of_the_right_one(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Answer(status=429, headers={"Retry-After": "7"}), operation="create"))

    refused, accepted = buy(client), buy(client)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.headers["x-request-id"].startswith("req_")
    assert accepted.status_code == 200
    assert len(videos_emulator.purchases) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ({"detail": "no"}, "application/json", '{"detail":"no"}'),
        ("Bad gateway", "text/plain; charset=utf-8", "Bad gateway"),
        (b"\x00\x01", "application/octet-stream", "\x00\x01"),
        ("", "text/plain; charset=utf-8", ""),
    ],
)
def test_an_answer_has_any_body(
    body: object, content_type: str, text: str, client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(Answer(status=502, body=body), operation="list"))

    response = client.get("/videos")

    assert (response.status_code, response.headers["content-type"], response.text) == (
        502,
        content_type,
        text,
    )


def test_an_accepted_purchase_can_look_refused(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Answer(status=502, accepted=True), operation="create"))

    assert buy(client).status_code == 502
    assert len(videos_emulator.purchases) == 1
    assert videos_emulator.record.exchanges[-1].status == 502


def test_headers_are_added(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(AddHeaders(headers={"openai-poll-after-ms": "50"}), operation="retrieve"))

    assert client.get(f"/videos/{buy(client).json()['id']}").headers["openai-poll-after-ms"] == "50"


def test_latency_is_outlived_by_the_purchase(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Latency(seconds=0.05), operation="create"))
    started = time.monotonic()

    assert buy(client).status_code == 200
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection_hides_whether_it_bought(
    accepted: bool, reset: bool, client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(Drop(accepted=accepted, reset=reset), operation="create"))

    with pytest.raises(httpx.ReadError if reset else httpx.RemoteProtocolError):
        buy(client)

    assert len(videos_emulator.purchases) == int(accepted)
    assert videos_emulator.record.exchanges[-1].status is None
    assert buy(client).status_code == 200
    assert videos_emulator.record.connections == 2


def test_a_cut_file_ends_after_so_many_bytes(client: httpx.Client, videos_emulator: Emulator) -> None:
    place = f"/videos/{finished(client, videos_emulator)}/content"
    videos_emulator.serve_bytes(1_000_000)
    videos_emulator.inject(Fault(Cut(after_bytes=300_000), operation="content"))
    got: list[bytes] = []

    with client.stream("GET", place) as response, pytest.raises(httpx.RemoteProtocolError):
        got.extend(response.iter_raw())

    assert response.headers["content-length"] == "1000000"
    assert len(b"".join(got)) == 300_000
    assert videos_emulator.record.exchanges[-1].bytes_sent == 300_000


def test_a_corrupt_file_differs_in_one_byte(client: httpx.Client, videos_emulator: Emulator) -> None:
    identity = finished(client, videos_emulator)
    videos_emulator.serve_bytes(3_000_000)
    videos_emulator.inject(Fault(Corrupt(at_byte=2_000_000), operation="content"))
    corrupt, right = (client.get(f"/videos/{identity}/content").content for _ in range(2))
    assert len(corrupt) == len(right)
    assert [at for at in range(len(right)) if right[at] != corrupt[at]] == [2_000_000]


def test_a_cut_answer_is_no_json(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Cut(after_bytes=10), operation="create"))

    with pytest.raises(httpx.RemoteProtocolError, match="received 10 bytes"):
        buy(client)

    assert len(videos_emulator.purchases) == 1


@pytest.mark.parametrize("after_bytes", [None, 0, 10])
def test_a_stall_hangs_until_the_client_gives_up(
    after_bytes: int | None, client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(Stall(after_bytes=after_bytes), operation="list"))

    with pytest.raises(httpx.ReadTimeout):
        client.get("/videos", timeout=0.1)

    assert videos_emulator.record.exchanges[-1].status == (None if after_bytes is None else 200)


def test_a_stalled_emulator_still_stops() -> None:
    with Emulator() as emulator, httpx.Client(base_url=emulator.base_url) as client:
        emulator.inject(Fault(Stall()))
        with pytest.raises(httpx.ReadTimeout):
            client.get("/videos", timeout=0.05)


def test_a_stuck_job_never_progresses(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Stuck(progress=99)))
    place = f"/videos/{buy(client).json()['id']}"
    videos_emulator.clock.advance(1_000_000)

    video = client.get(place).json()

    assert (video["status"], video["progress"]) == ("in_progress", 99)
    assert client.get(f"{place}/content").status_code == 404


@pytest.mark.parametrize(
    ("effect", "code"),
    [(Failed(code="content_filter", message="No."), "content_filter"), (Moderated(), "moderation_blocked")],
)
def test_a_failed_job_says_why(
    effect: Failed, code: str, client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(effect, prompt="cat"))

    bad, good = (client.get(f"/videos/{finished(client, videos_emulator, p)}") for p in ("a cat", "a dog"))

    assert bad.status_code == 200
    assert (bad.json()["status"], bad.json()["error"]["code"]) == ("failed", code)
    assert bad.json()["completed_at"] is None
    assert good.json()["status"] == "completed"


def test_files_expire_early(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Expires(after=10)))
    place = f"/videos/{finished(client, videos_emulator)}"
    videos_emulator.clock.advance(10)

    video, content = client.get(place).json(), client.get(f"{place}/content")

    assert video["expires_at"] == video["completed_at"] + 10
    assert content.status_code == 404
    assert content.json()["error"]["message"].startswith("The video is no longer available.")


def test_a_lost_job_is_not_found(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Lost(after=3)))
    place = f"/videos/{buy(client).json()['id']}"

    before = client.get(place).status_code
    videos_emulator.clock.advance(3)

    assert (before, client.get(place).status_code) == (200, 404)
    assert client.get("/videos").json()["data"] == []


def test_a_list_can_be_late(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(ListedLate(after=5)))
    identity = buy(client).json()["id"]

    before = client.get("/videos").json()["data"]
    videos_emulator.clock.advance(5)

    assert before == []
    assert client.get(f"/videos/{identity}").status_code == 200
    assert [video["id"] for video in client.get("/videos").json()["data"]] == [identity]


def listed(client: httpx.Client, **headers: str) -> tuple[list[str], str | None, str]:
    answer = client.get("/videos", headers=headers)
    return (
        [video["id"] for video in answer.json()["data"]],
        answer.headers.get("age"),
        answer.headers["date"],
    )


def test_a_cached_list_shows_what_was_there_and_how_old_it_is(
    client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(Cached(seconds=30), operation="list", times=None))
    first = buy(client).json()["id"]
    ids, age, date = listed(client)
    second = buy(client).json()["id"]
    videos_emulator.clock.advance(29)

    assert (ids, age) == ([first], None)
    assert listed(client) == ([first], "29", date)
    videos_emulator.clock.advance(1)
    assert listed(client)[:2] == ([second, first], None)


def test_a_frozen_list_does_not_say_that_it_is_old(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(
        Fault(Cached(seconds=30, age=False, date=False), operation="list", times=None),
    )
    empty, _, date = listed(client)
    buy(client)
    videos_emulator.clock.advance(10)

    frozen, age, later = listed(client)
    assert (empty, frozen, age) == ([], [], None)
    assert later > date


@pytest.mark.parametrize(("obeys", "shown"), [(True, 1), (False, 0)])
def test_a_cache_may_heed_a_request_for_a_fresh_answer(
    obeys: bool, shown: int, client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(Cached(seconds=30, obeys=obeys), operation="list", times=None))
    listed(client)
    buy(client)

    assert len(listed(client, **{"cache-control": "no-cache"})[0]) == shown
    assert len(client.get("/videos", params={"limit": 5}).json()["data"]) == 1  # another address


def test_shifted_times_are_off_from_the_date(client: httpx.Client, videos_emulator: Emulator) -> None:
    video = client.get(f"/videos/{finished(client, videos_emulator)}").json()
    videos_emulator.inject(Fault(ShiftTimes(seconds=-7200), operation="list"))

    (shown,) = client.get("/videos").json()["data"]

    times = ("created_at", "completed_at", "expires_at")
    assert [shown[name] for name in times] == [video[name] - 7200 for name in times]
    assert {name: shown[name] for name in shown if name not in times} == {
        name: video[name] for name in video if name not in times
    }
    assert client.get("/videos").json()["data"] == [video]


PROMPT = "Un café <b>\u00e0</b> Vienne"


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("cut", "Un café <b>"),
        ("elided", "Un café <b>..."),
        ("escaped", "Un café &lt;b&gt;à&lt;/b&gt; Vienne"),
        ("lower", "un café <b>à</b> vienne"),
        ("nfc", PROMPT),
        ("nfd", "Un cafe\u0301 <b>a\u0300</b> Vienne"),
        ("masked", "*" * len(PROMPT)),
        ("absent", None),
    ],
)
def test_prompts_are_shown_altered(
    how: str, shown: str | None, client: httpx.Client, videos_emulator: Emulator
) -> None:
    buy(client, PROMPT)
    videos_emulator.inject(Fault(AlterPrompts(how=how), times=None))

    (video,) = client.get("/videos").json()["data"]

    assert video.get("prompt") == shown
    assert videos_emulator.purchases[0].fields["prompt"] == PROMPT


@pytest.mark.parametrize(("how", "holds"), [("rewritten", True), ("other", False)])
def test_prompts_are_shown_rewritten(
    how: str, holds: bool, client: httpx.Client, videos_emulator: Emulator
) -> None:
    identity = buy(client, "a paper boat").json()["id"]
    videos_emulator.inject(Fault(AlterPrompts(how=how), operation="retrieve"))

    shown = client.get(f"/videos/{identity}").json()["prompt"]

    assert ("paper boat" in shown, shown == "a paper boat") == (holds, False)


@pytest.mark.parametrize(("kind", "shown"), [("integer", 4), ("float", 4.0), ("text", "4.0")])
def test_seconds_are_shown_as_another_type(
    kind: str, shown: object, client: httpx.Client, videos_emulator: Emulator
) -> None:
    buy(client)
    videos_emulator.inject(Fault(SecondsAs(type=kind), operation="list"))

    (video,) = client.get("/videos").json()["data"]

    assert (video["seconds"], type(video["seconds"])) == (shown, type(shown))


@pytest.mark.parametrize("effect", [ShiftTimes(seconds=5), AlterPrompts(how="cut"), SecondsAs(type="float")])
def test_what_is_no_video_is_not_changed(
    effect: WireEffect, client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(effect, times=None))

    missing, models = client.get("/videos/video_0"), client.get("/models")

    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "invalid_request_error")
    assert models.json()["data"][0]["id"] == "emulated-1"


@pytest.mark.parametrize(
    ("marker", "status"), [("[fail]", "failed"), ("[moderate]", "failed"), ("[stuck]", "in_progress")]
)
def test_a_word_in_the_prompt_is_enough(
    marker: str, status: str, client: httpx.Client, videos_emulator: Emulator
) -> None:
    identity = finished(client, videos_emulator, f"a cat {marker}")

    assert client.get(f"/videos/{identity}").json()["status"] == status


def test_a_fault_strikes_from_the_nth_match_so_many_times(
    client: httpx.Client, videos_emulator: Emulator
) -> None:
    videos_emulator.inject(Fault(Answer(status=500), operation="list", nth=2, times=2))

    assert [client.get("/videos").status_code for _ in range(5)] == [200, 500, 500, 200, 200]


@pytest.mark.parametrize(
    ("target", "struck"),
    [
        ({"method": "DELETE"}, "delete"),
        ({"operation": "list"}, "list"),
        ({"path": "/content"}, "content"),
        ({"prompt": "cat", "method": "GET"}, "retrieve"),
    ],
)
def test_a_fault_strikes_where_it_is_aimed(
    target: dict[str, str], struck: str, client: httpx.Client, videos_emulator: Emulator
) -> None:
    place = f"/videos/{buy(client).json()['id']}"
    videos_emulator.inject(Fault(Answer(status=418), times=None, **target))  # type: ignore[arg-type]  # all are texts

    client.get("/videos")
    client.get(place)
    if "prompt" not in target:
        client.get(f"{place}/content")
        client.delete(place)

    assert [e.operation for e in videos_emulator.record.exchanges if e.status == 418] == [struck]


def test_a_fault_meets_the_prompt_of_a_form_too(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(Fault(Answer(status=400), prompt="Café"))

    assert client.post("/videos", files={"prompt": (None, "Ein Café")}).status_code == 400


def test_chance_is_the_seeds() -> None:
    def run(seed: int) -> list[int]:
        with Emulator(seed=seed) as emulator, httpx.Client(base_url=emulator.base_url) as client:
            emulator.inject(Fault(Answer(status=500), times=None, chance=0.5))
            return [client.get("/models").status_code for _ in range(40)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 10 < run(1).count(500) < 30


def test_several_faults_add_up(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.inject(
        Fault(AddHeaders(headers={"x-one": "1"}), operation="list"),
        Fault(Answer(status=503), operation="list"),
    )

    response = client.get("/videos")

    assert (response.status_code, response.headers["x-one"]) == (503, "1")


@pytest.mark.parametrize(
    "effect",
    [
        Answer(status=500, body=b"\xff", headers={"a": "b"}, accepted=True),
        AddHeaders(headers={"a": "b"}),
        Latency(seconds=1),
        Drop(accepted=True, reset=True),
        Cut(after_bytes=3),
        Corrupt(at_byte=3),
        Cached(seconds=30, age=False, date=False, obeys=True),
        ShiftTimes(seconds=-3600),
        AlterPrompts(how="nfd"),
        SecondsAs(type="float"),
        Stall(after_bytes=3),
        Stuck(progress=3),
        Failed(code="a", message="b"),
        Moderated(),
        Expires(after=1),
        Lost(after=1),
        ListedLate(after=1),
    ],
)
def test_a_fault_survives_json(effect: WireEffect | JobEffect) -> None:
    fault = Fault(effect, operation="create", prompt="x", nth=2, times=None, chance=0.5)

    assert Fault.from_json(fault.to_json()) == fault


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"effect": {"kind": "gremlin"}},
        {"effect": {"kind": "cut", "bytes": 3}},
        {"effect": {"kind": "alter_prompts", "how": "badly"}},
        {"effect": {"kind": "seconds_as", "type": "hours"}},
        {"effect": {"kind": "cached", "seconds": -1}},
        {"effect": {"kind": "answer", "status": 500}, "nth": 0},
        {"effect": {"kind": "answer", "status": 500}, "times": "often"},
        {"effect": 7},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(raw: dict[str, object], videos_emulator: Emulator) -> None:
    url = videos_emulator.base_url.replace("/v1", "/_emulator/faults")

    response = httpx.post(url, json=raw, headers={"Authorization": f"Bearer {videos_emulator.api_key}"})

    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_everything_is_within_reach_over_http(client: httpx.Client, videos_emulator: Emulator) -> None:
    fault = {"effect": {"kind": "answer", "status": 503}, "operation": "list"}
    place = f"/videos/{buy(client).json()['id']}"
    with connect(videos_emulator.base_url.replace("/v1", "/_emulator"), videos_emulator.api_key) as control:
        assert control.post("/faults", json=fault).status_code == 201
        assert client.get("/videos").status_code == 503
        assert control.get("/faults").json()["faults"][0]["struck"] == 1
        assert control.delete("/faults").status_code == 204
        assert control.get("/faults").json() == {"faults": []}
        assert control.post("/clock", json={"advance": 6}).status_code == 200
        assert client.get(place).json()["status"] == "completed"
        assert control.post("/clock", json={"advance": "far"}).status_code == 400
        assert control.post("/restart").status_code == 204
        assert client.get(place).status_code == 404
        assert len(control.get("/record").json()["purchases"]) == 1
        assert control.delete("/record").status_code == 204
        assert control.get("/record").json()["requests"] == {}


def test_a_clock_can_differ_from_ours() -> None:
    with Emulator(clock=ManualClock(start=0)) as emulator, httpx.Client(base_url=emulator.base_url) as client:
        response = client.post("/videos", json={"prompt": "x"}, headers={"Authorization": "Bearer test-key"})

    assert response.headers["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert response.json()["created_at"] == 0
