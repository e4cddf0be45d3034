"""Rendering: real files that show what was asked for."""

from __future__ import annotations

import io
import textwrap
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, cast

import av
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from airflow_provider_videos.emulator.content import Bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import VideoStream
    from PIL.ImageFont import FreeTypeFont

    from airflow_provider_videos.emulator.jobs import Job

FRAMES_PER_SECOND = 24
LAP_SECONDS = 4
SHEET_COLUMNS = 4
SHEET_ROWS = 4
LINES_SHOWN = 12
INK = (250, 247, 240)
FAINT = (170, 178, 196)
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP")


class Unreadable(Exception):  # noqa: N818 - said of the file, not of us
    """The file is not what it should be."""


@dataclass(frozen=True)
class Picture:
    """Look of a job's video at any moment."""

    job: Job

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = self.job.size.split("x")
        return int(width), int(height)

    @cached_property
    def ground(self) -> Image.Image:
        """All that does not move: a gradient in the job's own colour, the prompt, the model."""
        width, height = self.size
        hue = blake2b(self.job.id.encode(), digest_size=3).digest()
        dark, light = tuple(c // 5 + 12 for c in hue), tuple(c // 3 + 40 for c in hue)
        ramp = Image.linear_gradient("L").resize(self.size)
        ground = Image.composite(Image.new("RGB", self.size, light), Image.new("RGB", self.size, dark), ramp)
        margin, text = width // 16, self._font(28)
        draw = ImageDraw.Draw(ground)
        columns = int((width - 2 * margin) / text.getlength("n"))
        lines = textwrap.wrap(_drawable(self.job.prompt), columns, max_lines=LINES_SHOWN, placeholder=" ...")
        draw.multiline_text((margin, height // 10), "\n".join(lines), INK, text, spacing=width // 90)
        draw.text((margin, height - height // 12), _drawable(self.job.model), FAINT, self._font(40))
        return ground

    def at(self, second: float) -> Image.Image:
        """
        The picture at a moment: the ground, a ball that goes round in laps, and the clock.

        :param second: seconds from the start.
        """
        width, height = self.size
        picture = self.ground.copy()
        draw = ImageDraw.Draw(picture)
        radius = min(width, height) // 16
        lap = second % LAP_SECONDS / LAP_SECONDS
        across = radius * 2 + int((width - 4 * radius) * (1 - abs(2 * lap - 1)))
        draw.circle((across, height * 2 // 3), radius, INK)
        clock = f"{int(second) // 60:02d}:{second % 60:05.2f}"
        draw.text((width // 16, height * 3 // 4), clock, INK, self._font(12))
        return picture

    def _font(self, parts: int) -> FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size=max(min(self.size) // parts, 10))


def _drawable(text: str) -> str:
    """What Pillow's own font has of a text: letters lose their accents, others become question marks."""
    bare = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return "".join(bare).encode("ascii", "replace").decode()


def render_video(job: Job) -> Bytes:
    """The job's video: H.264 in an MP4, the same bytes each time."""
    return Bytes(_encode(job, "mp4", "libx264", {"preset": "ultrafast", "crf": "28"}), "video/mp4")


def render_avi(job: Job) -> Bytes:
    """The job's video as servers without an MP4 encoder make it."""
    return Bytes(_encode(job, "avi", "mpeg4", {"qscale": "8"}), "video/avi")


def _encode(job: Job, form: str, codec: str, options: dict[str, object]) -> bytes:
    picture, out = Picture(job), io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=FRAMES_PER_SECOND))
        stream.width, stream.height = picture.size
        stream.pix_fmt = "yuv420p"
        stream.options = options
        stream.codec_context.thread_count = 1  # more would make the bytes depend on the machine
        for number in range(job.seconds * FRAMES_PER_SECOND):
            image = _first_frame(job) if number == 0 else None
            frame = _frame(image or picture.at(number / FRAMES_PER_SECOND))
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return out.getvalue()


def _frame(image: Image.Image) -> av.VideoFrame:
    frame: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # PyAV's stub leaves it bare
    return frame


def _first_frame(job: Job) -> Image.Image | None:
    return Image.open(io.BytesIO(job.reference)).convert("RGB") if job.reference else None


def render_thumbnail(job: Job) -> Bytes:
    """A picture out of the middle, at half size, as WebP."""
    picture = Picture(job)
    width, height = picture.size
    image = picture.at(job.seconds / 2).resize((width // 2, height // 2))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80)
    return Bytes(out.getvalue(), "image/webp")


def render_spritesheet(job: Job) -> Bytes:
    """Pictures at even distances in a grid, as JPEG."""
    picture = Picture(job)
    width, height = (side // 4 for side in picture.size)
    sheet = Image.new("RGB", (width * SHEET_COLUMNS, height * SHEET_ROWS))
    count = SHEET_COLUMNS * SHEET_ROWS
    for place in range(count):
        row, column = divmod(place, SHEET_COLUMNS)
        still = picture.at(job.seconds * place / count).resize((width, height))
        sheet.paste(still, (column * width, row * height))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=80)
    return Bytes(out.getvalue(), "image/jpeg")


RENDERERS: dict[str, Callable[[Job], Bytes]] = {
    "video": render_video,
    "avi": render_avi,
    "thumbnail": render_thumbnail,
    "spritesheet": render_spritesheet,
}


def image_size(data: bytes) -> str:
    """
    An image's real pixels, as `WIDTHxHEIGHT`.

    :param data: the file.
    :raises Unreadable: when it is no JPEG, PNG or WebP.
    """
    try:
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
            image.load()
            return f"{image.width}x{image.height}"
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Unreadable from error


def video_measures(data: bytes) -> tuple[str, int]:
    """
    A video's size, and its length in whole seconds, at least one.

    :param data: the file.
    :raises Unreadable: when there is no video in it.
    """
    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.video[0]
            seconds = round((container.duration or 0) / av.time_base)
            return f"{stream.width}x{stream.height}", max(seconds, 1)
    except (av.FFmpegError, IndexError) as error:
        raise Unreadable from error
