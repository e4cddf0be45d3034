from __future__ import annotations

import pytest
from pydantic import ValidationError

from airflow_provider_videos.api.models import Phase, Video


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("queued", Phase.WAITING),
        ("pending", Phase.WAITING),
        ("in_progress", Phase.RUNNING),
        ("processing", Phase.RUNNING),
        ("generating", Phase.RUNNING),
        ("postprocessing", Phase.RUNNING),
        ("completed", Phase.SUCCEEDED),
        ("Succeeded", Phase.SUCCEEDED),
        ("failed", Phase.FAILED),
        ("cancelled", Phase.STOPPED),
        ("canceled", Phase.STOPPED),
        ("expired", Phase.STOPPED),
        ("deleted", Phase.STOPPED),
        ("unknown", Phase.UNKNOWN),
        ("dreaming", Phase.UNKNOWN),
        ("", Phase.UNKNOWN),
        (None, Phase.UNKNOWN),
        (7, Phase.UNKNOWN),
    ],
)
def test_a_status_word_means_the_same_on_every_server(word, phase):
    assert Video.model_validate({"id": "v", "status": word}).phase is phase


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": ""}, {"id": []}, [], None, "v", 3])
def test_a_video_has_an_id(body):
    with pytest.raises(ValidationError):
        Video.model_validate(body)


def test_only_the_id_is_required():
    assert Video.model_validate({"id": "v"}).contract() == {
        "id": "v",
        "status": None,
        "progress": None,
        "model": None,
        "prompt": None,
        "seconds": None,
        "size": None,
        "created_at": None,
        "completed_at": None,
        "expires_at": None,
        "remixed_from_video_id": None,
        "error": None,
    }


@pytest.mark.parametrize(
    ("field", "sent", "read"),
    [
        ("seconds", 8, "8"),
        ("seconds", 1.4, "1.4"),
        ("seconds", "auto", "auto"),
        ("seconds", [8], None),
        ("progress", "37.5", 37.5),
        ("progress", 100.0, 100),
        ("progress", "half", None),
        ("progress", float("nan"), None),
        ("progress", 10**400, None),
        ("created_at", 1_790_000_000, 1_790_000_000),
        ("created_at", "1790000000.5", 1_790_000_000.5),
        ("created_at", "2026-09-21T14:13:20Z", 1_790_000_000),
        ("created_at", "2026-09-21T14:13:20", 1_790_000_000),
        ("created_at", "yesterday", None),
        ("expires_at", 253402300799, 253402300799),
        ("size", {"w": 1}, None),
        ("error", "out of memory", {"code": None, "message": "out of memory"}),
        ("error", {"code": 500, "message": "boom", "trace": "..."}, {"code": "500", "message": "boom"}),
        ("error", {"message": "boom"}, {"code": None, "message": "boom"}),
        ("error", "", None),
        ("error", [], None),
        ("error", {}, None),
    ],
)
def test_values_of_every_type_are_understood_or_left_out(field, sent, read):
    assert Video.model_validate({"id": "v", field: sent}).contract()[field] == read


def test_fields_of_the_server_s_own_stay_out_of_the_contract():
    video = Video.model_validate({"id": "v", "url": "https://cdn/x?signature=s", "object": "video"})
    assert "url" not in video.contract()


WORDS: dict[Phase, list] = {
    Phase.WAITING: ["queued", "pending", "submitted", "not_start", "created", "waiting", " Queued\n"],
    Phase.RUNNING: [
        *(
            "in_progress",
            "processing",
            "generating",
            "postprocessing",
            "running",
            "preprocessing",
            "IN_PROGRESS",
        )
    ],
    Phase.SUCCEEDED: ["completed", "succeeded", "success", "complete", "done", "SUCCESS"],
    Phase.FAILED: ["failed", "failure", "error", "FAILURE"],
    Phase.STOPPED: ["cancelled", "canceled", "expired", "deleted"],
    Phase.UNKNOWN: ["unknown", "", "dreaming", None],
}


@pytest.mark.parametrize(
    ("phase", "word"), [(phase, word) for phase, words in WORDS.items() for word in words]
)
def test_every_word_of_a_status_has_its_meaning(phase, word):
    video = Video.model_validate({"id": "v", "status": word})
    assert video.phase is phase
    assert video.has_failed is (phase in {Phase.FAILED, Phase.STOPPED})
    assert video.has_ended is (phase in {Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED})


URL = "https://cdn/v.mp4?signature=s"


@pytest.mark.parametrize(
    ("job", "url"),
    [
        ({"url": URL}, URL),
        ({"urls": [URL, "https://other"]}, URL),
        ({"unsigned_urls": [URL]}, URL),
        ({"content": [{"type": "video", "url": URL}]}, URL),
        ({"videos": [{"url": URL}, {"url": "https://other"}]}, URL),
        ({"url": "", "urls": [], "videos": [URL]}, URL),
        ({"url": {"url": URL}}, URL),
        ({}, None),
        ({"url": None, "urls": None, "content": "here", "videos": [{}]}, None),
        ({"urls": URL, "content": {"url": URL}}, None),
    ],
)
def test_a_job_may_say_where_its_file_is(job, url):
    video = Video.model_validate({"id": "v", **job})
    assert video.result_url == url
    assert "cdn" not in str(video.contract())


def test_truth_is_no_text():
    assert Video.model_validate({"id": "v", "size": True, "model": False}).contract()["size"] is None
    assert Video.model_validate({"id": 7}).id == "7"


def test_a_moment_with_its_own_zone_is_understood():
    video = Video.model_validate({"id": "v", "created_at": "2026-09-21T16:13:20+02:00", "progress": "40"})
    assert (video.created_at, video.progress) == (1_790_000_000, 40)
