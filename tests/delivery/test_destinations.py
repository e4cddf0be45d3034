"""Meaning of a destination, and what may stand in one."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from dataclasses import replace

import pytest
from airflow.models.asset import AssetModel
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_videos.adapters.names import Asset
from airflow_provider_videos.api.containers import AVI, GIF, JPEG, MP4, PNG, WEBM, WEBP, sniff
from airflow_provider_videos.api.errors import DeliveryError, InvalidRequest, Taken
from airflow_provider_videos.delivery.destinations import Destination
from airflow_provider_videos.delivery.local import LocalFile
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


@settings(max_examples=300, deadline=None)
@given(
    root=st.sampled_from(["s3://films/", "gs://films/", "abfs://films/", "memory://", "/", "file:///"]),
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100),
)
@example(root="s3://films/", key="take #1.mp4")
@example(root="s3://films/", key="a%20b+c;d?e[f]&g=h.mp4")
@example(root="s3://films/", key="a/../b//c/./d.")
@example(root="s3://films/", key="line\nbreak\tand \u6771\u4eac")
@example(root="memory://", key="[")
@example(root="/", key="//")
def test_a_uri_is_kept_by_airflow_and_reads_back_as_the_same_place(root, key):
    try:
        place = Destination.parse(root + key).file_for("v", MP4)
    except InvalidRequest:
        return  # a folder, or a host that is none
    assert Asset(place.uri).uri == place.uri
    assert AssetModel(uri=place.uri).uri == place.uri
    assert Destination.from_uri(place.uri) == replace(place, host=place.host.rpartition("@")[2])


def test_composed_and_decomposed_letters_are_two_files():
    names = ("\u00fc.mp4", "u\u0308.mp4", "%C3%BC.mp4", "+.mp4", " .mp4", "%20.mp4")
    assert len({Destination.parse(f"s3://films/{name}").uri for name in names}) == len(names)


@pytest.mark.parametrize("key", ["x" * 1025, "\u6771" * 342, "\ud800"])
def test_a_key_that_no_store_can_hold_is_refused(key):
    with pytest.raises(InvalidRequest, match="destination"):
        Destination.parse(f"s3://films/{key}")


@pytest.mark.parametrize("name", ["\u6771" * 85, "\U0001f6a4" * 63, "a" * 255])
@pytest.mark.parametrize("if_exists", ["overwrite", "fail"])
def test_a_name_of_any_script_that_is_legal_fits(server, deliver, tmp_path, name, if_exists):
    server.emulator.serve(served(film(100)))
    deliver(f"{tmp_path}/{name}", if_exists=if_exists)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("problem", [errno.EINVAL, errno.EACCES, errno.ENOTSUP, errno.EBADF, errno.EIO])
def test_a_folder_that_cannot_be_synced_undoes_no_rename(tmp_path, monkeypatch, problem):
    real = os.fsync

    def no_folder(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(problem, os.strerror(problem))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", no_folder)
    with LocalFile(tmp_path / "film.mp4", lambda _: None) as sink:
        sink.write(b"film")
        sink.commit()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"film"]


@pytest.mark.parametrize("is_taken", [False, True])
@pytest.mark.parametrize("has_no_renameat2", [False, True])
def test_a_file_system_without_links_replaces_nothing_either(
    tmp_path, monkeypatch, has_no_renameat2, is_taken
):
    def lacking(*_):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "link", lacking)
    if has_no_renameat2:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    sink = LocalFile(tmp_path / "film.mp4", lambda _: None, replace=False)
    with sink:
        sink.write(b"film")
        if is_taken:
            (tmp_path / "film.mp4").write_bytes(b"somebody's")
            with pytest.raises(Taken):
                sink.commit()
        else:
            sink.commit()
            assert bool(sink.hint) == has_no_renameat2
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"somebody's" if is_taken else b"film"]


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
