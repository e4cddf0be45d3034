from __future__ import annotations

import base64
import json

import httpx
import pytest

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.bounded_json import MAX_ANSWER_BYTES, MAX_PAGE_BYTES
from airflow_provider_videos.api.failures import (
    error_of,
    find_failed_video,
    is_no_route,
    outcome_of,
    problem_of,
    with_words_of,
    words_of,
)
from airflow_provider_videos.api.headers import (
    encoding_of,
    read_content_type,
    read_digest,
    read_etag,
    read_length,
    read_location,
    read_range,
)
from airflow_provider_videos.api.models import Phase
from airflow_provider_videos.api.operations import KINDS
from airflow_provider_videos.api.redaction import Redactor, redact
from airflow_provider_videos.api.responses import (
    read_character,
    read_file,
    read_model_names,
    read_page,
    read_video,
    without_secrets,
)
from airflow_provider_videos.api.retry import Call, Verdict, judge

FAILED = {
    "id": "v",
    "object": "video",
    "status": "failed",
    "error": {"code": 500, "message": "out of memory"},
}


NOW = 1_795_836_150.0


def answer(status: int, body: object = None, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return httpx.Response(status, content=content, headers=headers)


def error(response: httpx.Response, operation: str = "retrieve", **options) -> errors.AnswerError:
    outcome = outcome_of(response, NOW)
    kind = next(kind for kind in KINDS if kind.key == operation)
    return error_of(response, outcome, operation=kind, video_id="v", **{"secrets": (), **options})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "bad size", "type": "invalid_request_error", "code": None}}, "bad size"),
        ({"error": "Unauthorized"}, "Unauthorized"),
        ({"detail": "The limit of 1"}, "The limit of 1"),
        ({"detail": [{"loc": ["body", "seconds"], "msg": "too long"}]}, "body.seconds: too long"),
        ({"detail": ["one", {"msg": "two"}, {}]}, "one; two"),
        ({"code": "task_not_exist", "message": "no such task", "data": None}, "no such task"),
        ({"error": {"message": {"deep": 1}}}, '{"deep": 1}'),
        ({"error": None, "detail": "late"}, "late"),
        ("plain words", "plain words"),
        (b"\xff\xfe", "��"),
        ("", "no explanation"),
        ([1, 2], "[1, 2]"),
        ('"a string"', "a string"),
        ("[" * 100_000, "[" * 500),
    ],
)
def test_the_server_s_own_words_are_found_in_every_envelope(body, words):
    assert f"400: {words}" in str(error(answer(400, body)))


@pytest.mark.parametrize(
    ("status", "body", "operation", "kind"),
    [
        (401, {}, "retrieve", errors.Unauthorized),
        (403, {}, "retrieve", errors.Unauthorized),
        (404, {}, "retrieve", errors.NotFound),
        (410, {}, "create", errors.NotFound),
        (400, {"code": "task_not_exist"}, "retrieve", errors.NotFound),
        (405, {}, "delete", errors.NotSupported),
        (501, {}, "download", errors.NotSupported),
        (429, {}, "create", errors.Busy),
        (503, {"detail": "The limit of 1 job"}, "create", errors.Busy),
        (503, "<html>", "create", errors.ServerFault),
        (429, {"error": {"code": "insufficient_quota"}}, "create", errors.QuotaExhausted),
        (400, {}, "create", errors.Refused),
        (408, {}, "retrieve", errors.ServerFault),
        (500, {}, "retrieve", errors.ServerFault),
        (307, "", "create", errors.Refused),
    ],
)
def test_each_answer_has_its_branch_of_the_tree(status, body, operation, kind):
    assert type(error(answer(status, body), operation)) is kind


def test_an_error_holds_the_facts_of_its_answer():
    body = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    found = error(answer(429, body, **{"x-request-id": "req_9", "retry-after": "12"}))
    assert (found.status_code, found.code, found.request_id) == (429, "rate_limit_exceeded", "req_9")
    assert found.retry_after == 12
    assert found.video_id == "v"


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_service_names_both_likely_reasons(status):
    message = str(error(answer(status, {"detail": "Not Found"}), "create"))
    assert "does the base URL end in /v1" in message
    assert "still offer" in message
    assert "/v1" not in str(error(answer(status, {"detail": "Not Found"}), "retrieve"))


