from __future__ import annotations

import base64
import json

import pytest
from pydantic import ValidationError

from airflow_provider_videos.api.models import Phase, Video, VideoPage, is_same_id, is_same_value, phase_of
from airflow_provider_videos.api.redaction import Redactor


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
        ("warming", Phase.UNKNOWN),
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
        ("progress", "37%", 37),
        ("progress", " 37.5 % ", 37.5),
        ("progress", "%", None),
        ("progress", True, None),
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
    Phase.WAITING: [
        *(
            "queued",
            "queue",
            "in_queue",
            "IN_QUEUE",
            "queueing",
            "Queueing",
            "queuing",
            "enqueued",
            "pending",
        ),
        *("PENDING", "submitted", "not_start", "NOT_START", "not_started", "created", "waiting", "THROTTLED"),
        *("Preparing", "starting", "scheduled", "accepted", "received", "initializing", " Queued\n"),
    ],
    Phase.RUNNING: [
        *("in_progress", "IN_PROGRESS", "In Progress", "in-progress", "InProgress", "progress", "processing"),
        *(
            "Processing",
            "preprocessing",
            "postprocessing",
            "post-processing",
            "generating",
            "running",
            "RUNNING",
        ),
        *("dreaming", "rendering", "working", "started", "executing", "uploading", "TASK_STATUS_PROCESSING"),
    ],
    Phase.SUCCEEDED: [
        *("completed", "complete", "COMPLETED", "succeeded", "SUCCEEDED", "succeed", "SUCCEED", "success"),
        *(
            "Success",
            "SUCCESS",
            "successful",
            "done",
            "finished",
            "TASK_STATUS_SUCCEED",
            "JOB_STATE_SUCCEEDED",
        ),
    ],
    Phase.FAILED: [
        *(
            "failed",
            "FAILED",
            "fail",
            "Fail",
            "failure",
            "FAILURE",
            "error",
            "errored",
            "rejected",
            "timeout",
        ),
        *("timed_out", "timed out", "state: failed"),
    ],
    Phase.STOPPED: [
        *(
            "cancelled",
            "canceled",
            "CANCELED",
            "cancel",
            "aborted",
            "stopped",
            "terminated",
            "expired",
            "deleted",
        ),
    ],
    Phase.UNKNOWN: [
        "unknown",
        "UNKNOWN",
        "",
        "-",
        "warming",
        "not failed",
        "status",
        "x" * 200,
        "成功",
        None,
    ],
}


@pytest.mark.parametrize(
    ("phase", "word"), [(phase, word) for phase, words in WORDS.items() for word in words]
)
def test_every_word_of_a_status_has_its_meaning(phase, word):
    video = Video.model_validate({"id": "v", "status": word})
    assert video.phase is phase
    assert video.has_failed is (phase in {Phase.FAILED, Phase.STOPPED})
    assert video.has_ended is (phase in {Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED})


@pytest.mark.parametrize(
    "word", [None, 0, 1, 7, 2.5, True, {}, {"code": "failed"}, [], ["failed"], b"failed"]
)
def test_a_status_that_is_no_word_says_nothing(word):
    assert phase_of(word) is Phase.UNKNOWN
    assert Video.model_validate({"id": "v", "status": word}).phase is Phase.UNKNOWN


NOW = 1_790_000_000


