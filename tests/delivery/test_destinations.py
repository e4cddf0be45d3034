"""What a destination means, and what may stand in one."""

from __future__ import annotations

import stat

import pytest

from airflow_provider_videos.api.containers import AVI, GIF, JPEG, MP4, PNG, WEBM, WEBP, sniff
from airflow_provider_videos.api.errors import DeliveryError, InvalidRequest
from airflow_provider_videos.delivery.destinations import Destination
from tests.delivery.films import film, served


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
        (b"GIF89a", GIF),
        (b"", None),
    ],
)
def test_a_format_is_told_by_its_first_bytes(head, container):
    assert sniff(head) is container


@pytest.mark.parametrize(
    ("destination", "uri"),
    [
        ("/films/a.mp4", "file:///films/a.mp4"),
        ("/films/", "file:///films/v%252Fd%253D.mp4"),
        ("/films/a.{ext}", "file:///films/a.mp4"),
        ("file:///films/a%20b.mp4", "file:///films/a%20b.mp4"),
        ("file://localhost/films/a.mp4", "file:///films/a.mp4"),
        ("s3://bucket/films/a.mp4", "s3://bucket/films/a.mp4"),
        ("s3://bucket/what?#%20.mp4", "s3://bucket/what%3F%23%2520.mp4"),
        ("s3://bucket/films/", "s3://bucket/films/v%252Fd%253D.mp4"),
        ("s3://bucket", "s3://bucket/v%252Fd%253D.mp4"),
        ("s3://s3/films/a.mp4", "s3://s3/films/a.mp4"),
        ("gs://bucket/films/", "gs://bucket/films/v%252Fd%253D.mp4"),
        ("gs://my_conn@bucket/films/a.mp4", "gs://bucket/films/a.mp4"),
        ("abfs://container/a.{ext}", "abfs://container/a.mp4"),
    ],
)
def test_a_destination_means_what_its_user_wrote(destination, uri):
    assert Destination.parse(destination).file_for("v/d=", MP4).uri == uri


@pytest.mark.parametrize("video_id", ["../../etc/passwd", "..", "/etc/passwd", "a" * 300, "~", "\0"])
def test_no_id_climbs_out_of_its_folder(tmp_path, video_id):
    target = Destination.parse(f"{tmp_path}/").file_for(video_id, MP4)
    assert target.path.rpartition("/")[0] == str(tmp_path)
    assert target.path.rpartition("/")[2] not in {".mp4", "..mp4"}
    assert len(target.path.rpartition("/")[2]) < 255


def test_ids_that_differ_in_their_end_alone_are_two_files():
    folder = Destination.parse("/films/")
    first, second = (folder.file_for("v" * 262 + end, MP4).uri for end in "12")
    assert first != second


def test_a_folder_without_its_slash_is_named(tmp_path):
    with pytest.raises(InvalidRequest, match="is a folder: end it with /"):
        Destination.parse(str(tmp_path))


@pytest.mark.parametrize(
    "destination", ["", "s3://", "file://host/a", "https://a/b?sig=1", "ftp://a/b", "://a", None, 3]
)
def test_a_destination_nobody_can_write_to_is_refused(destination):
    with pytest.raises(InvalidRequest, match="destination must be") as caught:
        Destination.parse(destination)
    assert "sig" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_named_without_its_temporary_name(server, deliver, tmp_path):
    server.emulator.serve(served(film(100)))
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError, match=r"file/film\.mp4 cannot be written") as caught:
        deliver(f"{tmp_path}/file/film.mp4")
    assert ".part" not in str(caught.value)


def test_a_new_file_has_the_permissions_of_any_new_file(server, deliver, tmp_path):
    server.emulator.serve(served(film(100)))
    deliver(f"{tmp_path}/deep/film.mp4")
    (tmp_path / "other").write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep/film.mp4", tmp_path / "other")}
    assert len(modes) == 1