def test_an_unsupported_operation_is_named():
    assert "does not support remix" in str(error(answer(405, {}), "remix"))


def test_what_must_stay_secret_is_not_repeated():
    words = "Bad key sk-12345 for https://cdn/x.mp4?Signature=abc&k=1 and 'A boat at sea'"
    message = str(error(answer(401, {"error": words}), secrets=("sk-12345", None, "A boat at sea")))
    assert "sk-12345" not in message
    assert "Signature" not in message
    assert "boat" not in message
    assert "https://cdn/x.mp4?***" in message


@pytest.mark.parametrize(
    "body",
    [
        {"detail": {"you asked": 'A "boat" at sea\nß'}},
        {"error": {"message": 'no: A "boat" at sea\nß', "code": 'A "boat" at sea\nß'}},
        {"error": {"message": {"prompt": 'A "boat" at sea\nß'}}},
    ],
)
def test_a_prompt_is_found_in_every_disguise(body):
    assert "boat" not in str(error(answer(400, body), secrets=('A "boat" at sea\nß',)))


@pytest.mark.parametrize(
    "body",
    [FAILED, {"error": {"message": json.dumps(FAILED), "code": "500"}}, {"error": json.dumps(FAILED)}],
)
def test_a_failed_video_is_found_inside_an_error(body):
    video = find_failed_video(answer(500, body), "v")
    assert video.phase is Phase.FAILED
    assert video.error.message == "out of memory"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {}),
        (500, "oops"),
        (500, {"id": "v", "object": "video", "status": "queued"}),
        (500, {"id": "v", "object": "video", "status": "success"}),
        (500, {"error": {"message": "[1]"}}),
        # a gateway's envelope, with an id and a status of its own, or with ours
        *(
            (status, {"id": "req_77", "status": "error", "message": "no upstream"})
            for status in (400, 500, 503)
        ),
        *((status, {"id": "v", "status": "error"}) for status in (400, 404, 500, 502, 503)),
        (500, {"id": "v", "status": "failed", "error": "upstream timed out"}),
        (500, {"id": "v", "status": "error", "error": {"message": "upstream timed out"}}),
        (500, {"id": "v", "object": "error", "status": "failed", "error": {"message": "oops"}}),
        (500, {"error": {"message": json.dumps({"id": "v", "status": "failed"})}}),
        # another video that an error quotes
        (500, {**FAILED, "id": "w"}),
        (500, {"error": {"message": "still busy with " + json.dumps({**FAILED, "id": "w"})}}),
        (500, {"error": {"message": json.dumps({"data": [FAILED]})}}),
        # another status than those of the servers that do so
        *((status, FAILED) for status in (401, 403, 404, 409, 410, 422, 429, 501, 502, 503, 504)),
        (503, {"error": {"message": json.dumps(FAILED)}}),
    ],
)
def test_other_errors_are_no_failed_video(status, body):
    assert find_failed_video(answer(status, body), "v") is None


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("word", ["failed", "error", "cancelled", "expired"])
def test_a_failed_video_is_the_one_that_was_asked_for(status, word):
    body = {**FAILED, "status": word}
    assert find_failed_video(answer(status, body), "v").status == word
    assert find_failed_video(answer(status, body), "w") is None


def test_a_failed_video_need_not_call_itself_one():
    body = {"id": "v", "status": "failed", "error": {"message": "out of memory"}}
    assert find_failed_video(answer(500, body), "v").error.message == "out of memory"


def test_a_gateway_s_id_holds_that_of_the_video_it_quotes():
    inner = "gateway:provider:hosted;model_id:wan;video_id:upstream"
    asked = "video_" + base64.b64encode(inner.encode()).decode()
    assert find_failed_video(answer(500, {"error": WRAPPED}), asked).id == "upstream"
    assert find_failed_video(answer(500, {"error": WRAPPED}), "v") is None


