"""Ten dialects, one client: what each operation comes to, and that each server answers as it was measured."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import PROFILES, Answer, Emulator, Fault, ManualClock
from airflow_provider_videos.hooks.videos import VideosHook
from tests.emulator.client_contract import OPERATIONS, UNSUPPORTED, Served
from tests.emulator.videos_contract import connect

DERIVED = {"remix": UNSUPPORTED, "edit": UNSUPPORTED, "extend": UNSUPPORTED}
NO_THUMBNAIL = {"thumbnail": "MP4 instead"}
USUAL = {"early": "NotFound 404", "unknown": "NotFound 404"}

# What is not simply "ok". The servers' own deviations, written down once more beside the emulator's table.
EXPECTED = {
    "openai": USUAL,
    "vllm-omni": USUAL | DERIVED | NO_THUMBNAIL,
    "sglang": USUAL | DERIVED | {"thumbnail": "NotFound 404"},
    "fastvideo": USUAL | DERIVED | NO_THUMBNAIL,
    "aquiles": USUAL | DERIVED | NO_THUMBNAIL | {"early": "ServerFault 500", "second": "Busy 503"},
    "qvac": USUAL | DERIVED | {"early": "Busy 409", "download": "ok, AVI", "thumbnail": UNSUPPORTED},
    "litellm": NO_THUMBNAIL
    | {
        "early": "NotFound 404",
        "lists": "ok, other ids",
        "delete": UNSUPPORTED,
        "unknown": "ServerFault 500",
    },
    "tensorrt-llm": USUAL
    | DERIVED
    | {"early": "Refused 400", "download": "ok, AVI", "thumbnail": "AVI instead"},
    "new-api": DERIVED
    | NO_THUMBNAIL
    | {"remix": "ok", "early": "Refused 400", "unknown": "NotFound 400"}
    | {"lists": UNSUPPORTED, "delete": UNSUPPORTED},
    "llm-gateway": USUAL | DERIVED | NO_THUMBNAIL | {"lists": UNSUPPORTED, "delete": UNSUPPORTED},
}


@contextmanager
def served(profile, monkeypatch, job_seconds=6.0):
    clock = ManualClock()
    with Emulator(profile=profile, clock=clock, job_seconds=job_seconds) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_VIDEOS_DEFAULT", emulator.airflow_connection)
        backoff = Backoff(attempts=2, base=0, cap=0, longest_retry_after=1)
        with VideosHook().get_conn() as found, VideosClient(found.endpoint, backoff=backoff) as client:
            yield Served(client, pass_time=clock.advance)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_operation_comes_to_what_is_documented(profile, monkeypatch, matrix):
    with served(profile, monkeypatch) as subject:
        for name, check in OPERATIONS.items():
            matrix(profile, name, check(subject))
    expected = dict.fromkeys(OPERATIONS, "ok") | EXPECTED[profile]
    assert matrix.rows[profile] == expected


# --- On the wire: the cells of the table --------------------------------------------------------------------

FIELDS = {"prompt": "A boat", "seconds": "4", "size": "1280x720", "model": "emulated-1"}
BODIES = {
    "json": {"json": FIELDS},
    "json, whole seconds": {"json": FIELDS | {"seconds": 4}},
    "json, odd field": {"json": FIELDS | {"odd": 1}},
    "multipart": {"files": {name: (None, value) for name, value in FIELDS.items()}},
    "urlencoded": {"data": FIELDS},
    "no model": {"files": {"prompt": (None, "A boat")}},
}
CREATED = {
    "openai": (200, 400, 200, 200, 200, 200),
    "vllm-omni": (400, 400, 400, 200, 200, 200),
    "sglang": (200, 200, 200, 200, 400, 200),
    "fastvideo": (200, 200, 200, 200, 400, 200),
    "aquiles": (200, 500, 200, 200, 500, 200),
    "qvac": (200, 400, 200, 200, 500, 400),
    "litellm": (200, 200, 200, 200, 200, 400),
    "tensorrt-llm": (202, 202, 422, 202, 400, 202),
    "new-api": (200, 200, 200, 200, 200, 200),
    "llm-gateway": (400, 200, 400, 400, 400, 400),
}


@pytest.fixture
def dialect(request):
    with (
        Emulator(profile=request.param, clock=ManualClock()) as emulator,
        connect(emulator.base_url, emulator.api_key) as client,
    ):
        client.emulator = emulator
        yield client


def on(*profiles):
    return pytest.mark.parametrize("dialect", profiles, indirect=True)


def buy(client, prompt="A boat"):
    """A purchase as each server takes it."""
    body = FIELDS | {"prompt": prompt}
    for seconds in ("4", 4):
        for kind in ("files", "json"):
            fields = body | {"seconds": seconds}
            given = {n: (None, str(v)) for n, v in fields.items()} if kind == "files" else fields
            response = client.post("/videos", **{kind: given})
            if response.is_success:
                return response.json()
    raise AssertionError(response.text)


def ended(client, prompt="A boat"):
    video = buy(client, prompt)
    client.emulator.clock.advance(60)
    return f"/videos/{quote(video['id'], safe='')}"


@pytest.mark.parametrize(("dialect", "statuses"), CREATED.items(), indirect=["dialect"])
def test_what_a_create_takes(dialect, statuses):
    got = []
    for body in BODIES.values():
        got.append(dialect.post("/videos", **body).status_code)
        dialect.emulator.clock.advance(60)
    assert dict(zip(BODIES, got, strict=True)) == dict(zip(BODIES, statuses, strict=True))


@pytest.mark.parametrize(
    ("dialect", "pattern"),
    [
        ("vllm-omni", r"video_gen_[0-9a-f]{32}"),
        ("sglang", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("fastvideo", r"[0-9a-f]{32}"),
        ("aquiles", r"video_[0-9a-f]{12}"),
        ("qvac", r"video_[0-9a-f]{24}"),
        ("litellm", r"video_[0-9A-Za-z+/=]{234,284}"),
    ],
    indirect=["dialect"],
)
def test_how_ids_look(dialect, pattern):
    assert re.fullmatch(pattern, buy(dialect)["id"])


@on("litellm")
def test_a_gateway_s_ids_hold_everything_and_are_shorter_in_its_list(dialect):
    bought = buy(dialect)["id"]
    assert {"+", "/", "="} <= set(bought)
    (listed,) = dialect.get("/videos", params={"custom_llm_provider": "openai"}).json()["data"]
    assert len(listed["id"]) < len(bought)
    for identity in (bought, listed["id"]):
        answer = dialect.get(f"/videos/{quote(identity, safe='')}")
        assert (answer.status_code, answer.json()["id"]) == (200, bought)


@on("litellm")
def test_a_gateway_s_list_shows_prompts_and_its_upstream_s_models(dialect):
    alone = buy(dialect)
    (listed,) = dialect.get("/videos", params={"custom_llm_provider": "openai"}).json()["data"]
    assert ("prompt" in alone, listed["prompt"]) == (False, "A boat")
    assert (alone["model"], listed["model"]) == ("emulated-1", "upstream-emulated-1")


@on("litellm")
def test_a_gateway_without_a_database_refuses_a_wrong_key_as_bad(dialect):
    answer = httpx.get(f"{dialect.emulator.base_url}/models", headers={"Authorization": "Bearer sk-wrong"})
    assert answer.json()["error"] == {
        "message": "No connected db.",
        "type": "no_db_connection",
        "param": None,
        "code": "400",
    }


@on("litellm")
def test_a_fault_meets_the_prompt_of_a_wrapped_id_too(dialect):
    place = ended(dialect, "A boat at night")
    dialect.emulator.inject(Fault(Answer(status=500), prompt="at night", operation="retrieve"))
    assert dialect.get(place).status_code == 500


@on("sglang")
def test_a_variant_that_is_not_there_is_named(dialect):
    place = f"{ended(dialect)}/content"
    for variant in ("thumbnail", "spritesheet", "video", "anything"):
        answer = dialect.get(place, params={"variant": variant})
        assert answer.status_code == 404
        assert answer.json() == {"detail": f"Video variant {variant} not found"}


@pytest.mark.parametrize(
    ("dialect", "job"),
    [
        ("vllm-omni", {"seconds": "4", "size": None, "prompt": "A boat", "expires_at": None}),
        ("sglang", {"seconds": "4.00", "size": "1280x720", "prompt": ..., "expires_at": None}),
        ("fastvideo", {"seconds": "4", "size": "1280x720", "prompt": ..., "expires_at": ...}),
        ("aquiles", {"seconds": "4", "size": None, "prompt": "A boat", "expires_at": ...}),
        ("qvac", {"seconds": "4", "size": "1280x720", "prompt": "A boat", "expires_at": 253402300799}),
        ("litellm", {"seconds": "4", "size": "1280x720", "prompt": ...}),
        ("tensorrt-llm", {"seconds": ..., "duration": 4.0, "progress": None}),
        ("llm-gateway", {"seconds": ..., "size": ..., "prompt": ...}),
    ],
    indirect=["dialect"],
)
def test_how_a_job_looks(dialect, job):
    drawn = dialect.get(ended(dialect)).json()
    assert {name: drawn.get(name, ...) for name in job} == job


@pytest.mark.parametrize(
    ("dialect", "words", "steady"),
    [
        ("openai", ["queued", "in_progress", "completed"], True),
        ("vllm-omni", ["queued", "in_progress", "completed"], False),
        ("fastvideo", ["queued", "completed"], False),
        ("aquiles", ["queued", "processing", "completed"], True),
        ("new-api", ["unknown", "in_progress", "completed"], True),
    ],
    indirect=["dialect"],
)
def test_the_words_and_the_progress_of_a_job(dialect, words, steady):
    place = f"/videos/{buy(dialect)['id']}"
    seen = [dialect.get(place).json()]
    while seen[-1]["status"] != "completed":
        dialect.emulator.clock.advance(0.5)
        seen.append(dialect.get(place).json())
    assert list(dict.fromkeys(video["status"] for video in seen)) == words
    assert any(0 < video["progress"] < 100 for video in seen) is steady


WORDS = "The video could not be generated."


@pytest.mark.parametrize(
    ("dialect", "status", "error"),
    [
        ("openai", 200, {"code": "server_error", "message": WORDS}),
        ("vllm-omni", 500, {"code": 500, "message": WORDS}),
        ("sglang", 200, {"message": WORDS}),
        ("tensorrt-llm", 200, WORDS),
    ],
    indirect=["dialect"],
)
def test_how_a_failed_job_is_told(dialect, status, error):
    response = dialect.get(ended(dialect, "[fail]"))
    assert (response.status_code, response.json()["status"]) == (status, "failed")
    assert response.json()["error"] == error


@on("litellm")
def test_a_gateway_tells_a_failed_job_in_the_middle_of_a_text(dialect):
    response = dialect.get(ended(dialect, "[fail]"))
    words = response.json()["error"]["message"]
    assert response.status_code == 500
    assert json.JSONDecoder().raw_decode(words, words.index("{"))[0]["status"] == "failed"


@pytest.mark.parametrize(
    ("dialect", "early", "failed"),
    [
        ("openai", 404, 404),
        ("vllm-omni", 404, 422),
        ("sglang", 404, 404),
        ("fastvideo", 404, 500),
        ("aquiles", 500, 500),
        ("qvac", 409, 409),
        ("tensorrt-llm", 400, 400),
    ],
    indirect=["dialect"],
)
def test_content_that_is_not_there(dialect, early, failed):
    response = dialect.get(f"/videos/{buy(dialect)['id']}/content")
    assert response.status_code == early
    assert dict(response.headers).get("retry-after") == ("2" if early == 409 else None)
    assert response.headers["content-type"].startswith("text/plain") is (early == 500)
    dialect.emulator.clock.advance(60)
    assert dialect.get(f"{ended(dialect, '[fail]')}/content").status_code == failed


@pytest.mark.parametrize(
    ("dialect", "variant", "status", "head"),
    [
        ("openai", "thumbnail", 200, b"RIFF"),
        ("vllm-omni", "thumbnail", 200, b"\0\0\0"),
        ("sglang", "video", 404, b""),
        ("sglang", "thumbnail", 404, b""),
        ("qvac", "spritesheet", 501, b""),
        ("qvac", "video", 200, b"RIFF"),
        ("litellm", "thumbnail", 200, b"\0\0\0"),
    ],
    indirect=["dialect"],
)
def test_variants(dialect, variant, status, head):
    response = dialect.get(f"{ended(dialect)}/content", params={"variant": variant})
    assert response.status_code == status
    assert status != 200 or response.content.startswith(head)


@pytest.mark.parametrize(
    ("dialect", "ranged", "head", "kind"),
    [
        ("openai", 206, 405, "video/mp4"),
        ("aquiles", 206, 405, "video/mp4"),
        ("qvac", 200, 200, "video/avi"),
        ("litellm", 200, 405, "video/mp4"),
        ("tensorrt-llm", 206, 405, "video/x-msvideo"),
    ],
    indirect=["dialect"],
)
def test_ranges_heads_and_types(dialect, ranged, head, kind):
    place = f"{ended(dialect)}/content"
    response = dialect.get(place, headers={"Range": "bytes=0-9"})
    assert (response.status_code, response.headers["content-type"]) == (ranged, kind)
    assert dialect.head(place).status_code == head


@pytest.mark.parametrize(
    ("dialect", "statuses", "says_more"),
    [
        ("openai", (400, 400, 200), True),
        ("vllm-omni", (200, 200, 200), True),
        ("sglang", (422, 422, 200), True),
        ("fastvideo", (422, 422, 200), False),
        ("aquiles", (200, 200, 200), True),
        ("new-api", (404, 404, 404), None),
        ("llm-gateway", (404, 404, 404), None),
    ],
    indirect=["dialect"],
)
def test_the_list(dialect, statuses, says_more):
    for _ in range(2):
        ended(dialect)
    pages = [dialect.get("/videos", params={"limit": limit}) for limit in (0, 101, 1)]
    assert tuple(page.status_code for page in pages) == statuses
    if statuses[0] == 200:
        assert (pages[0].json()["data"], pages[0].json()["has_more"]) == ([], True)
    if says_more is not None:
        assert ("has_more" in pages[2].json()) is says_more
        assert len(pages[2].json()["data"]) == (1 if says_more else 2)


@on("litellm")
def test_a_gateway_s_list_wants_to_know_the_provider(dialect):
    assert dialect.get("/videos").status_code == 400


@pytest.mark.parametrize(
    ("dialect", "status", "body"),
    [
        ("openai", 200, {"deleted": True, "object": "video.deleted"}),
        ("sglang", 200, {"status": "deleted", "object": "video"}),
        ("fastvideo", 200, {"status": "deleted", "object": "video"}),
        ("tensorrt-llm", 200, {"deleted": True}),
        ("litellm", 405, {"detail": "Method Not Allowed"}),
        ("new-api", 404, {}),
    ],
    indirect=["dialect"],
)
def test_deletions(dialect, status, body):
    response = dialect.delete(ended(dialect))
    assert response.status_code == status
    assert response.json().items() >= body.items()


@pytest.mark.parametrize(
    ("dialect", "status", "words"),
    [
        ("openai", 404, lambda body: body["error"]["message"]),
        ("vllm-omni", 404, lambda body: body["error"]["message"] if body["error"]["code"] == 404 else None),
        ("sglang", 404, lambda body: body["detail"]),
        ("aquiles", 404, lambda body: body["detail"]),
        ("litellm", 500, lambda body: body["error"]["message"]),
        ("tensorrt-llm", 404, lambda body: body["message"]),
        ("new-api", 400, lambda body: body["message"] if body["code"] == "task_not_exist" else None),
    ],
    indirect=["dialect"],
)
def test_an_unknown_id_in_every_envelope(dialect, status, words):
    response = dialect.get("/videos/video_0")
    assert response.status_code == status
    assert "not found" in words(response.json())


@pytest.mark.parametrize(
    ("dialect", "missing", "wrong"),
    [
        ("openai", 401, 401),
        ("vllm-omni", 401, 401),
        ("sglang", 404, 404),
        ("aquiles", 401, 403),
        ("qvac", 401, 401),
        ("litellm", 401, 400),
    ],
    indirect=["dialect"],
)
def test_keys(dialect, missing, wrong):
    url = f"{dialect.emulator.base_url}/videos/video_0"
    assert httpx.get(url).status_code == missing
    assert httpx.get(url, headers={"Authorization": "Bearer wrong"}).status_code == wrong


@pytest.mark.parametrize(
    ("dialect", "slash", "typed"),
    [("vllm-omni", 307, 200), ("sglang", 307, 200), ("qvac", 400, 400), ("openai", 404, 200)],
    indirect=["dialect"],
)
def test_slashes_and_content_types(dialect, slash, typed):
    assert dialect.get("/models/").status_code == slash
    given = {"Content-Type": "application/json"}
    assert dialect.delete(f"/videos/{buy(dialect)['id']}", headers=given).status_code == typed


@pytest.mark.parametrize("place", ["url", "urls", "unsigned_urls", "content", "videos"])
@pytest.mark.parametrize("content", ["nowhere", "elsewhere", "here"])
def test_a_file_is_fetched_wherever_it_is(place, content, monkeypatch):
    profile = replace(PROFILES["openai"], name="odd", content=content, result_in=place)
    with served(profile, monkeypatch) as subject:
        assert OPERATIONS["download"](subject) == "ok"


@on("llm-gateway")
def test_a_signed_address_wants_no_other_credential(dialect):
    url = dialect.get(ended(dialect)).json()["content"][0]["url"]
    assert httpx.get(url, timeout=60).status_code == 200  # the video is made now
    assert httpx.get(url, headers={"Authorization": "Bearer test-key"}).status_code == 400
    assert httpx.get(url.replace("signature=", "signature=0")).status_code == 403


@on("aquiles")
def test_a_busy_server_says_so_until_it_is_done(dialect):
    buy(dialect)
    response = dialect.post("/videos", **BODIES["multipart"])
    assert (response.status_code, response.json()["detail"][:14]) == (503, "The limit of 1")
    dialect.emulator.clock.advance(60)
    assert dialect.post("/videos", **BODIES["multipart"]).status_code == 200


@pytest.mark.parametrize("videos_emulator", ["sglang", "litellm"], indirect=True)
def test_the_fixture_speaks_the_dialect_it_is_asked_for(videos_emulator, request):
    assert videos_emulator.profile.name == request.node.callspec.params["videos_emulator"]


def test_an_unknown_profile_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="llm-gateway"):
        Emulator(profile="nobody")


def test_the_profiles_are_those_on_the_list():
    assert set(PROFILES) == set(EXPECTED) == set(CREATED)
