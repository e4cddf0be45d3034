"""Whole or not at all, whatever servers and connections do."""

from __future__ import annotations

import base64
import hashlib
import logging

import pytest

from airflow_provider_videos.api.errors import (
    AnswerError,
    DeliveryError,
    Expired,
    NoSuchVariant,
    NotFound,
    NotReady,
    Taken,
    TransportError,
    Unauthorized,
    VideoFailed,
    VideosError,
)
from airflow_provider_videos.delivery.s3 import S3Object
from airflow_provider_videos.emulator import Answer, Corrupt, Cut, Drop, Expires, Failed, Fault, Stall
from tests.delivery.conftest import Waits
from tests.delivery.films import FTYP, MIB, avi, box, film, fragmented, mov, served, webm


def _names(hidden: set[bytes]) -> str:
    return ",".join(sorted(name.decode() for name in hidden)) or "nothing"


def content(effect, **options) -> Fault:
    return Fault(effect, operation="content", **options)


class TestWhole:
    @pytest.mark.parametrize("size", [36, 1000, 8 * MIB, 20 * MIB + 1])
    def test_what_arrives_is_what_was_sent(self, server, deliver, place, size):
        data = film(size)
        server.emulator.serve(served(data))
        receipt = deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}
        assert (receipt.size_bytes, receipt.sha256) == (size, hashlib.sha256(data).hexdigest())
        assert receipt.content_type == "video/mp4"
        assert server.downloads == 1

    def test_a_folder_gets_the_id_and_the_extension_of_what_came(self, server, deliver, place):
        server.emulator.serve(served(b"RIFF\x10\0\0\0AVI LIST", "video/mp4"))
        deliver(place.uri)
        assert list(place.files()) == [f"{server.video_id}.avi"]

    def test_a_name_may_leave_its_extension_open(self, server, deliver, place):
        server.emulator.serve(served(b"\x1a\x45\xdf\xa3 a WebM"))
        deliver(f"{place.uri}film.{{ext}}")
        assert list(place.files()) == ["film.webm"]

    @pytest.mark.parametrize("size", [1000, 20 * MIB])
    def test_a_server_that_is_down_for_good_leaves_nothing(self, server, deliver, place, size):
        server.emulator.serve(served(film(size)))
        server.emulator.inject(content(Cut(after_bytes=size // 2)), content(Drop(), nth=2, times=None))
        with pytest.raises(TransportError, match="no answer from the server"):
            deliver(f"{place.uri}film.mp4")
        assert place.files() == {}

    def test_a_file_that_stands_there_survives_a_failure(self, server, deliver, place):
        place.put("film.mp4", b"old")
        server.emulator.serve(served(film(1000)[:-5]))
        with pytest.raises(DeliveryError, match="not whole"):
            deliver(f"{place.uri}film.mp4", if_exists="overwrite")
        assert place.files() == {"film.mp4": b"old"}

    @pytest.mark.parametrize(
        ("data", "extension"),
        [
            (mov(5000), "mov"),
            (FTYP.replace(b"isom", b"qt  ") + box(b"wide", b"") + film(5000)[20:], "mov"),
            (box(b"free", bytes(16)) + film(5000), "mp4"),
            (box(b"free", bytes(200_000)) + FTYP.replace(b"isom", b"qt  ") + film(5000)[20:], "mov"),
            (box(b"skip", b"") + box(b"uuid", bytes(16)) + film(5000), "mp4"),
            (FTYP.replace(b"isom", b"M4V ") + film(5000)[20:], "mp4"),
            (box(b"styp", b"msdh\0\0\0\0") + box(b"moof", b"") + box(b"mdat", bytes(5000)), "mp4"),
            (fragmented(5000), "mp4"),
            (film(5000) + b"\0", "mp4"),
            (film(5000) + bytes(8), "mp4"),
            (film(5000) + b"TAG" + b"a song" * 20, "mp4"),
            (film(5000) + b"\xff\xd8\xff\xe0 and a preview", "mp4"),
            (FTYP + box(b"moov", b"") + b"\0\0\0\0mdat" + bytes(5000), "mp4"),
            (avi(5000), "avi"),
            (avi(5000)[:-9], "avi"),
            (webm(5000), "webm"),
            (webm(5000) + b"and more", "webm"),
        ],
    )
    def test_a_file_whose_length_is_met_is_whole(self, server, deliver, tmp_path, data, extension):
        server.emulator.serve(served(data, "application/octet-stream"))
        receipt = deliver(f"{tmp_path}/film.{{ext}}")
        assert [path.name for path in tmp_path.iterdir()] == [f"film.{extension}"]
        assert (tmp_path / f"film.{extension}").read_bytes() == data
        assert receipt.size_bytes == len(data)

    @pytest.mark.parametrize("make", [film, mov, fragmented, avi, webm])
    def test_a_file_without_a_length_is_whole_by_its_own(self, server, deliver, tmp_path, make):
        server.traits.hides = {b"content-length"}
        data = make(100_000)
        server.emulator.serve(served(data))
        deliver(f"{tmp_path}/whole.mp4")
        for cut in (1, 9, 30_000):
            server.emulator.serve(served(data[:-cut]))
            with pytest.raises((DeliveryError, TransportError), match="is not whole: "):
                deliver(f"{tmp_path}/cut.mp4")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"whole.mp4": data}

    @pytest.mark.parametrize(
        "data",
        [
            FTYP + box(b"moov", b"") + b"\0\0\0\0mdat" + bytes(5000),
            FTYP + box(b"moov", b""),
            fragmented(5000) + box(b"moof", b""),
            film(5000) + b"<html>502 Bad Gateway</html>",
            b"RIFF\xff\xff\xff\xffAVI " + bytes(5000),
        ],
    )
    def test_what_nobody_can_tell_without_a_length_is_not_delivered(self, server, deliver, tmp_path, data):
        server.emulator.serve(served(data))
        deliver(f"{tmp_path}/with.mp4")
        server.traits.hides = {b"content-length"}
        with pytest.raises((DeliveryError, TransportError), match="is not whole: "):
            deliver(f"{tmp_path}/without.mp4")
        assert [path.name for path in tmp_path.iterdir()] == ["with.mp4"]

    @pytest.mark.parametrize("body", [b"", b"{}", b"<html>gone</html>", bytes(5000)])
    def test_what_is_no_video_is_not_delivered(self, server, deliver, place, body):
        server.emulator.serve(served(body))
        with pytest.raises(DeliveryError, match="did not send a video or an image"):
            deliver(f"{place.uri}film.mp4")
        assert place.files() == {}

    def test_a_success_that_is_no_video_is_described_without_its_values(self, server, deliver, place):
        body = b'{"url": "https://cdn/SECRETPATH", "prompt": "A secret boat"}'
        server.emulator.serve(served(body, "application/json"))
        with pytest.raises(DeliveryError, match="JSON with url, prompt") as caught:
            deliver(place.uri)
        assert "secret" not in str(caught.value).lower()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"min_bytes": 1001}, "at least 1001 bytes were expected and there are 1000"),
            ({"max_bytes": 999}, "at most 999 bytes were expected and there are 1000 or more"),
            ({"max_bytes": 0}, "at most 0 bytes were expected"),
            ({"expected_content_type": "video/webm"}, "video/webm was expected and video/mp4 came"),
            ({"expected_content_type": "image/*"}, r"image/\* was expected and video/mp4 came"),
        ],
    )
    @pytest.mark.parametrize("hides", [set(), {b"content-length"}])
    def test_guards_hold_whether_or_not_a_length_is_promised(
        self, server, deliver, place, options, message, hides
    ):
        server.traits.hides = hides
        server.emulator.serve(served(film(1000)))
        with pytest.raises(DeliveryError, match=message):
            deliver(place.uri, **options)
        assert place.files() == {}
        deliver(place.uri, min_bytes=1000, max_bytes=1000, expected_content_type="video/*")
        assert len(place.files()) == 1

    def test_a_file_that_grows_too_long_is_not_read_to_its_end(self, server, deliver, tmp_path):
        server.traits.hides = {b"content-length"}
        server.emulator.serve_bytes(4 * MIB)
        server.emulator.inject(content(Stall(after_bytes=3 * MIB)))
        with pytest.raises(DeliveryError, match=f"at most {MIB} bytes were expected"):
            deliver(f"{tmp_path}/", max_bytes=MIB)
        assert list(tmp_path.iterdir()) == []
        assert server.downloads == 1