@pytest.mark.parametrize("field", ["created_at", "completed_at", "expires_at"])
@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (NOW, NOW),
        (NOW + 0.5, NOW + 0.5),
        (str(NOW), NOW),
        (f" {NOW} ", NOW),
        (NOW * 1000, NOW),
        (NOW * 1000 + 500, NOW + 0.5),
        (str(NOW * 1000), NOW),
        (NOW * 1_000_000, NOW),
        (NOW * 1_000_000_000, NOW),
        (946_684_800, 946_684_800),
        (4_102_444_799, 4_102_444_799),
        ("2026-09-21T14:13:20.000000000Z", NOW),
        ("2026-09-21 14:13:20", NOW),
        ("2026-09-21 14:13:20+00:00", NOW),
        ("2026-09-21 16:13:20 +0200", NOW),
        ("2026-09-21 14:13:20 UTC", NOW),
        ("2026-09-21 14:13:20 +0000 UTC", NOW),
        ("20260921T141320Z", NOW),
        ("20260921", NOW - 51_200),
        ("Mon, 21 Sep 2026 14:13:20 GMT", NOW),
        ("Mon Sep 21 14:13:20 2026", NOW),
        (0, None),
        ("0", None),
        (-1, None),
        (-NOW, None),
        (3600, None),
        ("3600", None),
        (946_684_799, None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("1970-01-01T00:00:00Z", None),
        ("1999-12-31T23:59:59Z", None),
        (NOW * 10**12, None),
        (10**400, None),
        (1e300, None),
        (float("inf"), None),
        ("never", None),
        ("", None),
        (True, None),
        ([NOW], None),
        ({"seconds": NOW}, None),
    ],
)
def test_a_moment_is_what_it_plainly_means_or_absent(field, sent, read):
    assert Video.model_validate({"id": "v", field: sent}).contract()[field] == read


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (253_402_300_799, 253_402_300_799),
        (253_402_300_799_000, 253_402_300_799),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
        (4_102_444_800, 4_102_444_800),
        (253_402_300_800, None),
        (946_684_799_999, None),
    ],
)
def test_only_an_expiry_may_be_far_away(sent, read):
    video = Video.model_validate({"id": "v", "expires_at": sent, "created_at": sent, "completed_at": sent})
    assert (video.expires_at, video.created_at, video.completed_at) == (read, None, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (8, "8"),
        (8, 8.0),
        ("8", "8.0"),
        ("8", "8.00"),
        (" 8 ", 8),
        (8, "8s"),
        (8, "8 s"),
        (8, "8 seconds"),
        (1, "1 second"),
        (8, "8.0 Sec"),
        ("auto", "AUTO"),
        ("1152x768", "1152X768"),
        ("1152x768", " 1152 x 768 "),
        ("1152x768", "1152*768"),
        ("1152x768", "1152\u00d7768"),
        ("1152x768", "1152:768"),
        (None, None),
    ],
)
def test_lengths_and_sizes_are_the_same_as_values(one, other):
    assert is_same_value(one, other)
    assert is_same_value(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (8, 4),
        ("8", "80"),
        (8, "8m"),
        (8, None),
        (1, True),
        (0, None),
        ("auto", "8"),
        ("1152x768", "768x1152"),
        ("1152x768", "1152x7680"),
        ("1152x768", "1280x768"),
        ("1152x768", "1152"),
        ("1152x768", "720p"),
        (8, [8]),
    ],
)
def test_and_others_are_not(one, other):
    assert not is_same_value(one, other)
    assert not is_same_value(other, one)


def gateway_id(own: str, deployment: str = "") -> str:
    inner = f"gateway:provider:openai;model_id:{deployment};video_id:{own}"
    return "video_" + base64.b64encode(inner.encode()).decode()


OWN = "video_gen_0123"


def test_the_ids_that_a_gateway_gives_one_video_are_the_same():
    listed, made = gateway_id(OWN), gateway_id(OWN, "wan")
    for one in (OWN, listed, made, made.rstrip("=")):
        for other in (OWN, listed, made):
            assert is_same_id(one, other)


def test_what_a_gateway_says_behind_the_server_s_id_is_no_part_of_it():
    inner = f"litellm:custom_llm_provider:hosted_vllm;model_id:m;video_id:{OWN};deployment_id:d47"
    longer = "video_" + base64.b64encode(inner.encode()).decode()
    assert is_same_id(OWN, longer)
    assert is_same_id(gateway_id(OWN), longer)


@pytest.mark.parametrize(
    "other",
    [
        *("", "v", OWN + "4", OWN.upper(), gateway_id("video_gen_0124"), gateway_id("")),
        *(
            "video_AAAAAAAAAAAAAAAA",
            "video_" + "_" * 40,
            "video_/////////////////////w==",
            "video_AAAAAAAAAAAAAAAAA",
        ),
    ],
)
def test_other_ids_are_not(other):
    assert not is_same_id(OWN, other)
    assert not is_same_id(gateway_id(OWN), other)
    assert is_same_id(other, other)


URL = "https://cdn/v.mp4?signature=s"
IMAGE = "https://cdn/cover?signature=s"