@pytest.mark.parametrize("charset", ["hex", "zlib", "rot13", "utf-7", "nonsense", "utf-16"])
def test_a_charset_is_not_believed(charset):
    response = answer(200, {"id": "v"}, **{"content-type": f"application/json; charset={charset}"})
    assert read_video(response).id == "v"
    assert "400" in str(error(answer(400, "oops", **{"content-type": f"text/plain; charset={charset}"})))


def test_half_a_character_is_no_obstacle():
    video = read_video(answer(200, '{"id": "v", "prompt": "boat \\ud83d", "\\ud83d": ["\\ud83d"]}'))
    assert video.contract()["prompt"] == "boat ?"
    assert video.model_extra == {"?": ["?"]}


@pytest.mark.parametrize(
    "body", [b"", b"\x00", "<html>", "{", {"id": ""}, {"no": "id"}, [], None, "[" * 10_000]
)
def test_a_success_that_is_no_video_is_unreadable_and_is_not_quoted(body):
    with pytest.raises(errors.Unreadable) as caught:
        read_video(answer(200, body))
    assert "html" not in str(caught.value)


def test_a_page_keeps_what_has_an_id():
    page = read_page(answer(200, {"data": [{"id": "a"}, {}, None, {"id": 7}], "has_more": "yes"}))
    assert [video.id for video in page.data] == ["a", "7"]
    assert page.has_more is None
    assert [video.id for video in read_page(answer(200, [{"id": "a"}])).data] == ["a"]


@pytest.mark.parametrize("body", [{}, {"data": {}}, "no", 3])
def test_a_success_that_is_no_list_is_unreadable(body):
    with pytest.raises(errors.Unreadable):
        read_page(answer(200, body))


@pytest.mark.parametrize(
    ("body", "names"),
    [({"data": [{"id": "wan"}, {}, 3]}, ["wan"]), ({}, []), ({"data": 3}, [])],
)
def test_models_are_named_where_they_are_listed(body, names):
    assert read_model_names(answer(200, body)) == names


def test_a_login_page_is_no_list_of_models():
    with pytest.raises(errors.Unreadable):
        read_model_names(answer(200, "<html>"))


WRAPPED = (
    "litellm.InternalServerError: OpenAIException - "
    + json.dumps({**FAILED, "id": "upstream"})
    + "\n\nLiteLLM: model group 'x' failed with the error above."
)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": WRAPPED, "code": "500"}},
        {"error": WRAPPED},
        {"detail": "{not this} " + WRAPPED},
        {"message": '{"error": {"id": 1}} and ' + WRAPPED},
    ],
)
def test_a_failed_video_is_found_in_the_middle_of_a_text(body):
    assert find_failed_video(answer(500, body), "upstream").error.message == "out of memory"


@pytest.mark.parametrize("text", ["{" * 100_000, '{"a":' * 100_000, "{} " * 30 + json.dumps(FAILED)])
def test_the_search_for_a_failed_video_has_an_end(text):
    assert find_failed_video(answer(500, {"error": text}), "v") is None


@pytest.mark.parametrize(
    "operation", ["list", "remix", "edit", "extend", "create character", "get character"]
)
@pytest.mark.parametrize(
    "body",
    [
        {"detail": "Not Found"},
        {"error": {"message": "Invalid URL (GET /v1/videos)", "type": "invalid_request_error"}},
        {"error": True, "status": 404, "message": "Not Found"},
        "404 page not found",
        {"error": {"message": 'litellm.NotFoundError: Exception - {"detail":"Not Found"}\n\nLiteLLM: no'}},
        "Cannot POST /v1/videos/v/remix",
        "",
    ],
)
def test_a_place_that_is_missing_is_an_operation_that_is_not_supported(operation, body):
    found = error(answer(404, body), operation)
    assert type(found) is errors.NotSupported
    assert f"does not support {operation}, or" in str(found)