class TestInterruptions:
    SIZE = 3 * MIB

    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch):
        monkeypatch.setattr(S3Object, "SMALLEST_PART", MIB)

    @pytest.fixture
    def data(self, server):
        data = film(self.SIZE)
        server.emulator.serve(served(data))
        return data

    @pytest.mark.parametrize(
        "effect",
        [Cut(after_bytes=5), Cut(after_bytes=MIB + 7), Cut(after_bytes=SIZE - 1), Stall(after_bytes=MIB)],
    )
    def test_a_connection_that_drops_is_gone_on_with(self, server, deliver, place, data, effect):
        server.emulator.inject(content(effect))
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}
        assert [call.status for call in server.emulator.record.exchanges][-2:] == [200, 206]
        assert server.emulator.record.bytes_sent < self.SIZE + 2 * MIB

    @pytest.mark.parametrize(
        "hides", [set(), {b"content-length"}, {b"etag"}, {b"etag", b"content-length"}], ids=_names
    )
    @pytest.mark.parametrize("ignores_range", [False, True])
    def test_any_server_s_file_is_whole_in_the_end(self, server, deliver, place, data, hides, ignores_range):
        server.traits.hides, server.traits.ignores_range = hides, ignores_range
        server.emulator.inject(content(Cut(after_bytes=MIB)), content(Cut(after_bytes=2 * MIB), nth=2))
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}

    def test_a_body_that_ends_in_good_order_but_too_early_is_gone_on_with(self, server, deliver, place, data):
        server.traits.ends_after = MIB
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}
        assert server.emulator.record.exchanges[-1].status == 206

    @pytest.mark.parametrize("hides", [set(), {b"etag"}], ids=str)
    def test_another_file_in_the_middle_is_delivered_alone(self, server, deliver, place, data, hides):
        server.traits.hides = hides
        other = film(self.SIZE, seed=1)
        server.emulator.inject(content(Cut(after_bytes=2 * MIB)))
        deliver(f"{place.uri}film.mp4", clock=Waits(lambda: server.emulator.serve(served(other))))
        assert place.files() == {"film.mp4": other}

    @pytest.mark.parametrize("shifts", [1, -1, 100_000])
    def test_a_part_that_is_not_the_one_asked_for_is_not_taken(self, server, deliver, place, data, shifts):
        server.traits.shifts_range = shifts
        server.emulator.inject(content(Cut(after_bytes=MIB)))
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}
        assert [call.status for call in server.emulator.record.exchanges][-2:] == [206, 200]

    def test_a_part_that_does_not_say_where_it_begins_is_not_taken(self, server, deliver, place, data):
        server.emulator.inject(content(Cut(after_bytes=MIB)))
        server.traits.hides = {b"content-range"}
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}

    def test_a_part_of_another_file_is_not_taken(self, server, deliver, place, data):
        server.traits.ignores_if_range = True
        other = film(self.SIZE, seed=1)
        server.emulator.inject(content(Cut(after_bytes=MIB)))
        deliver(f"{place.uri}film.mp4", clock=Waits(lambda: server.emulator.serve(served(other))))
        assert place.files() == {"film.mp4": other}

    def test_a_corrupt_body_is_found_by_the_digest_the_server_sends(self, server, deliver, place, data):
        digest = base64.b64encode(hashlib.sha256(data).digest())
        server.traits.adds = {b"repr-digest": b"sha-256=:" + digest + b":"}
        server.emulator.inject(content(Corrupt(at_byte=MIB)))
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}
        assert server.downloads == 2

    @pytest.mark.parametrize(
        "adds",
        [
            {b"repr-digest": b"sha-256=:" + base64.b64encode(bytes(32)) + b":"},
            {b"content-md5": base64.b64encode(bytes(16))},
            {b"x-goog-hash": b"crc32c=AAAAAA==,md5=" + base64.b64encode(bytes(16))},
        ],
    )
    def test_a_file_that_is_wrong_twice_is_given_up(self, server, deliver, place, data, adds):
        server.traits.adds = adds
        with pytest.raises(DeliveryError, match="is not the one that the server sent along"):
            deliver(f"{place.uri}film.mp4")
        assert place.files() == {}
        assert server.downloads == 2

    @pytest.mark.parametrize("hides", [set(), {b"content-length"}, {b"content-length", b"etag"}], ids=_names)
    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            (film(SIZE)[:-1], "not whole: it ends in the middle of the header of a box"),
            (film(SIZE)[: MIB + 5], "not whole: it ends in the middle of its box mdat"),
            (film(SIZE)[:-8], r"not whole: it has no index \(moov\)"),
            (FTYP + box(b"mdat", bytes(MIB)) + b"<html>502 Bad Gateway</html>" * 99, "not whole|damaged"),
        ],
    )
    def test_a_file_that_is_cut_short_on_the_server_is_not_delivered(
        self, server, deliver, place, hides, broken, message
    ):
        server.traits.hides = hides
        server.emulator.serve(served(broken))
        with pytest.raises((DeliveryError, TransportError), match=message):
            deliver(f"{place.uri}film.mp4")
        assert place.files() == {}

    def test_a_byte_that_comes_makes_trouble_forgotten(self, server, deliver, place, data):
        server.emulator.inject(content(Cut(after_bytes=100_000), times=25))
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}
        assert server.downloads == 26


