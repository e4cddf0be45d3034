"""Files that a purchase starts from, opened where the task runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_videos.adapters.storage import open_file
from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.api.requests import as_text
from airflow_provider_videos.api.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.api.uploads import Reference


@contextmanager
def open_reference(reference: str | Mapping[str, Any] | None) -> Iterator[Reference | None]:
    """
    Open the image that a video starts from, for a ``with`` block.

    :param reference: its path or URI, the contract's own object, or nothing.
    """
    if isinstance(reference, Mapping) or reference in (None, ""):
        yield (isinstance(reference, Mapping) and reference) or None
        return
    with _opened("input_reference", reference) as (name, file):
        yield Upload.image(name, file)


@contextmanager
def open_source(video_id: str | None, video: str | None) -> Iterator[str | Upload]:
    """
    Return the id of the video that another one starts from, or open its file, for a ``with`` block.

    :param video_id: a video of the server.
    :param video: a file's path or URI.
    :raises InvalidRequest: unless there is exactly one of them.
    """
    given = [source for source in (video_id, video) if source not in (None, "")]
    if len(given) != 1:
        raise InvalidRequest("give either video_id, a video of the server, or video, a file")
    if video in (None, ""):
        yield given[0]
    else:
        with _opened("video", given[0]) as (name, file):
            yield Upload.video(name, file)


@contextmanager
def _opened(parameter: str, path: str | None) -> Iterator[tuple[str, BinaryIO]]:
    name, file = open_file(parameter, as_text(parameter, path))
    with file:
        yield name, file
