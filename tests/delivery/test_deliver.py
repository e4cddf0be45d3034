from __future__ import annotations

import hashlib
import random
import stat

import pytest

from airflow_provider_videos.api.client import Content
from airflow_provider_videos.api.containers import AVI, JPEG, MP4, PNG, WEBM, WEBP, sniff
from airflow_provider_videos.api.errors import DeliveryError, InvalidRequest
from airflow_provider_videos.delivery.deliver import deliver
from airflow_provider_videos.delivery.destinations import Destination
from airflow_provider_videos.delivery.sinks import S3Object

MIB = 1024 * 1024


def file(size: int) -> bytes:
    return b"\0\0\0\x14ftypisom" + random.Random(size).randbytes(size - 12)


def content(body: bytes, *, length: int | None = None, piece: int = 100_000) -> Content:
    chunks = (body[at : at + piece] for at in range(0, len(body), piece))
    return Content("video/mp4", length, chunks)


class BrokenOffError(Exception):
    pass


def breaking_off(body: bytes):
    yield from content(body).chunks
    raise BrokenOffError


@pytest.fixture(params=["local", "s3"])
def place(request, tmp_path):
    """A place to deliver to: a sink for it, what stands there, and everything that was left lying about."""
    if request.param == "local":
        return Local(tmp_path)
    return Bucket(request.getfixturevalue("s3"))


class Local:
    def __init__(self, folder) -> None:
        self._folder = folder
        self.uri = (folder / "film.mp4").as_uri()

    def s3(self):
        raise AssertionError("no client is needed")

    def read(self) -> bytes:
        return (self._folder / "film.mp4").read_bytes()

    def leftovers(self) -> list[str]:
        return [path.name for path in self._folder.iterdir()]


class Bucket:
    def __init__(self, client) -> None:
        self._client = client
        self._key = f"films/{random.randbytes(8).hex()}.mp4"
        self.uri = f"s3://bucket/{self._key}"

    def s3(self):
        return self._client

    def read(self) -> bytes:
        return self._client.get_object(Bucket="bucket", Key=self._key)["Body"].read()

    def leftovers(self) -> list[str]:
        found = self._client.list_objects_v2(Bucket="bucket", Prefix=self._key).get("Contents", [])
        uploads = self._client.list_multipart_uploads(Bucket="bucket").get("Uploads", [])
        return [item["Key"] for item in found] + [item["Key"] for item in uploads]


def bring(content, place):
    return deliver("v", content, Destination.parse(place.uri), place.s3)


@pytest.mark.parametrize("size", [12, 1000, 8 * MIB, 8 * MIB + 1, 20 * MIB])
def test_what_arrives_is_what_was_sent(place, size):
    body = file(size)
    receipt = bring(content(body, length=size), place)
    assert place.read() == body
    assert receipt.size_bytes == size
    assert receipt.sha256 == hashlib.sha256(body).hexdigest()
    assert receipt.container is MP4
    assert receipt.uri == place.uri
    assert len(place.leftovers()) == 1


@pytest.mark.parametrize("size", [1000, 20 * MIB])
def test_a_stream_that_breaks_off_leaves_nothing(place, size):
    with pytest.raises(BrokenOffError):
        bring(Content("video/mp4", None, breaking_off(file(size))), place)
    assert place.leftovers() == []


@pytest.mark.parametrize("promised", [999, 1001])
def test_another_length_than_promised_leaves_nothing(place, promised):
    with pytest.raises(DeliveryError, match=f"{promised} bytes were promised and 1000 came"):
        bring(content(file(1000), length=promised), place)
    assert place.leftovers() == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"error": {"message": "expired"}}', b"<html>gone</html>", bytes(5000)]
)
def test_what_is_no_video_is_not_delivered(place, body):
    with pytest.raises(DeliveryError, match="did not send a video or an image"):
        bring(content(body), place)
    assert place.leftovers() == []