class TestPatience:
    @pytest.mark.parametrize("status", [400, 404, 409, 425, 500])
    def test_a_file_that_is_not_ready_yet_is_asked_for_again(self, server, deliver, tmp_path, status):
        server.emulator.inject(content(Answer(status=status), times=4))
        clock = Waits()
        deliver(f"{tmp_path}/", clock=clock)
        assert clock.waited
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.fixture(autouse=True)
    def film(self, server):
        server.emulator.serve(served(film(1000)))

    NOT_YET = (
        {"status": 202, "body": {"error": {"message": "Video is not ready yet"}}},
        {"status": 202, "body": "<html>in a moment</html>"},
        {"status": 204, "body": ""},
        {"status": 200, "body": ""},
        {"status": 200, "body": {"error": {"message": "Video is not ready yet"}}},
        {"status": 200, "body": {"id": "v", "status": "processing", "prompt": "A secret boat"}},
        {"status": 200, "body": [{"detail": "later"}]},
        {"status": 200, "body": "\n\ufeff null"},
        {"status": 200, "body": "Video is not ready yet"},
        {"status": 201, "body": {"padding": "x" * 100_000}},
    )

    @pytest.mark.parametrize("answer", NOT_YET, ids=str)
    def test_a_success_without_a_file_is_asked_for_again(self, server, deliver, place, answer):
        server.emulator.inject(content(Answer(**answer), times=4))
        clock = Waits()
        deliver(place.uri, clock=clock)
        assert len(clock.waited) == 4
        assert list(place.files()) == [f"{server.video_id}.mp4"]

    @pytest.mark.parametrize("answer", NOT_YET, ids=str)
    def test_a_success_that_stays_without_a_file_is_an_error_that_quotes_it(
        self, server, deliver, place, answer
    ):
        server.emulator.inject(content(Answer(**answer), times=None))
        with pytest.raises(NotReady, match="the server did not send a video or an image") as caught:
            deliver(place.uri, clock=Waits())
        assert server.downloads == 8
        assert caught.value.status_code == answer["status"]
        assert ("not ready yet" in str(caught.value)) is ("not ready yet" in str(answer["body"]))
        assert "secret" not in str(caught.value)
        assert place.files() == {}

    def test_a_success_that_says_when_is_obeyed(self, server, deliver, tmp_path):
        server.emulator.inject(content(Answer(status=202, headers={"Retry-After": "100"}), times=2))
        clock = Waits()
        deliver(f"{tmp_path}/", clock=clock)
        assert all(100 <= seconds < 110 for seconds in clock.waited)

    def test_a_success_without_a_file_between_two_parts_costs_nothing(self, server, deliver, place):
        data = film(3 * MIB)
        server.emulator.serve(served(data))
        server.traits.hides = {b"etag"}
        server.emulator.inject(
            content(Cut(after_bytes=MIB)),
            *(content(Answer(**answer), nth=2 + number) for number, answer in enumerate(self.NOT_YET[:5])),
        )
        deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}

    def test_a_video_that_failed_is_not_waited_for_whatever_its_content_answers(
        self, server, deliver, tmp_path
    ):
        server.video_id = server.client.create("A boat [moderate]").id
        server.emulator.clock.advance(60)
        server.emulator.inject(content(Answer(status=202), times=None))
        with pytest.raises(VideoFailed):
            deliver(f"{tmp_path}/")
        assert server.downloads == 1

    def test_a_page_is_not_waited_for(self, server, deliver, tmp_path):
        server.emulator.inject(content(Answer(status=200, body="<html>Log in</html>"), times=None))
        with pytest.raises(DeliveryError, match="Log in"):
            deliver(f"{tmp_path}/")
        assert server.downloads == 1

    @pytest.mark.parametrize("status", [200, 204])
    def test_a_thumbnail_that_does_not_come_is_one_the_server_does_not_have(
        self, server, deliver, tmp_path, status
    ):
        server.emulator.inject(content(Answer(status=status, body=""), times=None))
        with pytest.raises(NoSuchVariant, match=r"the server has no thumbnail: .* an empty body"):
            deliver(f"{tmp_path}/", variant="thumbnail")
        assert list(tmp_path.iterdir()) == []

    def test_a_server_that_says_when_is_obeyed(self, server, deliver, tmp_path):
        server.emulator.inject(content(Answer(status=425, headers={"Retry-After": "100"}), times=2))
        clock = Waits()
        deliver(f"{tmp_path}/", clock=clock)
        assert len(clock.waited) == 2
        assert all(100 <= seconds < 110 for seconds in clock.waited)

    def test_it_is_bounded_in_attempts_and_in_time(self, server, deliver, tmp_path):
        server.emulator.inject(content(Answer(status=404), times=None))
        clock = Waits()
        with pytest.raises(NotFound):
            deliver(f"{tmp_path}/", clock=clock)
        assert server.downloads == 22
        assert max(clock.waited) <= 3
        server.emulator.inject(content(Answer(status=425, headers={"Retry-After": "119"}), times=None))
        server.emulator.clear_faults()
        server.emulator.inject(content(Answer(status=425, headers={"Retry-After": "119"}), times=None))
        clock = Waits()
        with pytest.raises(AnswerError):
            deliver(f"{tmp_path}/", clock=clock)
        assert sum(clock.waited) < 600

    def test_what_waiting_does_not_change_fails_at_once(self, server, deliver, tmp_path):
        server.emulator.inject(content(Answer(status=401)))
        with pytest.raises(Unauthorized):
            deliver(f"{tmp_path}/")
        assert server.downloads == 1

    def test_an_expired_file_is_an_error_that_says_when(self, server, deliver, tmp_path):
        server.emulator.inject(Fault(Expires(after=-100_000)))
        server.new_video()
        with pytest.raises(Expired, match=r"the file expired at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"):
            deliver(f"{tmp_path}/")
        assert server.downloads == 1

    def test_a_video_that_failed_has_no_file(self, server, deliver, tmp_path):
        server.video_id = server.client.create("A boat [moderate]").id
        server.emulator.clock.advance(60)
        with pytest.raises(VideoFailed, match="blocked by our moderation") as caught:
            deliver(f"{tmp_path}/")
        assert caught.value.code == "moderation_blocked"
        assert server.downloads == 1

    def test_the_reason_of_a_failed_video_does_not_repeat_its_prompt(self, server, deliver, tmp_path):
        server.emulator.inject(Fault(Failed(message="A secret boat at http://h/i.png?sig=1 was blocked")))
        server.video_id = server.client.create("A secret boat").id
        server.emulator.clock.advance(60)
        with pytest.raises(VideoFailed, match="was blocked") as caught:
            deliver(f"{tmp_path}/")
        assert "secret" not in str(caught.value)
        assert "sig=1" not in str(caught.value)

    def test_a_download_never_buys(self, server, deliver, tmp_path):
        bought = len(server.emulator.purchases)
        server.emulator.inject(content(Answer(status=502), times=None))
        with pytest.raises(VideosError):
            deliver(f"{tmp_path}/")
        assert len(server.emulator.purchases) == bought


