"""The files are what they say they are."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import av
import pytest
from PIL import Image

from airflow_provider_videos.emulator import Emulator, media
from airflow_provider_videos.emulator.content import BLOCK, Bytes, SyntheticVideo
from airflow_provider_videos.emulator.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

JOB = Job(
    id="video_1", model="emulated-1", prompt="A fox " * 40, size="1280x720", seconds=4, created=0, work=1
)


@pytest.fixture(scope="module")
def movie() -> Bytes:
    return media.render_video(JOB)


def frames(movie: Bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(movie.data), "r") as container:
        decoded: Iterator[Any] = container.decode(video=0)
        return [frame.to_image() for frame in decoded]


def test_a_video_is_h264_of_the_size_and_length_asked_for(movie: Bytes) -> None:
    with av.open(io.BytesIO(movie.data), "r") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames) == (1280, 720, 96)
        assert stream.average_rate == 24
        assert container.duration == 4_000_000


def test_a_video_moves(movie: Bytes) -> None:
    first, *_, last = frames(movie)

    assert first.tobytes() != last.tobytes()


def test_a_video_is_the_same_each_time_and_another_for_another_job(movie: Bytes) -> None:
    assert media.render_video(JOB) == movie
    assert media.render_video(replace(JOB, prompt="A cat")) != movie


def test_a_reference_is_the_first_frame() -> None:
    out = io.BytesIO()
    Image.new("RGB", (1280, 720), (220, 20, 20)).save(out, "PNG")

    first = frames(media.render_video(replace(JOB, reference=out.getvalue())))[0]

    red, green, blue = first.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]  # an RGB image's pixel is three numbers
    assert red > 190
    assert max(green, blue) < 60


def test_a_thumbnail_is_webp() -> None:
    image = Image.open(io.BytesIO(media.render_thumbnail(JOB).data))

    assert (image.format, image.size) == ("WEBP", (640, 360))


def test_a_spritesheet_is_a_jpeg_of_different_frames() -> None:
    sheet = Image.open(io.BytesIO(media.render_spritesheet(JOB).data))

    assert (sheet.format, sheet.size) == ("JPEG", (1280, 720))
    assert sheet.crop((0, 0, 320, 180)).tobytes() != sheet.crop((320, 0, 640, 180)).tobytes()


@pytest.mark.parametrize("size", ["720x1280", "1080x1920"])
def test_any_prompt_can_be_shown(size: str) -> None:
    for prompt in ("x", "x" * 32_000, "狐狸 🦊\n\n\x00", " "):
        assert media.Picture(replace(JOB, prompt=prompt, size=size)).at(1.5).width == int(
            size.split("x", maxsplit=1)[0]
        )


def test_measures() -> None:
    assert media.video_measures(media.render_video(replace(JOB, seconds=1)).data) == ("1280x720", 1)
    for measure in (media.video_measures, media.image_size):
        with pytest.raises(media.Unreadable):
            measure(b"nothing of the kind")


def test_a_synthetic_video_is_the_same_in_parts() -> None:
    video = SyntheticVideo(3 * BLOCK + 17)
    whole = b"".join(video.chunks(0, video.size))

    assert len(whole) == video.size
    assert whole[4:8] == b"ftyp"
    assert (whole[36:40], whole[44:48]) == (b"moov", b"mdat")
    assert len({whole[place : place + BLOCK] for place in range(0, 3 * BLOCK, BLOCK)}) == 3
    for start, stop in ((0, 1), (5, BLOCK), (BLOCK - 1, BLOCK + 1), (BLOCK, 2 * BLOCK), (9, video.size)):
        assert b"".join(video.chunks(start, stop)) == whole[start:stop]


def test_half_a_gibibyte_goes_through(client: httpx.Client, videos_emulator: Emulator) -> None:
    video = videos_emulator.serve_bytes(512 << 20)
    identity = client.post("/videos", json={"prompt": "x"}).json()["id"]
    videos_emulator.clock.advance(6)
    digest, size = hashlib.sha256(), 0

    with client.stream("GET", f"/videos/{identity}/content") as response:
        for chunk in response.iter_raw():
            digest.update(chunk)
            size += len(chunk)

    expected = hashlib.sha256()
    for block in video.chunks(0, video.size):
        expected.update(block)
    assert size == video.size == videos_emulator.record.exchanges[-1].bytes_sent
    assert digest.digest() == expected.digest()


def test_a_part_of_a_changed_file_is_the_whole(client: httpx.Client, videos_emulator: Emulator) -> None:
    videos_emulator.serve(Bytes(b"0123456789", "video/webm"))
    place = f"/videos/{client.post('/videos', json={'prompt': 'x'}).json()['id']}/content"
    videos_emulator.clock.advance(6)
    etag = client.get(place).headers["etag"]

    same = client.get(place, headers={"Range": "bytes=5-", "If-Range": etag})
    changed = client.get(place, headers={"Range": "bytes=5-", "If-Range": '"other"'})

    assert (same.status_code, same.content, same.headers["content-type"]) == (206, b"56789", "video/webm")
    assert (changed.status_code, changed.content) == (200, b"0123456789")
