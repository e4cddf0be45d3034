"""
Where bytes go. A sink takes them to a place nobody looks at; only :meth:`Sink.commit` makes them the file.

Leaving the ``with`` block of a sink without a commit leaves nothing behind.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


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

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=self._path.parent, prefix=f".{self._path.name[:100]}.", suffix=".part"
        )
        self._file = os.fdopen(handle, "wb")
        self._temporary = Path(name)
        return self

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)

    def commit(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._temporary.chmod(0o666 & ~_umask())
        self._temporary.replace(self._path)

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def _umask() -> int:
    # The process's umask can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


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
        self._target: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._buffer = bytearray()
        self._parts: list[CompletedPartTypeDef] = []

    def __enter__(self) -> Self:
        upload = self._client.create_multipart_upload(**self._target, ContentType=self._content_type)
        self._upload = upload["UploadId"]
        self._open = True
        return self

    def write(self, chunk: bytes) -> None:
        self._buffer += chunk
        if len(self._buffer) >= self.SMALLEST_PART * (1 + len(self._parts) // self.PARTS_PER_SIZE):
            self._send()

    def commit(self) -> None:
        if self._buffer or not self._parts:
            self._send()
        self._client.complete_multipart_upload(
            **self._target, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
        )
        self._open = False

    def _send(self) -> None:
        number = len(self._parts) + 1
        part = self._client.upload_part(
            **self._target, UploadId=self._upload, PartNumber=number, Body=bytes(self._buffer)
        )
        self._parts.append({"PartNumber": number, "ETag": part["ETag"]})
        self._buffer.clear()

    def __exit__(self, *_: object) -> None:
        if self._open:
            self._client.abort_multipart_upload(**self._target, UploadId=self._upload)
