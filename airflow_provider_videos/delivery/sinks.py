"""
Where bytes go. A sink takes them to a place nobody looks at; only :meth:`Sink.commit` makes them the file.

Leaving the ``with`` block of a sink without a commit leaves nothing behind.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, Self

from airflow_provider_videos.api.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from mypy_boto3_s3 import S3Client


class Sink(Protocol):
    """A destination that is written in secret and appears whole."""

    def __enter__(self) -> Self:
        """Begin."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def commit(self) -> None:
        """Make what was written the file."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Take back everything that was not committed."""


class LocalFile:
    """
    A file on this machine: written under a temporary name beside the target, synced, then renamed.

    :param path: the target; missing folders are made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")

    def __enter__(self) -> Self:
        with _as_delivery_error(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("xb")
        return self

    def write(self, chunk: bytes) -> None:
        with _as_delivery_error(self._path):
            self._file.write(chunk)

    def commit(self) -> None:
        with _as_delivery_error(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._temporary.replace(self._path)

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk is reported once, by the write that met it
            self._file.close()
        self._temporary.unlink(missing_ok=True)


@contextmanager
def _as_delivery_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeliveryError(f"{path} cannot be written: {error.strerror or error}") from error


class S3Object:
    """
    An object in S3 or a store that speaks its protocol, written as one multipart upload.

    Memory is bounded by one part. An object has at most 10,000 parts, so parts grow as more is written.

    :param client: a ready boto3 client.
    :param bucket: the bucket; it exists.
    :param key: the object's key.
    :param content_type: the object's media type.
    """

    SMALLEST_PART = 8 * 1024 * 1024
    PARTS_PER_SIZE = 1000

    def __init__(self, client: S3Client, bucket: str, key: str, content_type: str) -> None:
        self._client = client
        self._target = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._buffer = bytearray()
        self._parts: list[dict[str, Any]] = []
        self._upload: dict[str, str] = {}

    def __enter__(self) -> Self:
        upload = self._call(self._client.create_multipart_upload, ContentType=self._content_type)
        self._upload = {"UploadId": upload["UploadId"]}
        return self

    def write(self, chunk: bytes) -> None:
        self._buffer += chunk
        if len(self._buffer) >= self.SMALLEST_PART * (1 + len(self._parts) // self.PARTS_PER_SIZE):
            self._send()

    def commit(self) -> None:
        if self._buffer or not self._parts:
            self._send()
        parts = {"Parts": self._parts}
        self._call(self._client.complete_multipart_upload, **self._upload, MultipartUpload=parts)
        self._upload = {}

    def _send(self) -> None:
        number, body = len(self._parts) + 1, bytes(self._buffer)
        part = self._call(self._client.upload_part, **self._upload, PartNumber=number, Body=body)
        self._parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self._buffer.clear()

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return method(**self._target, **arguments)
        except (BotoCoreError, ClientError) as error:
            raise DeliveryError(
                f"s3://{'/'.join(self._target.values())} cannot be written: {error}"
            ) from error

    def __exit__(self, *_: object) -> None:
        if self._upload:
            # What went wrong before is the news; a lifecycle rule of the bucket ends what cannot be aborted.
            with suppress(DeliveryError):
                self._call(self._client.abort_multipart_upload, **self._upload)