@pytest.mark.parametrize("operation", ["remix", "edit", "list"])
def test_a_video_that_is_missing_is_not_an_operation_that_is(operation):
    assert type(error(answer(404, {"detail": "Video v not found"}), operation)) is errors.NotFound


def test_a_character_is_read_by_its_id():
    assert read_character(answer(200, {"id": 7, "name": "Otter"})).id == "7"
    with pytest.raises(errors.Unreadable, match="a character with an id"):
        read_character(answer(200, {"name": "Otter"}))


def test_what_is_unreadable_is_described():
    with pytest.raises(errors.Unreadable) as caught:
        read_video(answer(201, {"name": "x"}, **{"content-type": "text/x", "x-request-id": "req_1"}))
    assert "answered 201, but not with a video with an id: 13 bytes of text/x" in str(caught.value)
    assert (caught.value.status_code, caught.value.request_id) == (201, "req_1")


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (403, {}, errors.Refused),
        (404, {}, errors.Refused),
        (429, {}, errors.Busy),
        (503, {"retry-after": "1"}, errors.Busy),
        (500, {}, errors.ServerFault),
        (408, {}, errors.ServerFault),
        (501, {}, errors.Refused),
    ],
)
def test_elsewhere_nothing_is_said_of_the_key_or_the_video(status, headers, kind):
    found = error(answer(status, "AccessDenied", **headers), "download", elsewhere="cdn.example")
    assert type(found) is kind
    assert "AccessDenied; it is where the server says that the file is" in str(found)


def test_a_model_that_is_gone_may_be_a_service_that_is():
    body = {"error": {"message": "no such model", "code": "model_not_found"}}
    found = error(answer(400, body), "create")
    assert type(found) is errors.Refused
    assert "still offer the Videos API" in str(found)
    assert "still offer" not in str(
        error(answer(400, {"error": {"message": "x", "code": "other"}}), "create")
    )


def test_the_parameter_at_fault_is_named():
    body = {"error": {"message": "bad", "param": "size", "type": "invalid_request_error"}}
    assert "bad (parameter size)" in str(error(answer(400, body)))
    assert "parameter" not in str(error(answer(400, {"error": {"message": "bad"}})))


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"error": {"message": "slow", "type": "overload", "code": 7}}, "7", "overload slow"),
        ({"error": "slow", "code": "c", "type": "t"}, "c", "t slow"),
        ({"error": {"message": "slow", "code": True}}, None, " slow"),
        ({"message": "slow", "code": None}, None, " slow"),
        ("plain", None, " "),
    ],
)
def test_the_retry_table_is_told_code_type_and_words(body, code, words):
    outcome = outcome_of(answer(503, body, **{"retry-after": "3"}), NOW)
    assert (outcome.status_code, outcome.code, outcome.words) == (503, code, words)
    assert outcome.retry_after == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"detail": "Not Found"}, True),
        ({"error": {"message": '{"detail": "Not Found"}'}}, True),
        (b"404 page not found\n", True),
        (b"", True),
        ({"detail": "Video not found"}, False),
        ({"error": {"message": "No such video"}}, False),
    ],
)
def test_a_path_that_nobody_has_is_told_from_a_video_that_nobody_has(body, expected):
    assert is_no_route(answer(404, body)) is expected


@pytest.mark.parametrize(
    ("body", "is_own"),
    [
        ({"error": {"message": "The limit of 1 job is reached"}}, True),
        ({"error": "busy"}, True),
        ({"detail": "The limit of 1 ..."}, True),
        ({"code": "task_limit", "message": "too many", "data": None}, True),
        # what proxies write
        ({"message": "Service Unavailable"}, False),
        ({"message": "too many connections", "code": 14}, False),
        ("no healthy upstream", False),
        ([], False),
        (b"<html>503 Service Temporarily Unavailable</html>", False),
        (b"", False),
    ],
)
def test_the_api_s_own_envelope_is_told_from_a_proxy_s_page(body, is_own):
    for status in (409, 503):
        outcome = outcome_of(answer(status, body, **{"retry-after": "3"}), NOW)
        assert outcome.is_own is is_own
        assert outcome.surely_not_accepted is is_own
        assert judge(Call.READ, outcome) is Verdict.RETRY


