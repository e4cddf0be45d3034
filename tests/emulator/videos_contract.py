"""
The contract as checks: each takes a subject, a server it knows only by its wire, and asserts.

They are plain functions in a list, so that the same ones run as tests, against a living server, and against
an emulator whose answers are wrong on purpose.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import av
import httpx
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable


STATUSES = ("queued", "in_progress", "completed", "failed")
FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "object": str,
    "model": str,
    "status": str,
    "progress": int,
    "created_at": int,
    "completed_at": (int, type(None)),
    "expires_at": (int, type(None)),
    "prompt": (str, type(None)),
    "size": str,
    "seconds": str,
    "remixed_from_video_id": (str, type(None)),
    "error": (dict, type(None)),
}
UNSUPPORTED = (404, 405, 501)


def connect(base_url: str, api_key: str | None, *, timeout: float = 10) -> httpx.Client:
    """A client that speaks for whoever holds the key."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return httpx.Client(base_url=base_url, headers=headers, timeout=timeout)


@dataclass
class Subject:
    """A server under test, and the one video bought from it."""

    client: httpx.Client
    pass_time: Callable[[float], None]
    model: str | None = None
    may_buy_more: bool = True
    patience: int = 60
    complete: bool = False
    """Whether it claims every operation, so that a missing one is a failure."""
    rendered: str | None = None
    """A completed video whose files are at hand; by default the one bought."""
    emulated: bool = True
    """Whether the emulator's own habits are asked for, too."""
    key_header: str | None = "Authorization"
    """The header that carries the key; None for a server without keys."""

    def buy(self, **fields: str) -> httpx.Response:
        given = {"prompt": "A lighthouse at dusk", "seconds": "4", **fields}
        if self.model:
            given["model"] = self.model
        return self.client.post("/videos", files={name: (None, value) for name, value in given.items()})

    @cached_property
    def bought(self) -> httpx.Response:
        return self.buy()

    @cached_property
    def observed(self) -> list[dict[str, Any]]:
        """Every answer from the purchase to its end."""
        seen = [self.bought.json()]
        for _ in range(self.patience):
            if seen[-1].get("status") in {"completed", "failed"}:
                return seen
            self.pass_time(1)
            seen.append(self.client.get(f"/videos/{seen[0]['id']}").json())
        pytest.fail("the video never came to an end")

    @property
    def video(self) -> dict[str, Any]:
        return self.observed[-1]

    @property
    def content(self) -> str:
        return f"{self.place(self.rendered or self.video['id'])}/content"

    def place(self, video_id: str) -> str:
        return f"/videos/{quote(video_id, safe='')}"

    def another(self, **fields: str) -> dict[str, Any]:
        """A further purchase; a living server is spared it."""
        if not self.may_buy_more:
            pytest.skip("one video is bought from a living server, no more")
        video: dict[str, Any] = self.buy(**fields).json()
        return video


CHECKS: list[Callable[[Subject], None]] = []