PLACES = [
    {"url": URL},
    {"urls": [URL, "https://other"]},
    {"urls": URL},
    {"unsigned_urls": [URL]},
    {"content": [{"type": "video", "url": URL}]},
    {"content": {"url": URL}},
    {"content": {"video_url": URL, "last_frame_url": IMAGE}},
    {"videos": [{"url": URL}, {"url": "https://other"}]},
    {"url": "", "urls": [], "videos": [URL]},
    {"url": {"url": URL}},
    {"url": None, "urls": None, "content": "here", "videos": [{}], "output": URL},
    *(
        {name: URL}
        for name in ("video_url", "videoUrl", "result_url", "output_url", "download_url", "file_url")
    ),
    *({name: URL} for name in ("uri", "output", "video", "result")),
    {"video_urls": [URL]},
    {"metadata": {"url": URL}},
    {"data": {"url": URL}},
    {"data": [{"url": URL}]},
    {"data": [{"video_url": URL}]},
    {"data": {"task_id": "t", "task_result": {"videos": [{"id": "x", "url": URL, "duration": "5"}]}}},
    {"data": {"creations": [{"cover_url": IMAGE, "url": URL}]}},
    {"output": [URL]},
    {"output": {"url": URL}},
    {"output": {"task_status": "SUCCEEDED", "video_url": URL}},
    {"outputs": [{"url": URL}]},
    {"video": {"url": URL}},
    {"video": {"uri": URL}},
    {"result": {"video": {"url": URL}}},
    {"results": [{"url": URL}]},
    {"generations": [{"video": {"url": URL}}]},
    {"assets": {"image": IMAGE, "video": URL}},
    {"task_result": {"videos": [{"url": URL}]}},
    {"file": {"file_id": 7, "download_url": URL}},
    {"creations": [{"url": URL, "cover_url": IMAGE}]},
    {"response": {"generatedVideos": [{"video": {"uri": URL}}]}},
    {"response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": URL}}]}}},
    {"urls": {"get": "https://api/v1/p/1", "cancel": "https://api/v1/p/1/cancel"}, "output": [URL]},
    {"thumbnail_url": IMAGE, "video_url": URL},
    {"data": [{"type": "thumbnail", "url": IMAGE}, {"type": "video", "url": URL}]},
    {
        "content": [
            {"type": "image_url", "image_url": {"url": IMAGE}},
            {"type": "video_url", "video_url": {"url": URL}},
        ]
    },
    {"output": ["https://cdn/cover.jpg?s=1", "https://cdn/v.PNG", "https://cdn/track.mp3#x", URL]},
    {"output": [{"mime_type": "image/png", "url": IMAGE}, {"mime_type": "video/mp4", "url": URL}]},
    {"content": [{"role": "reference_video", "url": "https://cdn/input"}, {"url": URL}]},
    {"type": "image_to_video", "role": None, "url": URL},
    {"kind": "text2video", "data": {"type": "reference_to_video", "url": URL}},
    {"url": f" {URL}\n"},
    {"url": "s3://bucket/v.mp4", "video_url": URL},
    {"url": "v.mp4", "output": "done", "result": URL},
    {"url": URL, "video_url": "https://other", "output": "https://other"},
    {"output": "https://cdn/result", "video": {"url": "https://cdn/input"}, "url": URL},
]


@pytest.mark.parametrize("job", PLACES)
def test_a_job_may_say_where_its_file_is(job):
    video = Video.model_validate({"id": "v", **job})
    assert video.result_url == URL
    assert "cdn" not in str(video.contract())
    backwards = Video.model_validate({**dict(reversed(job.items())), "id": "v"})
    assert backwards.result_url == URL


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"url": None, "urls": None, "content": "here", "videos": [{}]},
        *({"url": text} for text in ("", "https://", "http:///v.mp4", "//cdn/v.mp4", "/", "v.mp4", "/a b")),
        *(
            {"url": text}
            for text in ("file:///v.mp4", "data:video/mp4;base64,AAAA", "javascript:1", "gs://b/v")
        ),
        *({"url": text} for text in ("https://cdn/v 1.mp4", "see https://cdn/v.mp4", "https:\\\\cdn\\v.mp4")),
        *({"url": value} for value in (7, True, 1.5, [7], {"href": 3})),
        *(
            {name: IMAGE}
            for name in ("image_url", "thumbnail_url", "cover_url", "first_frame", "last_frame_url")
        ),
        *(
            {name: IMAGE}
            for name in ("input_reference", "image", "poster", "preview_url", "polling_url", "webhook")
        ),
        {"input": {"url": IMAGE}},
        {"input_reference": {"image_url": IMAGE}},
        {"data": {"input": {"video_url": IMAGE}}},
        {"metadata": {"image_url": IMAGE, "first_frame": {"url": IMAGE}}},
        {"content": [{"type": "image_url", "image_url": {"url": IMAGE}}]},
        {"content": [{"type": "image", "url": IMAGE}]},
        {"data": [{"kind": "Cover", "url": IMAGE}, {"role": "first_frame", "url": IMAGE}]},
        {"files": [{"contentType": "audio/mpeg", "url": IMAGE}, {"mediaType": "text/vtt", "url": IMAGE}]},
        {"data": [{"variant": "spritesheet", "url": IMAGE}]},
        {"output": ["https://cdn/v.webp", "https://cdn/v.jpeg?x=1", "https://cdn/v.gif"]},
        {"output": [[[[[[[[[[URL]]]]]]]]]]},
        {"output": [IMAGE + " no"] * 100 + [URL]},
    ],
)
def test_what_is_no_address_of_a_video_is_none(job):
    assert Video.model_validate({"id": "v", **job}).result_url is None


