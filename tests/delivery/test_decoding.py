"""Files that are whole and cannot be played."""

from __future__ import annotations

import io
import random
import sys
import tempfile
from typing import TYPE_CHECKING, cast

import av
import pytest
from PIL import Image

from airflow_provider_videos.api.containers import VIDEOS, sniff
from airflow_provider_videos.api.errors import DeliveryError, InvalidRequest
from airflow_provider_videos.delivery import decoding
from airflow_provider_videos.delivery.decoding import find_flaw, require_decoder
from tests.delivery.films import FTYP, box, served

if TYPE_CHECKING:
    from av import VideoStream

FRAMES = 48


def rendered(form: str, codec: str, **options) -> bytes:
    """A video that moves too much to be guessed from one of its frames."""
    out = io.BytesIO()
    with av.open(out, "w", format=form, container_options=options) as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=24))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.gop_size = 12
        for number in range(FRAMES):
            noise = random.Random(number).randbytes(96 * 64 * 3)
            frame = av.VideoFrame.from_image(Image.frombytes("RGB", (96, 64), noise))
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return out.getvalue()


FORMS = {
    "MP4": ("mp4", "libx264", {}),
    "fragmented MP4": ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "QuickTime": ("mov", "libx264", {}),
    "AVI": ("avi", "mpeg4", {}),
    "WebM": ("webm", "libvpx", {}),
    "Matroska": ("matroska", "libx264", {}),
    "FLV": ("flv", "flv1", {}),
    "MPEG-TS": ("mpegts", "mpeg2video", {}),
    "MPEG-PS": ("mpeg", "mpeg2video", {}),
}


@pytest.fixture(scope="module")
def films():
    return {name: rendered(form, codec, **options) for name, (form, codec, options) in FORMS.items()}


@pytest.mark.parametrize("name", FORMS)
def test_a_video_that_plays_has_no_flaw(films, name):
    container = sniff(films[name])
    assert container in VIDEOS
    assert container.name in name
    assert find_flaw(io.BytesIO(films[name]), container) is None


@pytest.mark.parametrize("name", ["MP4", "QuickTime", "fragmented MP4"])
def test_noise_instead_of_pictures_is_found(films, name):
    data = films[name]
    first = data.index(b"mdat") + 4
    noise = random.Random(0).randbytes(4000)
    broken = data[:first] + noise + data[first + len(noise) :]
    assert "decoded" in find_flaw(io.BytesIO(broken), sniff(data))


@pytest.mark.parametrize("name", ["MP4", "QuickTime", "fragmented MP4", "AVI", "Matroska"])
def test_an_end_that_was_never_written_is_found(films, name):
    data = films[name]
    end = data.rindex(b"moov") - 4 if name in {"MP4", "QuickTime"} else len(data)
    broken = data[: end // 2] + bytes(end - end // 2) + data[end:]
    assert find_flaw(io.BytesIO(broken), sniff(data))


def test_a_video_that_ends_before_it_says_is_found(films):
    data = films["Matroska"]
    assert find_flaw(io.BytesIO(data[: len(data) // 2]), sniff(data))


def test_a_file_of_the_right_boxes_and_nothing_in_them_is_found():
    data = FTYP + box(b"mdat", bytes(5000)) + box(b"moov", b"")
    assert "cannot be decoded" in find_flaw(io.BytesIO(data), sniff(data))


def test_a_missing_decoder_is_an_error_that_says_what_to_install(monkeypatch):
    require_decoder()
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InvalidRequest, match=r"pip install 'airflow-provider-videos\[emulator\]'"):
        require_decoder()


class TestDelivery:
    def test_a_video_that_plays_is_delivered(self, server, deliver, place, films):
        server.emulator.serve(served(films["MP4"]))
        receipt = deliver(f"{place.uri}film.mp4", verify="decode")
        assert place.files() == {"film.mp4": films["MP4"]}
        assert receipt.size_bytes == len(films["MP4"])
        assert server.downloads == 1

    def test_one_that_does_not_is_asked_for_once_more_and_leaves_nothing(
        self, server, deliver, place, memory
    ):
        data = FTYP + box(b"mdat", bytes(9_000_000)) + box(b"moov", b"")
        server.emulator.serve(served(data))
        place.put("film.mp4", b"old")
        with pytest.raises(DeliveryError, match="the file came whole, but it cannot be decoded"):
            deliver(f"{place.uri}film.mp4", verify="decode", if_exists="overwrite")
        assert place.files() == {"film.mp4": b"old"}
        assert server.downloads == 2
        assert deliver(f"{place.uri}other.mp4").size_bytes == len(data)

    def test_images_are_not_opened(self, server, deliver, tmp_path):
        server.emulator.serve(served(b"GIF89a and nothing else", "image/gif"))
        assert deliver(f"{tmp_path}/", variant="thumbnail", verify="decode").content_type == "image/gif"

    def test_a_full_disk_is_named(self, server, deliver, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", "/dev/full/nowhere")
        server.emulator.serve(served(FTYP + box(b"mdat", b"") + box(b"moov", b"")))
        with pytest.raises(DeliveryError, match="a copy to check cannot be written"):
            deliver(f"{tmp_path}/", verify="decode")
        assert list(tmp_path.iterdir()) == []


def test_every_video_format_has_its_demuxer():
    assert set(decoding._DEMUXERS) == VIDEOS
