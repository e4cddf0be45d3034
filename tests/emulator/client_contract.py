"""
Contract of the client on any server, by operation: the documented result, or an error that names it.

Each operation is a function of a served client; it returns what the matrix shows, and asserts all else.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from PIL import Image

from airflow_provider_videos.api import errors
from airflow_provider_videos.api.containers import IMAGES, VIDEOS, sniff
from airflow_provider_videos.api.models import Phase, Video
from airflow_provider_videos.api.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_videos.api.client import VideosClient

OK, UNSUPPORTED = "ok", "unsupported"
PATIENCE = 120


@dataclass
class Served:
    """A client, its server, and what it has bought."""

    client: VideosClient
    pass_time: Callable[[float], None]
    bought: list[str] = field(default_factory=list)

    def buy(self, prompt: str = "A boat", **fields: Any) -> str:
        self.pass_time(60)  # some servers work on one job at a time
        return self.buy_at_once(prompt, **fields)

    def buy_at_once(self, prompt: str, **fields: Any) -> str:
        video = self.client.create(prompt, seconds="4", size="1280x720", **fields)
        assert video.phase in {Phase.WAITING, Phase.UNKNOWN}
        self.bought.append(video.id)
        return video.id

    def end(self, video_id: str) -> Video:
        """Wait as the sensor does: for the meaning of a status, never for a word or for progress."""
        for _ in range(PATIENCE):
            video = self.client.retrieve(video_id)
            if video.phase is Phase.SUCCEEDED or video.has_failed:
                return video
            self.pass_time(1)
        raise AssertionError("the video never came to an end")

    @cached_property
    def completed(self) -> str:
        video_id = self.buy()
        assert self.end(video_id).phase is Phase.SUCCEEDED
        return video_id

    def file(self, video_id: str, **options: Any) -> bytes:
        with self.client.download_content(video_id, **options) as content:
            return b"".join(content.chunks)


OPERATIONS: dict[str, Callable[[Served], str]] = {}


def operation(function: Callable[[Served], str]) -> Callable[[Served], str]:
    OPERATIONS[function.__name__] = function
    return function


def named(error: errors.NotSupported, name: str) -> str:
    """An unsupported operation is one whose error names it."""
    assert f"does not support {name}" in str(error), str(error)
    return UNSUPPORTED


def new_video(served: Served, name: str, order: Callable[[str], Video]) -> str:
    try:
        made = order(served.completed)
    except errors.NotSupported as error:
        return named(error, name)
    served.bought.append(made.id)
    assert made.id != served.completed
    try:
        assert served.end(made.id).phase is Phase.SUCCEEDED
    except errors.ServerFault as error:
        return f"ok, then {error.status_code}"  # a gateway that hands out an id it cannot follow
    return OK


@operation
def create(served: Served) -> str:
    assert served.buy()
    return OK


@operation
def reference(served: Served) -> str:
    """An image to begin with."""
    file = io.BytesIO()
    Image.new("RGB", (1280, 720), "teal").save(file, "PNG")
    served.buy(input_reference=Upload.image("first.png", file.getvalue()))
    return OK


@operation
def wait(served: Served) -> str:
    assert served.end(served.buy()).phase is Phase.SUCCEEDED
    return OK


@operation
def failure(served: Served) -> str:
    """A job that fails says why, in whichever way."""
    video = served.end(served.buy("A boat [fail]"))
    assert video.has_failed
    assert video.error
    assert video.error.message == "The video could not be generated."
    return OK


@operation
def second(served: Served) -> str:
    """A job while another one runs."""
    served.buy()
    try:
        served.buy_at_once("Another boat")
    except errors.Busy as error:
        return f"Busy {error.status_code}"
    return OK


@operation
def download(served: Served) -> str:
    kind = sniff(served.file(served.completed))
    assert kind in VIDEOS
    return OK if kind.name == "MP4" else f"ok, {kind.name}"


@operation
def early(served: Served) -> str:
    """A download before its time is an error, and one of ours."""
    video_id = served.buy()
    try:
        served.file(video_id)
    except errors.AnswerError as error:
        return f"{type(error).__name__} {error.status_code}"
    raise AssertionError("a file before its time")


@operation
def thumbnail(served: Served) -> str:
    try:
        kind = sniff(served.file(served.completed, variant="thumbnail"))
    except errors.NotSupported as error:
        return named(error, "download of the thumbnail")
    except errors.NotFound as error:
        return f"NotFound {error.status_code}"
    assert kind is not None
    return OK if kind in IMAGES else f"{kind.name} instead"


@operation
def lists(served: Served) -> str:
    video_id = served.buy()
    try:
        found = [video.id for video in served.client.list(limit=2)]
    except errors.NotSupported as error:
        return named(error, "list")
    except errors.Refused as error:
        return f"Refused {error.status_code}"
    assert len(found) == len(set(found)) == len(served.bought)
    return OK if video_id in found else "ok, other ids"


@operation
def delete(served: Served) -> str:
    video_id = served.buy()
    try:
        assert served.client.delete(video_id).deleted is True
    except errors.NotSupported as error:
        return named(error, "delete")
    assert served.client.delete(video_id).deleted is False
    served.bought.remove(video_id)
    return OK


@operation
def unknown(served: Served) -> str:
    """An id that nobody knows is an error, and one of ours."""
    try:
        served.client.retrieve("video_0123456789abcdef")
    except errors.AnswerError as error:
        return f"{type(error).__name__} {error.status_code}"
    raise AssertionError("a video that nobody has bought")


@operation
def remix(served: Served) -> str:
    return new_video(served, "remix", lambda source: served.client.remix(source, "In winter"))


@operation
def edit(served: Served) -> str:
    return new_video(served, "edit", lambda source: served.client.edit(source, "At night"))


@operation
def extend(served: Served) -> str:
    return new_video(served, "extend", lambda source: served.client.extend(source, "Further", seconds=4))


@operation
def models(served: Served) -> str:
    assert served.client.list_models()
    return OK


def table(rows: Mapping[str, Mapping[str, str]]) -> str:
    """The matrix: a server a row, an operation a column."""
    heads = ["", *OPERATIONS]
    lines = [heads, *([name, *(cells.get(head, "") for head in OPERATIONS)] for name, cells in rows.items())]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