def test_a_page_that_a_cache_has_kept_says_so():
    assert not read_page(answer(200, {"data": []})).cached
    assert read_page(answer(200, {"data": [], "cached": False}, age="0")).cached


def test_a_code_and_a_request_id_hide_what_is_secret_too():
    body = {"error": {"message": "x", "code": "sk-12345"}}
    found = error(answer(401, body, **{"x-request-id": "sk-12345"}), secrets=("sk-12345",))
    assert (found.code, found.request_id) == ("***", "***")
    assert error(answer(401, body)).request_id is None


@pytest.mark.parametrize(
    ("words", "repeated"),
    [
        ("short", "short"),
        ("x" * 501, "x" * 500),
        ("see https://h/p?a=1&b=2 and", "see https://h/p?*** and"),
        ("no?query", "no?query"),
        ("the key abcde", "the key abcde"),
        ("the key abcdef", "the key ***"),
    ],
)
def test_words_are_repeated_short_and_without_secrets(words, repeated):
    assert redact(words, ("abcde" if words.endswith("abcde") else "abcdef", "", None)) == repeated


@pytest.mark.parametrize("secret", ['"Ahoy"', "Ahoy, ä boat", 'Say "ahoy"'])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_secret_is_hidden_whole_as_json_writes_it(secret, ascii_only):
    words = json.dumps({"detail": secret}, ensure_ascii=ascii_only)
    assert redact(words, (secret,)) == '{"detail": "***"}'


@pytest.mark.parametrize(
    ("words", "repeated"),
    [
        ("prompt 'A boat on a lake at...'", "prompt '***...'"),
        ("prompt 'A boat on a ...'", "prompt '***...'"),
        ("prompt 'A boat on a...'", "prompt 'A boat on a...'"),
    ],
)
def test_a_secret_is_hidden_also_where_a_server_cuts_it_short(words, repeated):
    assert redact(words, ("A boat on a lake at night",)) == repeated


def test_why_a_job_failed_is_repeated_without_its_prompt():
    failed = read_video(
        answer(200, {**FAILED, "prompt": "A boat", "error": {"code": 5, "message": "A boat!"}})
    )
    assert (problem_of(failed).code, problem_of(failed).message) == ("5", "***!")
    without = problem_of(read_video(answer(200, {"id": "v", "status": "failed"})))
    assert not without.code
    assert not without.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "expired"}}', "expired"),
        (b'{"detail": "not ready"}', "not ready"),
        (b'{"prompt": "a boat", "url": "https://h/x?sig=1"}', "JSON with prompt, url"),
        (b"<html>https://h/x?sig=1</html>", "<html>https://h/x?***"),
        (b'"a string"', "a string"),
        (b"[1]", "[1]"),
        (b"\xff", "\ufffd"),
    ],
)
def test_a_body_that_is_no_file_is_described(body, words):
    assert words_of(body) == words


@pytest.mark.parametrize("status", [404, 410])
def test_a_place_that_is_gone_is_one_that_is_missing(status):
    assert type(error(answer(status, {"detail": "Not Found"}), "remix")) is errors.NotSupported
    assert type(error(answer(status, {"detail": "Not Found"}), "delete")) is errors.NotFound
    assert "/v1" in str(error(answer(status, {"detail": "Not Found"}), "list models"))


@pytest.mark.parametrize("status", [405, 501])
def test_both_ways_to_say_that_there_is_no_such_thing(status):
    found = error(answer(status, {}), "delete")
    assert type(found) is errors.NotSupported
    assert str(found).count("this server does not support delete") == 1
    assert "or does not know" not in str(found)