def test_a_video_in_tiny_pieces_is_known_all_the_same(place):
    body = file(100)
    bring(content(body, piece=1), place)
    assert place.read() == body


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"\0\0\0\x18ftypmp42", MP4),
        (b"RIFF\x10\0\0\0AVI LIST", AVI),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", WEBM),
        (b"RIFF\x10\0\0\0WEBPVP8 ", WEBP),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", JPEG),
        (b"\x89PNG\r\n\x1a\n", PNG),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"GIF89a", None),
        (b"", None),
    ],
)
def test_a_format_is_told_by_its_first_bytes(head, container):
    assert sniff(head) is container


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    deliver("v", content(file(100)), Destination.parse(f"{tmp_path}/deep/film.mp4"), None)
    (tmp_path / "other").write_text("")
    modes = {
        stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep" / "film.mp4", tmp_path / "other")
    }
    assert len(modes) == 1


@pytest.mark.parametrize(
    ("destination", "uri"),
    [
        ("/films/a.mp4", "file:///films/a.mp4"),
        ("/films/", "file:///films/v%2Fd%3D.mp4".replace("%", "%25")),
        ("file:///films/a%20b.mp4", "file:///films/a%20b.mp4"),
        ("file://localhost/films/a.mp4", "file:///films/a.mp4"),
        ("s3://bucket/films/a.mp4", "s3://bucket/films/a.mp4"),
        ("s3://bucket/what?#%20.mp4", "s3://bucket/what?#%20.mp4"),
        ("s3://bucket/films/", "s3://bucket/films/v%2Fd%3D.mp4"),
        ("s3://bucket", "s3://bucket/v%2Fd%3D.mp4"),
        ("s3://s3/films/a.mp4", "s3://s3/films/a.mp4"),
    ],
)
def test_a_destination_means_what_its_user_wrote(destination, uri):
    assert Destination.parse(destination).file_for("v/d=", MP4).uri == uri


@pytest.mark.parametrize("video_id", ["../../etc/passwd", "..", "/etc/passwd", "a" * 300, "~", "\0"])
def test_no_id_climbs_out_of_its_folder(tmp_path, video_id):
    deliver(video_id, content(file(100)), Destination.parse(f"{tmp_path}/"), None)
    assert len(list(tmp_path.iterdir())) == 1


def test_ids_that_differ_in_their_end_alone_are_two_files(tmp_path):
    for video_id in ("v" * 262 + "1", "v" * 262 + "2"):
        deliver(video_id, content(file(100)), Destination.parse(f"{tmp_path}/"), None)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_without_its_slash_is_named(tmp_path):
    with pytest.raises(InvalidRequest, match="is a folder: end it with /"):
        Destination.parse(str(tmp_path))


def test_a_place_that_cannot_be_written_is_named_without_its_temporary_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match=r"file/film\.mp4 cannot be written") as caught:
        deliver("v", content(file(100)), Destination.parse(f"{tmp_path}/file/film.mp4"), None)
    assert ".part" not in str(caught.value)


def test_a_bucket_that_is_not_there_is_named(s3):
    with pytest.raises(DeliveryError, match=r"s3://nowhere/film\.mp4 cannot be written"):
        deliver("v", content(file(100)), Destination.parse("s3://nowhere/film.mp4"), lambda: s3)


def test_parts_grow_so_that_they_never_become_too_many(s3, monkeypatch):
    monkeypatch.setattr(S3Object, "SMALLEST_PART", 5 * MIB)
    monkeypatch.setattr(S3Object, "PARTS_PER_SIZE", 1)
    sizes = []
    s3.meta.events.register(
        "before-call.s3.UploadPart",
        lambda params, **_: sizes.append(params["body"].getbuffer().nbytes),
    )
    body = file(31 * MIB)
    deliver("v", content(body, piece=MIB), Destination.parse("s3://bucket/grown.mp4"), lambda: s3)
    assert sizes == [5 * MIB, 10 * MIB, 15 * MIB, MIB]
    assert s3.get_object(Bucket="bucket", Key="grown.mp4")["Body"].read() == body


def test_a_success_that_is_no_video_is_described_without_its_values(tmp_path):
    body = b'{"url": "https://cdn/SECRETPATH", "prompt": "A secret boat"}'
    with pytest.raises(DeliveryError, match="JSON with url, prompt") as caught:
        deliver("v", content(body), Destination.parse(f"{tmp_path}/"), None)
    assert "SECRET" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "destination", ["", "s3://", "gs://bucket/a", "file://host/a", "https://a/b?sig=1", None, 3]
)
def test_a_destination_nobody_can_write_to_is_refused(destination):
    with pytest.raises(InvalidRequest, match="destination must be") as caught:
        Destination.parse(destination)
    assert "sig" not in str(caught.value)
