"""From a stream of bytes to a file that is whole, checked and hashed in one pass, or an error and no file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_videos.api.containers import ENOUGH_TO_TELL, Container, sniff
from airflow_provider_videos.api.errors import DeliveryError
from airflow_provider_videos.api.responses import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_videos.api.client import Content
    from airflow_provider_videos.delivery.sinks import Sink

_QUOTED = 200


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What was delivered.

    :param container: the file's format.
    :param size_bytes: its length.
    :param sha256: its SHA-256, in hexadecimal.
    """

    container: Container
    size_bytes: int
    sha256: str


def deliver(
    video_id: str, content: Content[Iterator[bytes]], sink_for: Callable[[Container], Sink]
) -> Receipt:
    """
    Bring a file to where it is wanted.

    :param video_id: the video it belongs to, for errors.
    :param content: the file on its way.
    :param sink_for: makes the sink, once the file's format is known.
    :raises DeliveryError: if what comes is no video or image, or not all of it; nothing is left behind.
    """
    head, rest = _split(content.chunks)
    container = sniff(head)
    if container is None:
        kind = content.content_type or "no content type"
        raise DeliveryError(
            f"the server did not send a video or an image but {kind}: {quoted(_readable(head))!r}",
            video_id=video_id,
        )
    with sink_for(container) as sink:
        size, digest = 0, hashlib.sha256()
        for chunk in rest:
            sink.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        if content.length is not None and size != content.length:
            raise DeliveryError(f"{content.length} bytes were promised and {size} came", video_id=video_id)
        sink.commit()
    return Receipt(container, size, digest.hexdigest())


def _split(chunks: Iterator[bytes]) -> tuple[bytes, Iterable[bytes]]:
    """Return the first bytes, and all of them."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= ENOUGH_TO_TELL:
            break
    return head, _chain(head, chunks)


def _chain(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks


def _readable(head: bytes) -> str:
    return head[:_QUOTED].decode("utf-8", "replace")