def test_items_that_are_no_models_are_passed_over():
    assert read_model_names(answer(200, {"data": [{"id": 7}, "x", {"name": "y"}, {"id": "z"}]})) == ["7", "z"]
    assert read_model_names(answer(200, [1])) == []


@pytest.mark.parametrize(
    ("header", "place"),
    [
        ("bytes 5-9/10", (5, 10)),
        ("bytes 5-9/*", (5, None)),
        ("bytes */10", (None, None)),
        ("bytes 5-9", (None, None)),
        ("items 5-9/10", (None, None)),
        ("bytes -5-9/10", (None, None)),
        ("", (None, None)),
    ],
)
def test_a_part_says_where_it_begins(header, place):
    assert read_range({"content-range": header}) == place


@pytest.mark.parametrize("etag", ['"abc"', '"a-1"', '""'])
def test_a_strong_etag_stands_for_the_bytes(etag):
    assert read_etag({"etag": etag}) == etag


@pytest.mark.parametrize("etag", ['W/"abc"', "abc", '"a"b"', "", '"\u00e4"'])
def test_any_other_does_not(etag):
    assert read_etag({"etag": etag}) is None


@pytest.mark.parametrize(("length", "size"), [("10", 10), ("0", 0), ("-1", None), ("", None), ("1e3", None)])
def test_a_length_is_a_number(length, size):
    assert read_length({"content-length": length}) == size


SHA, MD5 = "A" * 42 + "8=", "A" * 21 + "Q=="


@pytest.mark.parametrize(
    ("headers", "algorithm"),
    [
        ({"repr-digest": f"md5=:xx:, sha-256=:{SHA}:"}, "sha256"),
        ({"digest": f"SHA-256={SHA},unixsum=3"}, "sha256"),
        ({"content-md5": MD5}, "md5"),
        ({"x-goog-hash": f"crc32c=AAAAAA==,md5={MD5}"}, "md5"),
        ({"repr-digest": "sha-256=:not base64:", "content-md5": MD5}, "md5"),
        ({"repr-digest": f"sha-256=:{MD5}:"}, None),
        ({}, None),
    ],
)
def test_a_digest_is_read_in_each_of_its_spellings(headers, algorithm):
    digest = read_digest(headers)
    assert (digest and digest[0]) == algorithm
    if digest:
        assert digest[1] == base64.b64decode({"sha256": SHA, "md5": MD5}[digest[0]]).hex()


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}},
        {"error": {"message": "oops", "type": "no_db_connection", "code": "400"}},
        {"error": {"message": "oops", "type": "auth_error", "code": "no_db_connection"}},
        {"error": {"message": 'Exception - {"error": {"message": "No connected db."}}'}},
    ],
)
def test_a_gateway_without_a_database_refuses_the_key(body):
    refused = error(answer(400, body))
    assert type(refused) is errors.Unauthorized
    assert "check the key" in str(refused)
    assert refused.status_code == 400
    assert type(error(answer(500, body))) is errors.ServerFault


@pytest.mark.parametrize("words", ["no_db_connections_left", "db", "not connected", "volcano_db_connection"])
def test_other_refusals_are_not_about_the_key(words):
    assert type(error(answer(400, {"error": {"message": words, "code": words}}))) is errors.Refused