def test_a_path_on_the_server_itself_will_do_where_there_is_no_address():
    assert Video.model_validate({"id": "v", "url": "/files/v.mp4"}).result_url == "/files/v.mp4"
    assert Video.model_validate({"id": "v", "url": "/tmp/v.mp4", "output": [URL]}).result_url == URL
    assert Video.model_validate({"id": "v", "output": "/tmp/v.mp4"}).result_url is None


def test_looking_for_an_address_ends_on_any_job():
    deep: object = URL
    for _ in range(500):
        deep = {"data": deep}
    assert (
        Video.model_validate({"id": "v", "data": deep, "output": [[["x"] * 200] * 200] * 200}).result_url
        is None
    )


def test_truth_is_no_text():
    assert Video.model_validate({"id": "v", "size": True, "model": False}).contract()["size"] is None
    assert Video.model_validate({"id": 7}).id == "7"


def test_a_moment_with_its_own_zone_is_understood():
    video = Video.model_validate({"id": "v", "created_at": "2026-09-21T16:13:20+02:00", "progress": "40"})
    assert (video.created_at, video.progress) == (1_790_000_000, 40)


class TestContract:
    """Fields of a video that go into XCom."""

    def test_a_status_is_one_that_many_use_or_a_phase(self):
        words = ("Completed", "in_progress", "TASK_STATUS_SUCCEED", "https://h/x?sig=1", None)
        shown = [Video(id="v", status=word).contract()["status"] for word in words]
        assert shown == ["completed", "in_progress", "succeeded", "unknown", None]

    def test_no_field_holds_an_address(self):
        address = "https://cdn.example/x.mp4?sig=1"
        video = Video(
            id=address,
            status=address,
            model=f"at {address}",
            prompt=f"A boat: {address}?",
            seconds=address,
            size=f"//{address}",
            remixed_from_video_id=address,
            error={"code": address, "message": "see https://other.example/?sig=1"},
        )
        assert "//" not in json.dumps(video.contract())
        assert "sig" not in json.dumps(video.contract())
        assert video.contract()["error"]["message"] == "see ***"

    def test_the_prompt_that_was_sent_stays_as_it_is(self):
        prompt = "A boat\non https://example.com/?a=b"
        video = Video(id="v", prompt=prompt)
        assert video.contract()["prompt"] == "A boat\non ***"
        video.answering(Redactor(), prompt)
        assert video.contract()["prompt"] == prompt
        video.answering(Redactor(["https://example.com"]), prompt)
        assert video.contract()["prompt"] == "A boat\non ***/?a=b"

    def test_the_prompt_is_hidden_in_every_other_field(self):
        video = Video(
            id="v", prompt="A boat on a lake", model="A%20boat%20on%20a%20lake", size="a boat on a lake"
        )
        assert (video.contract()["model"], video.contract()["size"]) == ("***", "***")


def test_two_ids_that_only_look_like_a_gateway_s_are_two():
    broken = [f"video_{letter * 20}/w==" for letter in "/+"]
    assert not is_same_id(*broken)


@pytest.mark.parametrize(
    "field",
    [
        *("url", "urls", "unsigned_urls", "content", "videos", "result_url", "result_urls", "output_url"),
        *(
            "download_url",
            "video_url",
            "video_urls",
            "file_url",
            "uri",
            "output",
            "outputs",
            "result",
            "results",
        ),
        *("task_result", "creations", "generations", "generated_videos", "generated_samples"),
        *("generate_video_response", "assets", "video", "file", "files", "data", "response", "metadata"),
    ],
)
def test_each_field_of_a_result_is_looked_into(field):
    assert Video.model_validate({"id": "v", field: [{"url": URL}]}).result_url == URL


def test_a_result_is_looked_for_so_deep_and_no_deeper():
    nested: list[object] = [URL]
    for _ in range(7):
        nested = [nested]
    assert Video.model_validate({"id": "v", "output": nested}).result_url == URL
    assert Video.model_validate({"id": "v", "output": [nested]}).result_url is None


@pytest.mark.parametrize(
    ("given", "has_more"), [(True, True), (False, False), (None, None), ("false", None), (0, None)]
)
def test_only_a_page_that_says_so_has_a_next_one_or_none(given, has_more):
    assert VideoPage.model_validate({"data": [], "has_more": given}).has_more is has_more