class TestAgain:
    @pytest.fixture
    def data(self, server):
        data = film(2 * MIB)
        server.emulator.serve(served(data))
        return data

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    @pytest.mark.parametrize("name", ["film.mp4", "film.{ext}", ""])
    def test_what_the_task_has_delivered_is_not_fetched_again(
        self, server, deliver, place, data, if_exists, name
    ):
        first = deliver(place.uri + name, if_exists=if_exists)
        assert deliver(place.uri + name, if_exists=if_exists) == first
        assert server.downloads == 1

    def test_what_somebody_has_changed_since_is_left_alone(self, server, deliver, place, data):
        deliver(f"{place.uri}film.mp4")
        place.put("film.mp4", data[:-1] + b"!")
        with pytest.raises(Taken, match=r"a key of its own, such as \{video_id\}"):
            deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data[:-1] + b"!"}
        deliver(f"{place.uri}film.mp4", if_exists="overwrite")
        assert place.files() == {"film.mp4": data}

    def test_a_file_that_was_only_touched_is_the_one_that_was_delivered(self, server, deliver, place, data):
        first = deliver(f"{place.uri}film.mp4")
        place.put("film.mp4", data)
        assert deliver(f"{place.uri}film.mp4") == first
        assert server.downloads == 1

    def test_another_video_does_not_take_the_place_of_the_first(self, server, deliver, place, data):
        deliver(f"{place.uri}film.mp4")
        first = server.video_id
        server.new_video()
        server.emulator.serve(served(film(MIB, seed=3)))
        with pytest.raises(Taken, match=server.video_id) as caught:
            deliver(f"{place.uri}film.mp4")
        assert place.files() == {"film.mp4": data}
        assert first in str(caught.value) or "a file of 2097152 bytes" in str(caught.value)
        deliver(f"{place.uri}{{video_id}}.{{ext}}")
        assert set(place.files()) == {"film.mp4", f"{server.video_id}.mp4"}

    @pytest.mark.parametrize("hides", [set(), {b"content-length"}], ids=_names)
    def test_the_same_bytes_may_stay_whoever_brought_them(self, server, deliver, place, data, hides):
        server.traits.hides = hides
        place.put("film.mp4", data)
        receipt = deliver(f"{place.uri}film.mp4")
        assert (receipt.size_bytes, receipt.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        place.put("film.mp4", data[:-9] + b"?" + data[-8:])
        with pytest.raises(Taken):
            deliver(f"{place.uri}film.mp4")
        with pytest.raises(Taken):
            deliver(f"{place.uri}film.mp4", if_exists="fail")

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    def test_a_file_that_appears_meanwhile_is_not_replaced(self, server, deliver, place, data, if_exists):
        server.emulator.inject(content(Cut(after_bytes=MIB)))
        clock = Waits(lambda: place.put("film.mp4", b"somebody's"))
        with pytest.raises(Taken, match="exists already"):
            deliver(f"{place.uri}film.mp4", clock=clock, if_exists=if_exists)
        assert place.files() == {"film.mp4": b"somebody's"}

    def test_the_same_video_that_appears_meanwhile_may_stay(self, server, deliver, place, data):
        server.emulator.inject(content(Cut(after_bytes=MIB)))
        deliver(f"{place.uri}film.mp4", clock=Waits(lambda: place.put("film.mp4", data)))
        assert place.files() == {"film.mp4": data}

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    def test_a_try_that_was_killed_after_its_commit_has_delivered(
        self, server, deliver, memory, place, data, if_exists
    ):
        first = deliver(f"{place.uri}film.mp4", if_exists=if_exists)
        memory["videos_delivery"]["files"]["video"]["version"] = None  # as it stands before the commit
        assert deliver(f"{place.uri}film.mp4", if_exists=if_exists) == first
        assert server.downloads == 1

    def test_overwriting_always_fetches(self, server, deliver, place, data):
        for _ in range(2):
            deliver(f"{place.uri}film.mp4", if_exists="overwrite")
        assert server.downloads == 2

    def test_failing_leaves_what_stands_there(self, server, deliver, place, data):
        place.put("film.mp4", b"old")
        with pytest.raises(DeliveryError, match="exists already"):
            deliver(f"{place.uri}film.mp4", if_exists="fail")
        assert place.files() == {"film.mp4": b"old"}

    def test_an_object_that_carries_the_video_s_id_and_size_may_stay(self, server, deliver, memory, s3):
        uri = f"s3://bucket/{server.video_id}.mp4"
        server.emulator.serve_bytes(9 * MIB)
        deliver(uri)
        memory.clear()
        receipt = deliver(uri)
        assert (receipt.size_bytes, receipt.sha256) == (9 * MIB, None)  # whoever reads it all knows its hash
        server.emulator.serve_bytes(8 * MIB)
        with pytest.raises(Taken, match=f"there is video {server.video_id} of {9 * MIB} bytes"):
            deliver(uri)


class TestVariants:
    @pytest.mark.parametrize(
        ("variant", "name"), [("thumbnail", ".webp"), ("spritesheet", ".jpg"), ("video", ".mp4")]
    )
    def test_a_variant_is_named_after_what_it_is(self, server, deliver, tmp_path, variant, name):
        deliver(f"{tmp_path}/", variant=variant)
        assert [path.name for path in tmp_path.iterdir()] == [server.video_id + name]

    def test_several_have_different_names(self, server, deliver, tmp_path):
        for variant in ("video", "thumbnail", "spritesheet"):
            deliver(f"{tmp_path}/", variant=variant, one_of_several=True)
        names = {".mp4", ".thumbnail.webp", ".spritesheet.jpg"}
        assert {path.name for path in tmp_path.iterdir()} == {server.video_id + name for name in names}

    @pytest.mark.parametrize(
        ("data", "content_type", "extension", "kind"),
        [
            (b"GIF89a\1\0\1\0", "image/gif", "gif", "image/gif"),
            (b"\0\0\0\x18ftypavif" + bytes(12) + box(b"meta", b""), "image/webp", "avif", "image/avif"),
            (b"qoif\0\0\1", "image/qoi", "qoi", "image/qoi"),
            (b"\0\0\2\0" * 5, "image/x-tga; a=b", "tga", "image/x-tga"),
        ],
    )
    @pytest.mark.parametrize("hides", [set(), {b"content-length"}], ids=str)
    def test_an_image_of_any_type_is_delivered_as_what_it_is(
        self, server, deliver, tmp_path, data, content_type, extension, kind, hides
    ):
        server.traits.hides = hides
        server.emulator.serve(served(data, content_type))
        for _ in range(2):
            receipt = deliver(f"{tmp_path}/", variant="thumbnail")
            assert receipt.content_type == kind
        assert [path.name for path in tmp_path.iterdir()] == [f"{server.video_id}.{extension}"]
        assert server.downloads == 1
        with pytest.raises(NoSuchVariant, match="where the video was asked for"):
            deliver(f"{tmp_path}/")

    @pytest.mark.parametrize("body", [b"<svg onload='alert(1)'/>", b"\xef\xbb\xbf <?xml version='1.0'?>"])
    def test_a_page_is_no_image_whatever_it_is_called(self, server, deliver, tmp_path, body):
        server.emulator.serve(served(body, "image/svg+xml"))
        with pytest.raises(DeliveryError, match="did not send a video or an image"):
            deliver(f"{tmp_path}/", variant="thumbnail")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("status", [404, 501])
    def test_a_server_without_one_says_so(self, server, deliver, tmp_path, status):
        server.emulator.inject(content(Answer(status=status), times=None))
        with pytest.raises(NoSuchVariant, match="has no thumbnail"):
            deliver(f"{tmp_path}/", variant="thumbnail")

    def test_a_server_that_sends_the_video_instead_has_none(self, server, deliver, tmp_path):
        server.emulator.serve(served(film(1000)))
        with pytest.raises(NoSuchVariant, match="sent MP4 where the thumbnail was asked for"):
            deliver(f"{tmp_path}/", variant="thumbnail")
        assert list(tmp_path.iterdir()) == []


def test_progress_is_told_at_a_human_pace(server, deliver, tmp_path, caplog):
    class Slow(Waits):
        """Each look at it is half a second later."""

        looks = 0

        def monotonic(self):
            self.looks += 1
            return self.looks * 3

    server.emulator.serve_bytes(8 * MIB)
    with caplog.at_level(logging.INFO, "delivery"):
        deliver(f"{tmp_path}/", clock=Slow())
    lines = [record.message for record in caplog.records if " left" in record.message]
    assert lines
    assert lines[0].endswith("s left")
    assert "MiB/s" in lines[0]
    assert "%" in lines[0]