def check(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
    CHECKS.append(function)
    return function


def assert_video(video: dict[str, Any]) -> None:
    for name, kind in FIELDS.items():
        assert name in video, f"{name} is missing"
        assert isinstance(video[name], kind), f"{name} is {video[name]!r}"
        assert not isinstance(video[name], bool), f"{name} is {video[name]!r}"
    assert video["object"] == "video"
    assert video["status"] in STATUSES
    assert 0 <= video["progress"] <= 100
    assert re.fullmatch(r"[\w-]+", video["id"]), "the id needs escaping in a path"


def assert_error(response: httpx.Response, status: int, *, param: str | None = None) -> None:
    assert response.status_code == status, f"{response.status_code}: {response.text[:200]}"
    assert response.headers["content-type"].startswith("application/json")
    error = response.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert error["param"] == param
    assert error["code"] is None or isinstance(error["code"], str)


def skip_unsupported(subject: Subject, response: httpx.Response, name: str) -> None:
    if response.status_code in UNSUPPORTED and not subject.complete:
        pytest.skip(f"{name} is not supported: {response.status_code}")


@check
def create_answers_with_a_video(subject: Subject) -> None:
    assert subject.bought.status_code == 200, subject.bought.text
    assert subject.bought.headers["content-type"].startswith("application/json")
    if subject.emulated:
        assert subject.bought.headers["x-request-id"]
    video = subject.bought.json()
    assert_video(video)
    assert video["prompt"] == "A lighthouse at dusk"
    assert video["seconds"] == "4"
    assert video["size"] == "720x1280"
    assert video["remixed_from_video_id"] is None


@check
def a_job_moves_forward_through_the_four_states(subject: Subject) -> None:
    for video in subject.observed:
        assert_video(video)
    places = [STATUSES.index(video["status"]) for video in subject.observed]
    assert places == sorted(places)
    progress = [video["progress"] for video in subject.observed]
    assert progress == sorted(progress)
    assert len({video["id"] for video in subject.observed}) == 1
    assert len({video["created_at"] for video in subject.observed}) == 1


@check
def unfinished_jobs_have_no_finish(subject: Subject) -> None:
    for video in subject.observed[:-1]:
        assert video["completed_at"] is None
        assert video["expires_at"] is None
        assert video["error"] is None
        assert video["progress"] < 100


@check
def a_completed_job_says_when_it_expires(subject: Subject) -> None:
    video = subject.video
    assert video["status"] == "completed"
    assert video["progress"] == 100
    assert video["error"] is None
    assert video["completed_at"] >= video["created_at"]
    if subject.emulated:
        assert video["expires_at"] == video["completed_at"] + 3600


@check
def an_unknown_id_is_not_found(subject: Subject) -> None:
    assert_error(subject.client.get("/videos/video_0123456789abcdef"), 404)
    assert_error(subject.client.get("/videos/video_0123456789abcdef/content"), 404)
    assert_error(subject.client.delete("/videos/video_0123456789abcdef"), 404)


@check
def a_wrong_key_is_refused(subject: Subject) -> None:
    if not subject.key_header:
        pytest.skip("it wants no key")
    response = subject.client.get("/videos", headers={subject.key_header: "Bearer wrong"})
    assert_error(response, 401)
    assert response.json()["error"]["code"] == "invalid_api_key"


@check
def a_prompt_is_required(subject: Subject) -> None:
    subject.another()  # a lenient server sells it
    response = subject.client.post("/videos", files={"seconds": (None, "4")})
    assert_error(response, 400, param="prompt")


@check
def a_list_is_a_page(subject: Subject) -> None:
    assert subject.bought.is_success
    page = subject.client.get("/videos", params={"limit": 100}).json()
    assert page["object"] == "list"
    assert isinstance(page["has_more"], bool)
    for video in page["data"]:
        assert_video(video)
    assert page["first_id"] == page["data"][0]["id"]
    assert page["last_id"] == page["data"][-1]["id"]
    assert subject.bought.json()["id"] in [video["id"] for video in page["data"]]


@check
def a_list_is_read_page_by_page(subject: Subject) -> None:
    subject.another()
    subject.another()
    whole = [video["id"] for video in subject.client.get("/videos", params={"limit": 100}).json()["data"]]
    pages: list[list[str]] = []
    after: dict[str, str] = {}
    more = True
    while more and len(pages) < len(whole):
        page = subject.client.get("/videos", params={"limit": 2, **after}).json()
        pages.append([video["id"] for video in page["data"]])
        after, more = {"after": page["last_id"]}, page["has_more"]
    assert [identity for page in pages for identity in page] == whole
    assert all(len(page) == 2 for page in pages[:-1])
    assert not more
    assert subject.client.get("/videos", params=after).json()["data"] == []


@check
def a_list_has_an_order(subject: Subject) -> None:
    subject.another()
    up = subject.client.get("/videos", params={"order": "asc", "limit": 100}).json()
    down = subject.client.get("/videos", params={"order": "desc", "limit": 100}).json()
    default = subject.client.get("/videos", params={"limit": 100}).json()
    assert [v["id"] for v in up["data"]] == [v["id"] for v in reversed(down["data"])]
    assert [v["created_at"] for v in up["data"]] == sorted(v["created_at"] for v in up["data"])
    assert default["data"] == down["data"]
    assert_error(subject.client.get("/videos", params={"order": "up"}), 400, param="order")


@check
def a_lists_limit_lies_between_1_and_100(subject: Subject) -> None:
    for limit in ("0", "101", "-1", "ten"):
        assert_error(subject.client.get("/videos", params={"limit": limit}), 400, param="limit")


@check
def all_three_encodings_buy(subject: Subject) -> None:
    subject.another()
    fields = {"prompt": "Again", "seconds": "8", "size": "1280x720", "fps": "12"}
    for body in ({"json": fields}, {"data": fields}):
        response = subject.client.post("/videos", **body)  # type: ignore[arg-type]  # one keyword or the other
        assert response.status_code == 200, response.text
        assert_video(response.json())
        assert response.json()["seconds"] == "8"
        assert response.json()["size"] == "1280x720"


@check
def wrong_values_are_refused(subject: Subject) -> None:
    subject.another()
    for param, value in (("seconds", "5"), ("size", "100x100"), ("seconds", 4), ("prompt", "x" * 32_001)):
        response = subject.client.post("/videos", json={"prompt": "x", param: value})
        assert_error(response, 400, param=param)


@check
def content_is_not_there_before_completion(subject: Subject) -> None:
    assert_error(subject.client.get(f"/videos/{subject.another()['id']}/content"), 404)


@check
def a_deleted_video_is_gone(subject: Subject) -> None:
    place = f"/videos/{subject.another()['id']}"
    response = subject.client.delete(place)
    assert response.status_code == 200
    assert response.json() == {
        "id": place.rsplit("/", maxsplit=1)[-1],
        "deleted": True,
        "object": "video.deleted",
    }
    assert_error(subject.client.get(place), 404)
    assert_error(subject.client.delete(place), 404)


@check
def a_remix_knows_its_source(subject: Subject) -> None:
    source = subject.video
    subject.another()
    response = subject.client.post(f"/videos/{source['id']}/remix", json={"prompt": "In winter"})
    skip_unsupported(subject, response, "remix")
    assert response.status_code == 200, response.text
    assert_video(response.json())
    assert response.json()["remixed_from_video_id"] == source["id"]
    assert response.json()["id"] != source["id"]
    assert response.json()["prompt"] == "In winter"


@check
def an_edit_is_a_new_video(subject: Subject) -> None:
    source = subject.video
    subject.another()
    given = {"prompt": "At night", "video": {"id": source["id"]}}
    response = subject.client.post("/videos/edits", json=given)
    skip_unsupported(subject, response, "edit")
    assert response.status_code == 200, response.text
    assert_video(response.json())
    assert response.json()["id"] != source["id"]
    assert response.json()["seconds"] == source["seconds"]


@check
def an_extension_is_the_stitched_whole(subject: Subject) -> None:
    source = subject.video
    subject.another()
    given = {"prompt": "Further", "seconds": "8", "video": {"id": source["id"]}}
    response = subject.client.post("/videos/extensions", json=given)
    skip_unsupported(subject, response, "extend")
    assert response.status_code == 200, response.text
    assert_video(response.json())
    assert response.json()["seconds"] == str(int(source["seconds"]) + 8)


@check
def models_are_listed(subject: Subject) -> None:
    response = subject.client.get("/models")
    skip_unsupported(subject, response, "models")
    assert response.status_code == 200, response.text
    assert response.json()["object"] == "list"
    assert all(isinstance(model["id"], str) for model in response.json()["data"])
    assert response.json()["data"]


@check
def content_is_a_whole_mp4(subject: Subject) -> None:
    response = subject.client.get(subject.content)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["etag"]
    assert response.content[4:8] == b"ftyp"
    with av.open(io.BytesIO(response.content), "r") as container:
        assert container.duration == 4 * 1_000_000
    assert subject.client.get(subject.content).content == response.content


@check
def content_is_served_in_parts(subject: Subject) -> None:
    whole = subject.client.get(subject.content).content
    size = len(whole)
    for asked, start, stop in (("0-9", 0, 10), ("100-", 100, size), ("-50", size - 50, size)):
        response = subject.client.get(subject.content, headers={"Range": f"bytes={asked}"})
        assert response.status_code == 206
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert response.content == whole[start:stop]
    response = subject.client.get(subject.content, headers={"Range": f"bytes={size}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{size}"


@check
def content_takes_no_head(subject: Subject) -> None:
    if not subject.emulated:
        pytest.skip("a habit of the emulator's")
    assert subject.client.head(subject.content).status_code == 405


@check
def a_thumbnail_is_a_webp(subject: Subject) -> None:
    response = subject.client.get(subject.content, params={"variant": "thumbnail"})
    skip_unsupported(subject, response, "thumbnail")
    assert response.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(response.content)).format == "WEBP"


@check
def a_spritesheet_is_a_jpeg(subject: Subject) -> None:
    response = subject.client.get(subject.content, params={"variant": "spritesheet"})
    skip_unsupported(subject, response, "spritesheet")
    assert response.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(response.content)).format == "JPEG"


@check
def an_unknown_variant_is_refused(subject: Subject) -> None:
    assert_error(subject.client.get(subject.content, params={"variant": "gif"}), 400, param="variant")


@check
def a_character_is_made_from_a_video(subject: Subject) -> None:
    whole = subject.client.get(subject.content).content
    subject.another()
    file = ("otter.mp4", whole, "video/mp4")
    response = subject.client.post("/videos/characters", data={"name": "Otter"}, files={"video": file})
    skip_unsupported(subject, response, "characters")
    assert response.status_code == 200, response.text
    made = response.json()
    assert made["name"] == "Otter"
    assert isinstance(made["created_at"], int)
    assert subject.client.get(f"/videos/characters/{made['id']}").json() == made