class TestWithoutSecrets:
    """Reading an answer without what must not be kept."""

    KEY = "sk-live-Zq9xT4wLm8Rk2Vb7"
    REDACTOR = Redactor([KEY, "acme-video-team"], keys=[KEY])

    def fit(self, *, sent=None, asked=None, **fields):
        video = read_video(answer(200, {"id": "v", **fields}))
        return without_secrets(video, self.REDACTOR, sent=sent or {}, asked=asked)

    @pytest.mark.parametrize("name", ["status", "model", "seconds", "size"])
    @pytest.mark.parametrize("form", [str, str.upper, lambda key: base64.b64encode(key.encode()).decode()])
    def test_a_word_that_repeats_a_secret_is_hidden(self, name, form):
        video = self.fit(**{name: f"x {form(self.KEY)}"})
        assert "***" in getattr(video, name)
        assert form(self.KEY)[:12] not in json.dumps(video.contract())

    @pytest.mark.parametrize(
        ("name", "longest"), [("status", 64), ("model", 200), ("seconds", 32), ("size", 32)]
    )
    def test_a_word_is_cut(self, name, longest):
        assert getattr(self.fit(**{name: "x" * 300}), name) == "x" * longest

    def test_a_word_is_searched_for_the_video_s_prompt(self):
        hidden = base64.b64encode(b"A boat on a lake").decode()
        assert hidden not in self.fit(prompt="A boat on a lake", model=hidden).model
        assert self.fit(prompt="A boat", model="a boat-2").model == "***-2"

    def test_what_repeats_the_request_in_its_place_stays(self):
        assert self.fit(sent={"model": "acme-video-team/wan"}, model="acme-video-team/wan").model == (
            "acme-video-team/wan"
        )
        assert self.fit(sent={}, model="acme-video-team/wan").model == "***/wan"

    def test_an_id_that_was_asked_for_stays(self):
        video = self.fit(asked="v", remixed_from_video_id=f"v-{self.KEY}")
        assert (video.id, video.remixed_from_video_id) == ("v", "v-***")

    def test_why_a_job_failed_is_hidden_too(self):
        failed = self.fit(
            status="failed",
            prompt="A boat on a lake",
            error={"code": "A boat on a lake", "message": self.KEY},
        )
        assert (failed.error.code, failed.error.message) == ("***", "***")
        assert self.fit(status="failed", error={"code": "c" * 101}).error.code == "c" * 100

    def test_every_video_of_a_page_is_searched(self):
        page = read_page(answer(200, [{"id": "a", "model": self.KEY}, {"id": self.KEY}]))
        found = without_secrets(page, self.REDACTOR, sent={})
        assert [(video.id, video.model) for video in found.data] == [("a", "***"), ("***", None)]

    def test_characters_and_names_are_searched(self):
        character = read_character(answer(200, {"id": "c", "name": self.KEY}))
        assert without_secrets(character, self.REDACTOR, sent={}).name == "***"
        unnamed = without_secrets(read_character(answer(200, {"id": self.KEY})), self.REDACTOR, sent={})
        assert (unnamed.id, unnamed.name) == ("***", None)
        assert without_secrets(["wan", self.KEY, "x" * 300], self.REDACTOR, sent={}) == [
            "wan",
            "***",
            "x" * 200,
        ]
        assert without_secrets(7, self.REDACTOR, sent={}) == 7


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (
            "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>secret</StringToSign></Error>",
            "SignatureDoesNotMatch",
        ),
        ({"error": {"code": "expired_link", "message": "https://cdn/x?sig=secret"}}, "expired_link"),
        ("AccessDenied", "AccessDenied"),
        ("secret sauce", None),
        ({"error": {"code": "secret-123"}}, None),
        ("<Code>secret 1</Code>", None),
    ],
)
def test_elsewhere_only_status_and_code_are_repeated(body, code):
    response = answer(403, body, **{"x-request-id": "secret"})
    found = error(response, "download", elsewhere="cdn.example")
    assert (found.status_code, found.code, found.request_id) == (403, code, None)
    assert "secret" not in str(found)
    assert f"answered 403{f': {code}' if code else ''}; it is where" in str(found)


def test_what_is_unreadable_is_reworded_without_secrets():
    with pytest.raises(errors.Unreadable) as caught:
        read_video(answer(200, "no", **{"content-type": "text/sk-12345678", "x-request-id": "sk-12345678"}))
    response = answer(200, {"error": {"message": "no sk-12345678", "code": "sk-12345678"}})
    error = with_words_of(response, caught.value, secrets=["sk-12345678"])
    assert str(error).startswith("the server answered 200, but not with JSON: 2 bytes of text/***: no ***")
    assert error.code == "***"
    error = with_words_of(response, caught.value, secrets=["sk-12345678"], at_home=False)
    assert error.code is None
    assert "2 bytes of text/***" in str(error)
    assert (error.status_code, error.request_id) == (200, "***")


