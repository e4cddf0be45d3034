"""Both clients, over real HTTP, against the emulator."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
import tracemalloc
from contextlib import nullcontext
from dataclasses import replace

import pytest
from PIL import Image

from airflow_provider_videos.api import errors, requests
from airflow_provider_videos.api.bounded_json import MAX_ANSWER_BYTES, MAX_PAGE_BYTES
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.api.models import Phase
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.api.uploads import Upload
from airflow_provider_videos.emulator import AddHeaders, Answer, Cut, Drop, Emulator, Failed, Fault, Stall


def image(kind: str = "PNG", size: tuple[int, int] = (1280, 720)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, kind)
    return file.getvalue()


def test_a_video_from_prompt_to_bytes(client, videos_emulator):
    bought = client.create("A paper boat", model="emulated-1", seconds=4, size="1280x720")
    assert bought.phase is Phase.WAITING
    videos_emulator.clock.advance(60)
    video = client.retrieve(bought.id)
    assert video.phase is Phase.SUCCEEDED
    assert (video.seconds, video.size, video.prompt) == ("4", "1280x720", "A paper boat")
    with client.download_content(bought.id) as content:
        body = b"".join(content.chunks)
    assert content.length == len(body)
    assert content.content_type == "video/mp4"
    assert body[4:8] == b"ftyp"
    assert client.delete(bought.id).deleted is True
    assert client.delete(bought.id).deleted is False


@pytest.mark.parametrize("request_format", ["multipart", "json"])
def test_create_travels_in_either_encoding(connect, endpoint, videos_emulator, request_format):
    client = connect(replace(endpoint, request_format=request_format, model="emulated-1"))
    client.create("A boat", seconds="8", extra_body={"seed": 7, "tags": ["a"], "prompt": "A ship"})
    fields = videos_emulator.purchases[0].fields
    (kind,) = {e.headers["content-type"].split(";")[0] for e in videos_emulator.record.exchanges}
    assert kind == {"multipart": "multipart/form-data", "json": "application/json"}[request_format]
    assert fields["prompt"] == "A ship"
    assert fields["model"] == "emulated-1"
    assert fields["seconds"] == "8"
    assert "size" not in fields
    assert str(fields["seed"]) == "7"


def test_seconds_can_be_an_integer(connect, endpoint):
    operation = connect(replace(endpoint, request_format="json", seconds_type="integer"))
    with pytest.raises(errors.Refused, match="seconds"):
        operation.create("A boat", seconds="8")  # the contract wants a string, and says so
    with pytest.raises(errors.InvalidRequest, match="whole seconds"):
        operation.create("A boat", seconds="auto")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("request_format", ["multipart", "json"])
def test_a_reference_image_is_sent_with_its_type(connect, endpoint, videos_emulator, kind, request_format):
    client = connect(replace(endpoint, request_format=request_format))
    client.create("A boat", size="1280x720", input_reference=Upload.image("first-frame", image(kind)))
    assert f"image/{kind.lower()}" in str(videos_emulator.purchases[0].fields["input_reference"])


def test_a_reference_by_id_is_json(client, videos_emulator):
    client.create("A boat", input_reference={"file_id": "file_1"})
    assert videos_emulator.purchases[0].fields["input_reference"] == {"file_id": "file_1"}


def test_remix_makes_a_video_of_a_video(client, videos_emulator):
    first = client.create("A boat")
    videos_emulator.clock.advance(60)
    second = client.remix(first.id, "The boat is red")
    assert second.remixed_from_video_id == first.id


class TestDerived:
    @pytest.fixture
    def completed(self, client, videos_emulator) -> str:
        video_id = client.create("A boat", size="1280x720", seconds=4).id
        videos_emulator.clock.advance(60)
        return video_id

    @pytest.fixture
    def clip(self, client, completed) -> bytes:
        with client.download_content(completed) as content:
            return b"".join(content.chunks)

    def test_edit_by_id_is_json(self, client, videos_emulator, completed):
        client.edit(completed, "The boat is red", extra_body={"seed": 7})
        assert videos_emulator.purchases[-1].fields == {
            "prompt": "The boat is red",
            "video": {"id": completed},
            "seed": 7,
        }

    def test_extend_by_id_returns_the_total(self, client, completed):
        assert client.extend(completed, "It sails on", seconds="8").seconds == "12"

    @pytest.mark.parametrize("open_file", [bytes, io.BytesIO])
    def test_edit_and_extend_take_a_file_and_send_it_whole_again(
        self, client, videos_emulator, clip, open_file
    ):
        upload = Upload.video("clip.mp4", open_file(clip))
        videos_emulator.inject(Fault(Answer(status=429), operation="edit"))
        edited = client.edit(upload, "The boat is red")
        extended = client.extend(upload, "It sails on", seconds=4)
        assert (edited.size, extended.seconds) == ("1280x720", "8")
        sizes = {purchase.fields["video"]["size"] for purchase in videos_emulator.purchases[1:]}
        assert sizes == {len(clip)}

    @pytest.mark.parametrize("request_format", ["multipart", "json"])
    def test_characters_are_made_asked_for_and_cast(
        self, connect, endpoint, videos_emulator, clip, request_format
    ):
        client = connect(replace(endpoint, request_format=request_format))
        made = client.create_character("Captain", Upload.video("clip.mp4", clip))
        assert client.get_character(made.id) == made
        assert made.name == "Captain"
        client.create("A boat and its captain", characters=[made.id])
        with pytest.raises(errors.NotFound):
            client.create("A boat and its captain", characters=["char_unknown"])

    def test_a_character_without_a_name_is_refused(self, client, clip):
        with pytest.raises(errors.InvalidRequest, match="name"):
            client.create_character(" ", Upload.video("clip.mp4", clip))


@pytest.mark.parametrize(("order", "limit"), [("asc", 2), ("desc", 3), ("asc", None)])
def test_the_list_pages_by_itself(client, videos_emulator, order, limit):
    bought = []
    for number in range(5):
        bought.append(client.create(f"Boat {number}").id)
        videos_emulator.clock.advance(1)
    expected = bought if order == "asc" else bought[::-1]
    assert [video.id for video in client.list(order=order, limit=limit)] == expected
    assert [video.id for video in client.list(order=order, limit=limit, after=expected[1])] == expected[2:]


def test_the_list_is_lazy(client, videos_emulator):
    for number in range(4):
        client.create(f"Boat {number}")
    videos = client.list(limit=1)
    assert videos_emulator.record.requests["list"] == 0
    next(videos)
    assert videos_emulator.record.requests["list"] == 1


@pytest.mark.parametrize("has_more", [True, None])
def test_a_list_that_never_ends_is_left(client, videos_emulator, has_more):
    page = {"data": [{"id": "a"}, {"id": "b"}], "has_more": has_more}
    videos_emulator.inject(Fault(Answer(status=200, body=page), operation="list", times=None))
    assert [video.id for video in client.list()] == ["a", "b"]
    assert videos_emulator.record.requests["list"] == 2


def test_an_unset_field_is_not_sent(client, videos_emulator):
    client.create("A boat", seconds=None, size="", model="")
    assert set(videos_emulator.purchases[0].fields) == {"prompt"}


@pytest.mark.parametrize("prompt", ["", "  ", None])
def test_an_empty_prompt_is_refused_before_anything_is_sent(client, videos_emulator, prompt):
    with pytest.raises(errors.InvalidRequest, match="prompt"):
        client.create(prompt)
    assert videos_emulator.record.connections == 0


@pytest.mark.parametrize("video_id", ["", " ", ".", "..", None])
def test_an_empty_id_never_reaches_another_path(client, videos_emulator, video_id):
    with pytest.raises(errors.InvalidRequest, match="video_id"):
        client.delete(video_id)
    assert videos_emulator.record.connections == 0


@pytest.mark.parametrize(
    ("video_id", "path"),
    [
        ("a/b", b"/v1/videos/a%2Fb"),
        ("a%2Fb", b"/v1/videos/a%252Fb"),
        ("v=+:", b"/v1/videos/v%3D%2B%3A"),
        ("../x", b"/v1/videos/..%2Fx"),
        ("é ?#&", b"/v1/videos/%C3%A9%20%3F%23%26"),
        ("v" * 300, b"/v1/videos/" + b"v" * 300),
    ],
)
def test_an_id_travels_whole(endpoint, video_id, path):
    assert requests.retrieve(video_id).request(endpoint).url.raw_path == path


class TestFaults:
    """Repetition after faults, and what is never repeated."""

    @pytest.mark.parametrize("effect", [Drop(), Drop(reset=True), Answer(status=500), Answer(status=502)])
    def test_a_read_is_repeated(self, client, videos_emulator, effect):
        bought = client.create("A boat")
        videos_emulator.inject(Fault(effect, operation="retrieve", times=2))
        assert client.retrieve(bought.id).id == bought.id
        assert videos_emulator.record.requests["retrieve"] == 3

    @pytest.mark.parametrize(
        ("effect", "bought"),
        [
            (Drop(), 0),
            (Drop(accepted=True), 1),
            (Drop(accepted=True, reset=True), 1),
            (Cut(after_bytes=5), 1),
            (Answer(status=500), 0),
            (Answer(status=500, accepted=True), 1),
            (Answer(status=503, body="<html>"), 0),
            (Answer(status=408), 0),
            (Answer(status=503, body={"message": "Service Unavailable"}, accepted=True), 1),
            (Answer(status=303, headers={"Location": "/v1/videos/v"}, accepted=True), 1),
            (Answer(status=200, body="<html>", accepted=True), 1),
            (Answer(status=200, body={"no": "id"}, accepted=True), 1),
        ],
    )
    def test_a_purchase_of_unknown_outcome_is_not_repeated(self, client, videos_emulator, effect, bought):
        videos_emulator.inject(Fault(effect, operation="create"))
        with pytest.raises(errors.OutcomeUnknown, match="answer to a purchase is lost"):
            client.create("A boat at sea")
        assert videos_emulator.record.requests["create"] == 1
        assert len(videos_emulator.purchases) == bought

    @pytest.mark.parametrize(
        ("effect", "is_pending"),
        [(Drop(), False), (Answer(status=500), False), (Answer(status=504), True), (Stall(), True)],
    )
    def test_a_purchase_whose_end_nobody_saw_may_be_pending(
        self, endpoint, videos_emulator, effect, is_pending
    ):
        videos_emulator.inject(Fault(effect, operation="create"))
        endpoint = replace(endpoint, timeout=Timeouts(read=0.2))
        with VideosClient(endpoint) as client, pytest.raises(errors.OutcomeUnknown) as caught:
            client.create("A boat at sea")
        assert caught.value.is_pending is is_pending

    @pytest.mark.parametrize(
        "effect",
        [
            Answer(status=429),
            Answer(status=429, headers={"retry-after-ms": "1"}),
            Answer(status=503, body={"error": {"message": "The engine is currently overloaded"}}),
            Answer(status=503, body={"detail": "The limit of 1 concurrent job is reached"}),
            Answer(status=409, headers={"Retry-After": "0"}),
        ],
    )
    def test_a_purchase_is_repeated_when_the_server_said_no(self, client, videos_emulator, effect):
        videos_emulator.inject(Fault(effect, operation="create", times=2))
        client.create("A boat")
        assert videos_emulator.record.requests["create"] == 3
        assert len(videos_emulator.purchases) == 1

    def test_each_purchase_has_a_connection_of_its_own(self, client, videos_emulator):
        bought = [client.create("A boat") for _ in range(3)]
        for video in bought:
            client.retrieve(video.id)
        by_operation = [(e.operation, e.connection) for e in videos_emulator.record.exchanges]
        assert len({number for name, number in by_operation if name == "create"}) == 3
        assert len({number for name, number in by_operation if name == "retrieve"}) == 1

    def test_a_long_retry_after_is_handed_on(self, client, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=429, headers={"Retry-After": "3600"}), operation="create"))
        with pytest.raises(errors.Busy) as caught:
            client.create("A boat")
        assert caught.value.retry_after == 3600
        assert videos_emulator.record.requests["create"] == 1

    def test_nothing_was_sent_to_a_server_that_is_not_there(self, connect):
        with pytest.raises(errors.NotConnected, match="ConnectError"):
            connect(Endpoint("http://127.0.0.1:9/v1", api_key="k")).create("A boat")

    def test_a_failed_video_inside_a_500_is_an_answer(self, client, videos_emulator):
        body = {"error": {"message": '{"id": "v", "status": "failed", "error": {"message": "oom"}}'}}
        videos_emulator.inject(Fault(Answer(status=500, body=body), operation="retrieve"))
        assert client.retrieve("v").phase is Phase.FAILED
        assert videos_emulator.record.requests["retrieve"] == 1

    def test_a_failed_video_is_an_answer(self, client, videos_emulator):
        videos_emulator.inject(Fault(Failed(code="content_filter", message="no")))
        bought = client.create("A boat")
        videos_emulator.clock.advance(60)
        assert client.retrieve(bought.id).error.code == "content_filter"

    def test_a_download_that_breaks_off_says_so(self, client, videos_emulator):
        bought = client.create("A boat")
        videos_emulator.clock.advance(60)
        videos_emulator.inject(Fault(Cut(after_bytes=1000), operation="content"))
        with (
            pytest.raises(errors.TransportError, match="broke off"),
            client.download_content(bought.id) as content,
        ):
            list(content.chunks)

    def test_a_download_that_is_not_ready_says_so(self, client):
        bought = client.create("A boat")
        with pytest.raises(errors.NotFound), client.download_content(bought.id):
            pass

    def test_delete_that_is_not_supported_says_so(self, client, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=405), operation="delete"))
        with pytest.raises(errors.NotSupported, match="does not support delete"):
            client.delete("v")

    @pytest.mark.parametrize("body", ["", "<html>", {"deleted": True}, {"id": "v", "status": "deleted"}])
    def test_delete_takes_any_success(self, client, videos_emulator, body):
        videos_emulator.inject(Fault(Answer(status=200, body=body), operation="delete"))
        assert client.delete("v").deleted is True


class TestBounds:
    """A call ends in time and in memory, whatever the server does."""

    @pytest.fixture
    def dribble(self):
        """A server whose answers take long and grow large."""

        def dribbling(app):
            async def endless(scope, receive, send):
                headers = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                for _ in range(200):
                    await send({"type": "http.response.body", "body": b" " * chunk[0], "more_body": True})
                    await asyncio.sleep(chunk[1])

            return endless

        chunk = [1, 0.01]
        with Emulator(api_key=None, middleware=dribbling) as emulator:
            emulator.chunk = chunk
            yield emulator

    def test_an_endless_answer_is_cut_off_in_time(self, connect, dribble):
        endpoint = Endpoint(dribble.base_url, timeout=Timeouts(total=0.3))
        with pytest.raises(errors.TransportError, match="in time"):
            connect(endpoint, backoff=Backoff(attempts=1, total=0.3)).retrieve("v")

    def test_an_endless_answer_is_cut_off_in_size(self, connect, dribble):
        dribble.chunk[:] = [1024 * 1024, 0]
        with pytest.raises(errors.Unreadable):
            connect(Endpoint(dribble.base_url)).retrieve("v")

    @pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br", "x-unheard-of", "identity, deflate"])
    @pytest.mark.parametrize("operation", ["retrieve", "content", "list"])
    def test_what_comes_encoded_is_named_and_not_decoded(self, client, videos_emulator, encoding, operation):
        fault = Answer(status=200, body=gzip.compress(b"{}"), headers={"content-encoding": encoding})
        videos_emulator.inject(Fault(fault, operation=operation))
        with pytest.raises(errors.Unreadable, match=f"encoded as {encoding}, .*Accept-Encoding: identity"):
            ASK[operation](client)

    def test_an_encoded_answer_to_a_purchase_leaves_it_unknown(self, client, videos_emulator):
        fault = Answer(status=200, body=gzip.compress(b"{}"), headers={"content-encoding": "gzip"})
        videos_emulator.inject(Fault(fault, operation="create"))
        with pytest.raises(errors.OutcomeUnknown, match="encoded as gzip"):
            client.create("A boat")

    def test_an_encoded_refusal_is_still_one(self, client, videos_emulator):
        fault = Answer(status=402, body=gzip.compress(b"{}"), headers={"content-encoding": "gzip"})
        videos_emulator.inject(Fault(fault, operation="retrieve"))
        with pytest.raises(errors.Refused, match="answered 402: a body encoded as gzip"):
            client.retrieve("v")

    @pytest.mark.parametrize("encoding", ["identity", "Identity", "", " , identity"])
    def test_what_is_called_plain_is_read(self, client, videos_emulator, encoding):
        body = json.dumps({"id": "v"})
        fault = Answer(status=200, body=body, headers={"content-encoding": encoding})
        videos_emulator.inject(Fault(fault, operation="retrieve"))
        assert client.retrieve("v").id == "v"

    @pytest.mark.parametrize(
        ("operation", "longest"),
        [("retrieve", MAX_ANSWER_BYTES), ("list", MAX_PAGE_BYTES), ("create", MAX_PAGE_BYTES)],
    )
    def test_an_answer_has_a_longest(self, client, videos_emulator, operation, longest):
        body = json.dumps({"data": []} if operation == "list" else {"id": "v"})
        for size, expected in ((longest, nullcontext()), (longest + 1, pytest.raises(errors.VideosError))):
            answer = Answer(status=200, body=body.ljust(size))
            videos_emulator.inject(Fault(answer, operation=operation))
            with expected as raised:
                ASK[operation](client)
        assert f"at most {longest} bytes" in str(raised.value)

    @pytest.mark.parametrize("status", [200, 404, 500])
    def test_errors_keep_nothing_of_their_answers(self, client, videos_emulator, status):
        answer = Answer(status=status, body="x" * 60_000)
        videos_emulator.inject(Fault(answer, operation="retrieve", times=None))
        kept = [refused(client)]
        gc.disable()
        tracemalloc.start()
        try:
            kept += [refused(client) for _ in range(50)]
            size, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()
        assert all(error.__cause__ is error.__context__ is None for error in kept)
        assert size < 50 * 60_000 / 3


def refused(client):
    with pytest.raises(errors.VideosError) as raised:
        client.retrieve("v")
    return raised.value


ASK = {
    "create": lambda client: client.create("A boat"),
    "retrieve": lambda client: client.retrieve("v"),
    "list": lambda client: list(client.list()),
    "content": lambda client: client.download_content("v").__enter__(),
}


class TestRedirects:
    @pytest.fixture
    def elsewhere(self):
        with Emulator(api_key=None) as other:
            yield other

    def test_content_on_another_host_is_followed_without_our_key(
        self, connect, endpoint, videos_emulator, elsewhere
    ):
        elsewhere.serve_bytes(1000)
        where = f"{elsewhere.base_url}/videos/x/content?signature=s"
        there = Answer(status=200, body=b"0000ftyp" + bytes(92))
        elsewhere.inject(Fault(there, operation="content"))
        videos_emulator.inject(Fault(Answer(status=302, headers={"Location": where}), operation="content"))
        client = connect(replace(endpoint, headers={"x-tenant": "us"}, query={"version": "2"}))
        with client.download_content("v") as content:
            assert len(b"".join(content.chunks)) == 100
        (seen,) = elsewhere.record.exchanges
        assert not {"authorization", "x-tenant"} & set(seen.headers)
        assert seen.query == "signature=s"

    def test_redirects_are_counted(self, client, videos_emulator):
        around = Answer(status=302, headers={"Location": f"{videos_emulator.base_url}/videos/v/content"})
        videos_emulator.inject(Fault(around, operation="content", times=None))
        with pytest.raises(errors.Refused, match="redirects"), client.download_content("v"):
            pass
        assert videos_emulator.record.requests["content"] == 6

    @pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/y", "http://[", "javascript:1"])
    def test_only_http_is_followed(self, client, videos_emulator, location):
        videos_emulator.inject(Fault(Answer(status=302, headers={"Location": location}), operation="content"))
        with pytest.raises((errors.Refused, errors.TransportError)), client.download_content("v"):
            pass

    def test_nothing_but_content_is_redirected(self, client, videos_emulator):
        videos_emulator.inject(
            Fault(Answer(status=302, headers={"Location": "/login"}), operation="retrieve")
        )
        with pytest.raises(errors.Refused, match="redirects"):
            client.retrieve("v")

    def test_a_purchase_is_not_redirected(self, client, videos_emulator):
        videos_emulator.inject(
            Fault(Answer(status=307, headers={"Location": "/v1/videos"}), operation="create")
        )
        with pytest.raises(errors.Refused, match="redirects"):
            client.create("A boat")
        assert videos_emulator.purchases == []


class TestEndpoint:
    def test_headers_query_and_key_go_where_the_connection_says(self, connect, endpoint, videos_emulator):
        videos_emulator.inject(Fault(AddHeaders(headers={}), times=None))
        settings = {"auth_header": "api-key", "auth_scheme": "", "headers": {"x-a": "1"}, "query": {"q": "2"}}
        with pytest.raises(errors.Unauthorized, match="password"):
            connect(replace(endpoint, **settings)).retrieve("v")
        (seen,) = videos_emulator.record.exchanges
        assert "authorization" not in seen.headers
        assert seen.headers["api-key"] == "***"
        assert seen.headers["x-a"] == "1"
        assert seen.query == "q=2"
        assert "content-type" not in seen.headers

    @pytest.mark.parametrize(
        ("base_url", "words"),
        [
            ("", "http"),
            ("gpu:8000", "http"),
            ("ftp://gpu/v1", "ftp"),
            ("http:///v1", "host"),
            ("http://me:secret@gpu/v1", "password"),
            ("http://gpu/v1?api-version=1", "query"),
            ("http://gpu:port/v1", "not an address"),
            ("http://a..b/v1", "not an address"),
            ("http://" + "a" * 64 + "/v1", "not an address"),
            ("http://g\x01pu/v1", "not an address"),
        ],
    )
    def test_a_base_url_is_an_address_and_nothing_else(self, base_url, words):
        with pytest.raises(errors.InvalidRequest, match=words) as caught:
            Endpoint(base_url)
        assert "secret" not in str(caught.value)

    def test_a_key_that_no_header_can_carry_is_refused_unread(self):
        with pytest.raises(errors.InvalidRequest, match="Authorization") as caught:
            Endpoint("http://gpu/v1", api_key="sk-1\nsk-2")
        assert "sk-1" not in str(caught.value)

    @pytest.mark.parametrize("name", ["Authorization:", "api key", "", "é"])
    def test_a_header_has_a_name_that_headers_have(self, name):
        with pytest.raises(errors.InvalidRequest, match="name of an HTTP header"):
            Endpoint("http://gpu/v1", headers={name: "1"})

    @pytest.mark.parametrize("extra_body", ["{}", ["seed"], 7])
    def test_extra_fields_are_a_dict(self, client, videos_emulator, extra_body):
        with pytest.raises(errors.InvalidRequest, match="extra_body"):
            client.create("A boat", extra_body=extra_body)
        assert videos_emulator.record.connections == 0

    def test_what_is_secret_stays_out_of_its_repr(self):
        endpoint = Endpoint("http://gpu/v1", api_key="sk-1", headers={"a": "s1"}, query={"b": "s2"})
        assert not any(secret in repr(endpoint) for secret in ("sk-1", "s1", "s2"))


def test_an_image_is_known_by_its_bytes():
    with pytest.raises(errors.InvalidRequest, match=r"notes\.txt.*JPEG, PNG or WebP"):
        Upload.image("notes.txt", b"hello")


SIGNED = "signature=very-secret"


class TestFilesElsewhere:
    """Files at another address, named in the job where content is missing."""

    @pytest.fixture
    def elsewhere(self):
        with Emulator(api_key=None) as other:
            other.inject(
                Fault(Answer(status=200, body=b"0000ftyp" + bytes(92)), operation="content", times=None)
            )
            yield other

    @pytest.fixture
    def url(self, elsewhere):
        return f"{elsewhere.base_url}/videos/x/content?{SIGNED}"

    def job(self, emulator, status="completed", **extra):
        body = {"id": "v", "status": status, **extra}
        emulator.inject(Fault(Answer(status=200, body=body), operation="retrieve", times=None))

    @pytest.mark.parametrize("missing", [400, 404, 405, 410, 422, 501])
    def test_it_is_fetched_there_without_our_credentials(
        self, connect, endpoint, videos_emulator, elsewhere, url, missing
    ):
        videos_emulator.inject(Fault(Answer(status=missing), operation="content", times=None))
        self.job(videos_emulator, url=url)
        client = connect(replace(endpoint, headers={"x-tenant": "us"}, query={"version": "2"}))
        with client.download_content("v") as content:
            assert len(b"".join(content.chunks)) == 100
        (seen,) = elsewhere.record.exchanges
        assert not {"authorization", "x-tenant"} & set(seen.headers)
        assert seen.query == SIGNED
        assert videos_emulator.record.requests == {"content": 1, "retrieve": 1}

    @pytest.mark.parametrize(
        "place",
        [
            lambda url: {"url": url},
            lambda url: {"url": None, "urls": [url, "http://other"]},
            lambda url: {"unsigned_urls": [url]},
            lambda url: {"content": [{"type": "video", "url": url}]},
            lambda url: {"videos": [{"url": url}]},
        ],
    )
    def test_it_is_found_in_every_place(self, client, videos_emulator, url, place):
        videos_emulator.inject(Fault(Answer(status=404), operation="content"))
        self.job(videos_emulator, **place(url))
        with client.download_content("v") as content:
            assert len(b"".join(content.chunks)) == 100

    def test_an_address_on_the_server_itself_gets_the_key(self, client, videos_emulator):
        videos_emulator.inject(
            Fault(Answer(status=404), operation="content"),
            Fault(Answer(status=200, body=b"0000ftyp"), operation="content", nth=2),
        )
        self.job(videos_emulator, url="/v1/videos/w/content")
        with client.download_content("v") as content:
            assert b"".join(content.chunks) == b"0000ftyp"
        assert videos_emulator.record.exchanges[-1].path == "/v1/videos/w/content"
        assert videos_emulator.record.exchanges[-1].headers["authorization"] == "***"

    @pytest.mark.parametrize(
        "extra",
        [
            {},
            {"urls": []},
            {"content": [{}]},
            {"url": "file:///etc/passwd"},
            {"url": "http://["},
            {"status": "in_progress", "url": "http://127.0.0.1:9/preview"},
        ],
    )
    def test_without_an_address_the_first_answer_counts(self, client, videos_emulator, extra):
        videos_emulator.inject(Fault(Answer(status=404, body={"detail": "not ready"}), operation="content"))
        self.job(videos_emulator, **extra)
        with pytest.raises(errors.NotFound, match="not ready"), client.download_content("v"):
            pass

    @pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=200, body="<html>"), Drop()])
    def test_a_job_that_cannot_be_asked_changes_nothing(self, client, videos_emulator, answer):
        videos_emulator.inject(
            Fault(Answer(status=400, body={"detail": "not ready"}), operation="content"),
            Fault(answer, operation="retrieve"),
        )
        with pytest.raises(errors.Refused, match="not ready"), client.download_content("v"):
            pass

    def test_a_thumbnail_is_not_taken_from_there(self, client, videos_emulator, url):
        videos_emulator.inject(Fault(Answer(status=501), operation="content"))
        self.job(videos_emulator, url=url)
        with (
            pytest.raises(errors.NotSupported, match="does not support download of the thumbnail"),
            client.download_content("v", variant="thumbnail"),
        ):
            pass

    def test_a_wrong_key_is_not_a_missing_file(self, client, videos_emulator, url):
        videos_emulator.inject(Fault(Answer(status=401), operation="content"))
        self.job(videos_emulator, url=url)
        with pytest.raises(errors.Unauthorized), client.download_content("v"):
            pass

    @pytest.mark.parametrize(
        ("status", "kind"), [(403, errors.Refused), (404, errors.Refused), (500, errors.ServerFault)]
    )
    def test_an_address_that_refuses_says_so_without_its_signature(
        self, client, videos_emulator, elsewhere, url, status, kind
    ):
        elsewhere.clear_faults()
        elsewhere.inject(Fault(Answer(status=status, body=f"no {url}"), operation="content", times=None))
        videos_emulator.inject(Fault(Answer(status=404), operation="content", times=None))
        self.job(videos_emulator, url=url)
        with pytest.raises(kind, match="may have expired") as caught, client.download_content("v"):
            pass
        assert type(caught.value) is kind
        assert "very-secret" not in str(caught.value)

    def test_redirects_from_there_are_counted(self, client, videos_emulator, elsewhere, url):
        elsewhere.clear_faults()
        elsewhere.inject(
            Fault(Answer(status=302, headers={"Location": url}), operation="content", times=None)
        )
        videos_emulator.inject(Fault(Answer(status=404), operation="content"))
        self.job(videos_emulator, url=url)
        with pytest.raises(errors.Refused, match="302"), client.download_content("v"):
            pass
        assert elsewhere.record.requests["content"] == 5


@pytest.mark.parametrize("value", [{"a", "b"}, object(), float("nan"), "\ud83d"])
@pytest.mark.parametrize("request_format", ["multipart", "json"])
def test_an_extra_field_that_cannot_be_sent_is_refused(
    connect, endpoint, videos_emulator, value, request_format
):
    client = connect(replace(endpoint, request_format=request_format))
    with pytest.raises(errors.InvalidRequest, match="field"):
        client.create("A boat", extra_body={"odd": value})
    assert videos_emulator.record.connections == 0


def test_extra_fields_have_texts_for_names(client):
    with pytest.raises(errors.InvalidRequest, match="names"):
        client.create("A boat", extra_body={1: 2})


def test_half_a_character_is_refused_where_it_cannot_be_sent(client):
    with pytest.raises(errors.InvalidRequest, match="half a character") as caught:
        client.create("A boat \ud83d")
    assert "boat" not in str(caught.value)
    with pytest.raises(errors.InvalidRequest, match="video_id"):
        client.retrieve("v\ud83d")


def test_extra_fields_travel_as_the_encoding_asks(connect, endpoint, videos_emulator):
    extra = {"fps": 12, "flag": True, "scale": 1.5, "tags": ["a"], "deep": {"b": [1]}, "none": None, "t": "x"}
    connect(endpoint).create("A boat", extra_body=extra)
    connect(replace(endpoint, request_format="json")).create("A boat", extra_body=extra)
    form, whole = (purchase.fields for purchase in videos_emulator.purchases)
    assert {name: form[name] for name in extra if name in form} == {
        "fps": "12",
        "flag": "true",
        "scale": "1.5",
        "tags": '["a"]',
        "deep": '{"b": [1]}',
        "t": "x",
    }
    assert {name: whole[name] for name in extra if name in whole} == {
        name: value for name, value in extra.items() if value is not None
    }


def test_extra_fields_override_ours_in_every_purchase(client, videos_emulator):
    first = client.create("A boat", extra_body={"prompt": "A ship", "seed": 7}).id
    videos_emulator.clock.advance(60)
    client.remix(first, "Red", extra_body={"prompt": "Blue", "seed": 7})
    client.edit(first, "Red", extra_body={"prompt": "Blue", "seed": 7})
    client.extend(first, "On", seconds=4, extra_body={"prompt": "Blue", "seconds": "8", "seed": 7})
    assert [p.fields["prompt"] for p in videos_emulator.purchases] == ["A ship", "Blue", "Blue", "Blue"]
    assert videos_emulator.purchases[-1].fields["seconds"] == "8"
    assert all(str(p.fields["seed"]) == "7" for p in videos_emulator.purchases)


def test_any_success_of_a_create_is_one(client, videos_emulator):
    for status in (200, 201, 202):
        videos_emulator.inject(Fault(Answer(status=status, body={"id": f"v{status}"}), operation="create"))
        assert client.create("A boat").id == f"v{status}"


@pytest.mark.parametrize("status", [400, 404, 409, 425, 500])
def test_content_that_is_not_ready_is_an_error_in_the_server_s_words(client, videos_emulator, status):
    videos_emulator.inject(
        Fault(Answer(status=status, body={"detail": "not yet"}), operation="content", times=None)
    )
    with pytest.raises(errors.AnswerError, match="not yet"), client.download_content("v"):
        pass


class TestGone:
    """A 404 of a delete is believed only when the video is gone indeed."""

    @pytest.mark.parametrize(
        "job", [Answer(status=404), Answer(status=500), Answer(status=200, body="<html>")]
    )
    def test_a_video_nobody_knows_is_gone(self, client, videos_emulator, job):
        videos_emulator.inject(Fault(job, operation="retrieve", times=None))
        assert client.delete("v").deleted is False

    def test_whether_it_is_gone_is_asked_on_a_connection_of_its_own(self, client, videos_emulator):
        client.list_models()
        before = videos_emulator.record.connections
        assert client.delete("v").deleted is False
        assert videos_emulator.record.connections == before + 19  # the first one takes what is there

    def test_a_video_that_says_it_is_deleted_is_gone(self, client, videos_emulator):
        body = {"id": "v", "status": "deleted"}
        videos_emulator.inject(Fault(Answer(status=200, body=body), operation="retrieve"))
        assert client.delete("v").deleted is False

    def test_a_server_without_deletion_says_404_too(self, client, videos_emulator):
        bought = client.create("A boat")
        videos_emulator.inject(Fault(Answer(status=404), operation="delete"))
        with pytest.raises(errors.NotSupported, match="does not support delete") as caught:
            client.delete(bought.id)
        assert (caught.value.status_code, caught.value.video_id) == (404, bought.id)
