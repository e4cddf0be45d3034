"""Check that a file is not only whole but can be played: its first and its last frames are decoded."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from airflow_provider_videos.api.containers import (
    AVI,
    FLV,
    MKV,
    MOV,
    MP4,
    MPEG_PS,
    MPEG_TS,
    OGG,
    WEBM,
    Container,
)
from airflow_provider_videos.api.errors import DeliveryError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.stream import VideoStream

_MISSING = (
    "verify='decode' needs PyAV, which is not installed: pip install 'airflow-provider-videos[emulator]'"
)
_TOLERATED_SECONDS = 0.5
# Named, or FFmpeg would choose by the bytes, and some of its formats open other files and addresses.
_DEMUXERS = {
    **dict.fromkeys((MP4, MOV), "mov"),
    **dict.fromkeys((WEBM, MKV), "matroska"),
    AVI: "avi",
    OGG: "ogg",
    FLV: "flv",
    MPEG_TS: "mpegts",
    MPEG_PS: "mpeg",
}


def require_decoder() -> None:
    """
    See that files can be decoded here, before one is downloaded for it.

    :raises InvalidRequest: if PyAV is not installed.
    """
    try:
        import av  # noqa: F401
    except ImportError:
        raise InvalidRequest(_MISSING) from None


class DecodingCheck:
    """
    Copy of a file on its way, in a temporary file without a name, and whether it can be decoded.

    So nothing has to be committed to be checked, and nothing is left behind, not even by a ``kill -9``.

    :param container: the file's format.
    """

    def __init__(self, container: Container) -> None:
        self._container = container

    def __enter__(self) -> Self:
        with _as_delivery_error():
            self._copy = cast("BinaryIO", tempfile.TemporaryFile())
        return self

    def __exit__(self, *_: object) -> None:
        self._copy.close()

    def write(self, chunk: bytes) -> None:
        """
        Take the next bytes.

        :param chunk: the bytes.
        """
        with _as_delivery_error():
            self._copy.write(chunk)

    def flaw(self) -> str | None:
        """Say why what was written cannot be decoded; None if it can."""
        with _as_delivery_error():
            self._copy.seek(0)
        return find_flaw(self._copy, self._container)


@contextmanager
def _as_delivery_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeliveryError(f"a copy to check cannot be written: {error.strerror or error}") from error


def find_flaw(file: BinaryIO, container: Container) -> str | None:
    """
    Say why a video cannot be decoded; None if it can.

    Memory holds one frame at a time. The last frames are those behind the last one that stands for itself,
    which in a short video may well be the first.

    :param file: the file, at its beginning.
    :param container: its format.
    """
    import av

    try:
        with av.open(file, "r", format=_DEMUXERS[container]) as opened:
            if not opened.streams.video:
                return "it cannot be decoded: there are no pictures in it"
            return _flaw_of_frames(opened, opened.streams.video[0])
    except (av.FFmpegError, OSError, ValueError) as error:
        return f"it cannot be decoded: {getattr(error, 'strerror', None) or error}"


def _flaw_of_frames(container: InputContainer, stream: VideoStream) -> str | None:
    first = next(container.decode(stream), None)
    if first is None or first.is_corrupt:
        return "its first frame cannot be decoded"
    end = _end(container, stream)
    if end:
        container.seek(int(end / (stream.time_base or 1)), stream=stream)
    last, reached = first, 0.0
    for packet in container.demux(stream):
        moment = (packet.pts or 0) + (packet.duration or 0)
        reached = max(reached, float(moment * (packet.time_base or 0)))
        last = next(reversed(packet.decode()), last)
    if last.is_corrupt:
        return "its last frame cannot be decoded"
    lacks = end - reached
    return f"its last {lacks:.1f} seconds are missing" if lacks > _TOLERATED_SECONDS else None


def _end(container: InputContainer, stream: VideoStream) -> float:
    """Return at which second a video ends as it says itself; 0 if it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    begin_and_length = (container.start_time or 0) + (container.duration or 0)
    return begin_and_length / 1_000_000 if container.duration else 0.0