def test_the_limits_are_the_documented_ones():
    assert (MAX_ANSWER_BYTES, MAX_PAGE_BYTES) == (65_536, 4_194_304)


def limited(body: bytes, limit: int = MAX_ANSWER_BYTES, **extensions) -> httpx.Response:
    return httpx.Response(200, content=body, extensions={"limit": limit, **extensions})


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "v", "x": [' + b"[]," * 8200 + b"1]}",
        b'{"id": "v", "x": ' + b"9" * 1001 + b"}",
        b'{"id": "v", "x": ' + b"[" * 65 + b"]" * 65 + b"}",
        b'{"id": "v", "x": ' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}",
    ],
    ids=["many values", "a long number", "deep lists", "deep objects"],
)
def test_json_that_costs_more_than_a_status_is_none(body):
    assert len(body) < MAX_ANSWER_BYTES
    with pytest.raises(errors.Unreadable, match="not with JSON"):
        read_video(limited(body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "v", "x": [' + b"[]," * 4000 + b"1]}",
        b'{"id": "v", "x": ' + b"9" * 1000 + b"}",
        b'{"id": "v", "x": ' + b"[" * 62 + b"]" * 62 + b"}",
        b'{"id": "v"}'.ljust(MAX_ANSWER_BYTES),
    ],
    ids=["values", "a number", "lists", "bytes"],
)
def test_json_within_the_limits_is_read(body):
    assert read_video(limited(body)).id == "v"


def test_what_is_longer_than_its_limit_says_how_long_it_may_be():
    with pytest.raises(errors.Unreadable, match=f"at most {MAX_ANSWER_BYTES} bytes"):
        read_video(limited(b'{"id": "v"}'.ljust(MAX_ANSWER_BYTES + 1)))
    assert outcome_of(limited(b'{"error": "busy"}'.ljust(MAX_ANSWER_BYTES + 1)), NOW).words.strip() == ""


@pytest.mark.parametrize(("count", "is_read"), [(10_000, True), (10_001, False)])
def test_a_page_holds_so_many_videos(count, is_read):
    page = limited(json.dumps([{"id": "v"}] * count).encode(), MAX_PAGE_BYTES)
    if is_read:
        assert len(read_page(page).data) == count
        return
    with pytest.raises(errors.Unreadable, match="a page of at most 10000 videos"):
        read_page(page)


def test_what_is_encoded_is_refused_by_name():
    for read in (read_video, read_file):
        with pytest.raises(errors.Unreadable, match="a body encoded as br, which is never decoded") as raised:
            read(limited(b"", encoding="br"))
        assert raised.value.status_code == 200
    assert read_file(plain := limited(b"")) is plain
    assert encoding_of({"content-encoding": "Identity, "}) is None
    assert encoding_of({"content-encoding": "identity, gzip"}) == "identity, gzip"
    assert encoding_of({}) is None


@pytest.mark.parametrize("body", [{"error": "no such key"}, {"code": 401, "message": "no such key"}])
def test_an_error_is_no_list_of_models(body):
    with pytest.raises(errors.Unreadable, match="a list of models"):
        read_model_names(answer(200, body))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        *(("video/mp4", "video/mp4"), ("caf\u00e9", None), ("", None), ("a\tb", None)),
        *(("v" * 255, "v" * 255), ("v" * 256, None)),
    ],
)
def test_a_content_type_that_no_header_can_carry_is_none(given, read):
    assert read_content_type({"content-type": given}) == read


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (b"http://h/a?b=%20#c", "http://h/a?b=%20#c"),
        ("http://h/caf\u00e9".encode(), "http://h/caf%C3%A9"),
        (b"http://h/caf\xe9", "http://h/caf%E9"),
        (b"/a b", "/a%20b"),
    ],
)
def test_bytes_of_an_address_are_escaped_as_what_they_are(given, read):
    assert read_location(httpx.Headers([(b"location", given)])) == read
