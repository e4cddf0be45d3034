"""From a stream of bytes to a file that is whole, checked and hashed in one pass, or an error and no file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_videos.api.containers import ENOUGH_TO_TELL, Container, sniff
from airflow_provider_videos.api.errors import DeliveryError
from airflow_provider_videos.api.responses import quoted, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.api.client import Content
    from airflow_provider_videos.delivery.destinations import Destination
    from airflow_provider_videos.delivery.sinks import Sink

_ENOUGH_TO_QUOTE = 4096


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What was delivered.

    :param uri: where it is.
    :param container: the file's format.
    :param size_bytes: its length.
    :param sha256: its SHA-256, in hexadecimal.
    """

    uri: str
    container: Container
    size_bytes: int
    sha256: str


def deliver(
    video_id: str,
    content: Content[Iterator[bytes]],
    destination: Destination,
    s3_client: Callable[[], S3Client],
) -> Receipt:
    """
    Bring a file to where it is wanted.

    :param video_id: the video it belongs to.
    :param content: the file on its way.
    :param destination: where it is wanted.
    :param s3_client: makes a boto3 client, where one is needed.
    :raises DeliveryError: if what comes is no video or image, or not all of it, or cannot be written; nothing
        is left behind.
    """
    head = _read(content.chunks, ENOUGH_TO_TELL)
    container = sniff(head)
    if container is None:
        head += _read(content.chunks, _ENOUGH_TO_QUOTE)
        kind = quoted(content.content_type or "no content type")
        raise DeliveryError(
            f"the server did not send a video or an image but {kind}: {words_of(head)!r}", video_id=video_id
        )
    target = destination.file_for(video_id, container)
    with target.sink(container, s3_client) as sink:
        size, sha256 = _pour(head, content.chunks, sink)
        if content.length is not None and size != content.length:
            raise DeliveryError(f"{content.length} bytes were promised and {size} came", video_id=video_id)
        sink.commit()
    return Receipt(target.uri, container, size, sha256)


def _pour(head: bytes, chunks: Iterable[bytes], sink: Sink) -> tuple[int, str]:
    """Write all bytes; return how many there were, and their hash."""
    sink.write(head)
    size, digest = len(head), hashlib.sha256(head)
    for chunk in chunks:
        sink.write(chunk)
        size += len(chunk)
        digest.update(chunk)
    return size, digest.hexdigest()


def _read(chunks: Iterator[bytes], enough: int) -> bytes:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= enough:
            break
    return head
