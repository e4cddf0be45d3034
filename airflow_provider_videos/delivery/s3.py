"""Objects in S3, and in stores that speak its protocol."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self

from airflow_provider_videos.api.errors import DeliveryError
from airflow_provider_videos.delivery.sinks import Description, Leave, Standing, Trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from mypy_boto3_s3 import S3Client

_CHECKSUM: Literal["CRC32"] = "CRC32"
# Without s3:ListBucket S3 answers 403 for what is not there; a key that is wrong shows when it writes.
_NOT_SEEN = {"404", "403"}


class S3Object:
    """
    An object in S3: parts are uploaded while the next ones come in.

    Memory is bounded by :data:`IN_FLIGHT` parts on their way and the one that is being filled. An object has
    at most 10,000 parts, so parts grow as more is written. Each is sent with a checksum, which the store
    verifies. What fits into one part is put as it is.

    :param client: a ready boto3 client.
    :param bucket: the bucket; it exists.
    :param key: the object's key.
    :param description: what the store is told of the object.
    :param leave: is told of an upload that has begun.
    """

    SMALLEST_PART = 8 * 1024 * 1024
    PARTS_PER_SIZE = 1000
    IN_FLIGHT = 3

    def __init__(
        self, client: S3Client, bucket: str, key: str, description: Description, leave: Leave
    ) -> None:
        self._client = client
        self._target = {"Bucket": bucket, "Key": key}
        self._description = description
        self._leave = leave
        self._buffer = bytearray()
        self._parts: list[Future[dict[str, Any]]] = []
        self._in_flight: deque[Future[dict[str, Any]]] = deque()
        self._upload: dict[str, str] = {}

    def standing(self) -> Standing | None:
        from botocore.exceptions import ClientError

        try:
            found = self._client.head_object(**self._target)  # type: ignore[arg-type]
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_SEEN:
                return None
            raise _unwritable(self._target, error) from error
        # Some stores write the labels' names in their own way.
        labels = {name.lower(): label for name, label in found.get("Metadata", {}).items()}
        return Standing(found["ContentLength"], found["ETag"], labels)

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self.IN_FLIGHT, "upload")
        return self

    def write(self, chunk: bytes) -> None:
        self._buffer += chunk
        if len(self._buffer) >= self.SMALLEST_PART * (1 + len(self._parts) // self.PARTS_PER_SIZE):
            self._send()

    def commit(self) -> None:
        if not self._parts:
            small = {**_checked(self._buffer), **self._said(), **self._guard()}
            self._call(self._client.put_object, **small)
            return
        if self._buffer:
            self._send()
        parts = {"Parts": [part.result() for part in self._parts]}
        self._call(
            self._client.complete_multipart_upload, **self._upload, MultipartUpload=parts, **self._guard()
        )
        self._upload = {}

    def _send(self) -> None:
        """Hand a part to a thread, once one is free."""
        if not self._upload:
            self._begin()
        while len(self._in_flight) >= self.IN_FLIGHT:
            self._in_flight.popleft().result()
        part = self._threads.submit(self._send_part, len(self._parts) + 1, self._buffer)
        self._parts.append(part)
        self._in_flight.append(part)
        self._buffer = bytearray()

    def _begin(self) -> None:
        upload = self._call(self._client.create_multipart_upload, ChecksumAlgorithm=_CHECKSUM, **self._said())
        self._upload = {"UploadId": upload["UploadId"]}
        self._leave({**self._target, **self._upload})

    def _send_part(self, number: int, body: bytearray) -> dict[str, Any]:
        part = self._call(self._client.upload_part, **self._upload, PartNumber=number, **_checked(body))
        sums = {name: part[name] for name in ("ETag", "ChecksumCRC32") if name in part}
        return {"PartNumber": number, **sums}

    def _said(self) -> dict[str, Any]:
        return {"ContentType": self._description.content_type, "Metadata": dict(self._description.labels)}

    def _guard(self) -> dict[str, str]:
        return {} if self._description.replace else {"IfNoneMatch": "*"}

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return method(**self._target, **arguments)
        except (BotoCoreError, ClientError) as error:
            raise _unwritable(self._target, error) from error

    def __exit__(self, *_: object) -> None:
        if self._upload:
            self._abort()  # now: whoever kills us may not wait for the parts that are on their way
        self._threads.shutdown(cancel_futures=True)
        if self._upload:
            self._abort()  # again: a part that arrived after the first time is stored, and paid for

    def _abort(self) -> None:
        # What went wrong before is the news; the trace, and a lifecycle rule of the bucket, end what is left.
        with suppress(DeliveryError):
            self._call(self._client.abort_multipart_upload, **self._upload)


def _checked(body: bytearray) -> dict[str, Any]:
    """Send a body with two checksums: one that every store verifies, and one that newer ones also keep."""
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return {"Body": body, "ContentMD5": b64encode(digest).decode(), "ChecksumAlgorithm": _CHECKSUM}


def _unwritable(target: dict[str, str], error: Exception) -> DeliveryError:
    return DeliveryError(f"s3://{'/'.join(target.values())} cannot be written: {error}")


def discard(client: S3Client, trace: Trace) -> None:
    """
    Abort an upload that a killed process has left.

    :param client: a ready boto3 client.
    :param trace: what :class:`S3Object` left.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    with suppress(BotoCoreError, ClientError):
        client.abort_multipart_upload(Bucket=trace["Bucket"], Key=trace["Key"], UploadId=trace["UploadId"])
