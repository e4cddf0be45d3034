"""Objects in S3, and in stores that speak its protocol."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_videos.api.errors import DeliveryError, Taken
from airflow_provider_videos.delivery.sinks import Description, Leave, Standing, Store, Trace, Traits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.delivery.destinations import Destination, Stores
    from airflow_provider_videos.delivery.sinks import Sink

# Without s3:ListBucket S3 answers 403 for what is not there; a key that is wrong shows when it writes.
_NOT_SEEN = {"404", "403"}
_GONE = {"NoSuchUpload", "NoSuchBucket"}
_EXISTS = 412
_BAD_REQUEST, _NOT_IMPLEMENTED = 400, 501
# Refusals that say something of the bytes, or of the upload, and nothing of what the store can do.
_NOT_OF_THE_HEADERS = {"BadDigest", "InvalidDigest", "EntityTooLarge", "EntityTooSmall", "InvalidBucketName"}
_NOT_OF_THE_HEADERS |= {"KeyTooLongError", "KeyTooLong", "ExpiredToken", "RequestTimeout", "InvalidPart"}
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Checksums:
    """
    The checksums that go along with a body, for the store to verify.

    :param crc32: send a CRC-32, which newer stores verify, keep and return.
    :param md5: send a Content-MD5, which every store has verified since the protocol's beginning.
    """

    crc32: bool
    md5: bool

    def of(self, body: bytearray) -> dict[str, Any]:
        """Return a body's checksums as the SDK takes them."""
        sums = {"ChecksumAlgorithm": "CRC32", "ChecksumCRC32": _crc32(body)} if self.crc32 else {}
        return {**sums, "ContentMD5": _md5(body)} if self.md5 else sums


CHECKSUMS = {
    "both": Checksums(crc32=True, md5=True),
    "md5": Checksums(crc32=False, md5=True),
    "crc32": Checksums(crc32=True, md5=False),
    "none": Checksums(crc32=False, md5=False),
}
"""In the order in which they are tried; of the first the answer tells which one the store has verified."""

_ETAG = "etag"
"""The store names a part after its MD5, so it is compared here, and nothing goes along."""

_UNSIGNED = "BodyIsNotSigned"
"""Pseudo-parameter of a call, taken out before the SDK looks at them."""


@dataclass(frozen=True, slots=True)
class _Address:
    """Address of an object, and the errors that name it."""

    bucket: str
    key: str

    @property
    def arguments(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.key}

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def taken(self) -> Taken:
        return Taken(f"{self} exists already")

    def unwritable(self, error: Exception) -> DeliveryError:
        return DeliveryError(f"{self} cannot be written: {error}")

    def unreadable(self, error: Exception) -> DeliveryError:
        return DeliveryError(f"{self} cannot be read: {error}")

    @contextmanager
    def as_delivery_error(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise self.unwritable(error) from error


@dataclass(frozen=True, slots=True)
class _ChecksummedCalls:
    """
    Calls that write an object, with the checksums that its store verifies.

    :param client: a ready boto3 client.
    :param target: the object.
    :param traits: what is known of the store, and is learned of it.
    """

    client: S3Client
    target: Mapping[str, str]
    traits: Traits

    def call(self, method: Callable[..., Any], body: bytearray | None, **arguments: Any) -> Any:
        """Call with the checksums that the store takes; the first answers tell which."""
        from botocore.exceptions import ClientError

        names = list(CHECKSUMS)
        *others, last = names[names.index("md5" if self._mode == _ETAG else self._mode) :]
        for name in others:
            try:
                return self._call_with(name, method, body, arguments)
            except ClientError as error:
                if not _is_of_the_headers(error):
                    raise
        return self._call_with(last, method, body, arguments)

    def upload_part(self, body: bytearray, **arguments: Any) -> Any:
        """Upload a part; where its ETag is compared and differs, the store is to judge."""
        if self._mode == _ETAG:
            sent: dict[str, Any] = {**self.target, **arguments, "Body": body, _UNSIGNED: True}
            part = self.client.upload_part(**sent)
            if _verified_by(part, _md5(body)) == _ETAG:
                return part
        return self.call(self.client.upload_part, body, **arguments)

    @property
    def _mode(self) -> str:
        if getattr(self.client.meta.config, "request_checksum_calculation", "") == "when_required":
            return "none"
        known = self.traits.get("checksum", "both")
        return known if known in [*CHECKSUMS, _ETAG] else "both"

    def _call_with(
        self, name: str, method: Callable[..., Any], body: bytearray | None, arguments: Mapping[str, Any]
    ) -> Any:
        sums = CHECKSUMS[name]
        if body is not None:
            sent = {"Body": body, **sums.of(body)}
        else:
            sent = {"ChecksumAlgorithm": "CRC32"} if sums.crc32 else {}
        answer = method(**self.target, **arguments, **sent)
        if body is not None and sums.md5:
            name = _verified_by(answer, sent["ContentMD5"])
        if name != self._mode and (body is not None or self._mode != _ETAG):
            self.traits["checksum"] = name
        return answer


class S3Object:
    """
    An object in S3: parts are uploaded while the next ones come in.

    Memory is bounded by :data:`IN_FLIGHT` parts on their way and the one that is being filled. An object has
    at most 10,000 parts, so parts grow as more is written. What fits into one part is put as it is. Each goes
    out with the checksum that the store verifies, unless the client's settings turn checksums off.

    :param client: a ready boto3 client.
    :param bucket: the bucket; it exists.
    :param key: the object's key.
    :param description: what the store is told of the object.
    :param leave: is told of an upload that has begun.
    :param traits: what is known of the store, and is learned of it.
    """

    SMALLEST_PART = 8 * 1024 * 1024
    PARTS_PER_SIZE = 1000
    IN_FLIGHT = 5

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        key: str,
        description: Description,
        leave: Leave,
        *,
        traits: Traits | None = None,
    ) -> None:
        self.hint: str | None = None
        self._client = client
        self._address = _Address(bucket, key)
        self._target = self._address.arguments
        self._description = description
        self._headers = {"ContentType": description.content_type, "Metadata": dict(description.labels)}
        self._leave = leave
        self._traits = {} if traits is None else traits
        self._calls = _ChecksummedCalls(client, self._target, self._traits)
        self._is_guarded = not description.replace
        self._buffer = bytearray(self.SMALLEST_PART)
        self._filled = self._size = 0
        self._version: str | None = None
        self._parts: list[Future[dict[str, Any]]] = []
        self._in_flight: deque[tuple[Future[dict[str, Any]], bytearray]] = deque()
        self._upload: dict[str, str] = {}
        _leave_checksums_to_us(client)

    def standing(self) -> Standing | None:
        from botocore.exceptions import BotoCoreError, ClientError

        self._version = None
        try:
            found = self._client.head_object(**self._target)  # type: ignore[arg-type]
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_SEEN:
                return None
            raise self._address.unreadable(error) from error
        except BotoCoreError as error:
            raise self._address.unreadable(error) from error
        # Some stores write the labels' names in their own way.
        labels = {name.lower(): label for name, label in found.get("Metadata", {}).items()}
        self._version = found.get("ETag", "")
        return Standing(found["ContentLength"], self._version, labels)

    def sha256(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        digest = hashlib.sha256()
        try:
            with self._client.get_object(**self._target)["Body"] as body:  # type: ignore[arg-type]
                while chunk := body.read(_READ_BYTES):
                    digest.update(chunk)
        except (BotoCoreError, ClientError) as error:
            raise self._address.unreadable(error) from error
        return digest.hexdigest()

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self.IN_FLIGHT, "upload")
        return self

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._filled + len(chunk) < len(self._buffer):
            self._fill(chunk)
            return
        rest = memoryview(chunk)
        while rest:
            step = min(len(rest), len(self._buffer) - self._filled)
            self._fill(rest[:step])
            rest = rest[step:]
            if self._filled == len(self._buffer):
                self._send()
                self._buffer, self._filled = self._next_buffer(), 0

    def _fill(self, piece: bytes | memoryview) -> None:
        self._buffer[self._filled : self._filled + len(piece)] = piece
        self._filled += len(piece)

    def flush(self) -> None:
        if self._filled:
            del self._buffer[self._filled :]
            self._send()
            self._buffer, self._filled = self._next_buffer(), 0
        for part in self._parts:
            part.result()

    def commit(self) -> None:
        del self._buffer[self._filled :]
        if self._parts:
            if self._buffer:
                self._send()
            parts = {"Parts": [part.result() for part in self._parts]}
            self._appear(lambda guard: self._complete(MultipartUpload=parts, **guard))
        else:
            self._appear(self._put)

    def _complete(self, **arguments: Any) -> None:
        self._client.complete_multipart_upload(**self._target, **self._upload, **arguments)  # type: ignore[arg-type]

    def _put(self, guard: Mapping[str, str]) -> None:
        self._calls.call(self._client.put_object, self._buffer, **self._headers, **guard)

    def _appear(self, write: Callable[[dict[str, str]], None]) -> None:
        """Commit; an answer that was lost is found again at the object itself."""
        from botocore.exceptions import BotoCoreError, ClientError

        if self._is_guarded and self.standing():  # not every store refuses what it is asked to refuse
            raise self._address.taken()
        before = self._version
        try:
            self._write_guarded(write)
        except (BotoCoreError, ClientError) as error:
            if not self._is_ours_by_now(before):
                raise (
                    self._address.taken() if _status(error) == _EXISTS else self._address.unwritable(error)
                ) from error
        self._upload = {}

    def _write_guarded(self, write: Callable[[dict[str, str]], None]) -> None:
        from botocore.exceptions import ClientError

        if not self._is_guarded or self._traits.get("conditional") is False:
            write({})
            return
        try:
            write({"IfNoneMatch": "*"})
        except ClientError as error:
            if not _is_of_the_headers(error):
                raise
            write({})
            self._traits["conditional"] = False
            self.hint = "this store has no conditional writes: it was checked that nothing stood there"

    def _is_ours_by_now(self, before: str | None) -> bool:
        """Find the object that was written although its answer says otherwise, by its labels and its size."""
        try:
            found = self.standing()
        except DeliveryError:
            return False
        names = [name for name in ("video-id", "video-variant") if name in self._description.labels]
        return (
            found is not None
            and bool(names)
            and found.version != before
            and found.size_bytes == self._size
            and all(found.labels.get(name) == self._description.labels[name] for name in names)
        )

    def _send(self) -> None:
        """Hand a part to a thread."""
        if not self._upload:
            self._begin()
        part = self._threads.submit(self._send_part, len(self._parts) + 1, self._buffer)
        self._parts.append(part)
        self._in_flight.append((part, self._buffer))

    def _next_buffer(self) -> bytearray:
        """Return room for a part: that of the oldest on its way, when it is there, once there are enough."""
        size = self.SMALLEST_PART * (1 + len(self._parts) // self.PARTS_PER_SIZE)
        if len(self._in_flight) < self.IN_FLIGHT:
            return bytearray(size)
        part, buffer = self._in_flight.popleft()
        part.result()
        return buffer if len(buffer) == size else bytearray(size)

    def _begin(self) -> None:
        with self._address.as_delivery_error():
            upload = self._calls.call(self._client.create_multipart_upload, None, **self._headers)
        self._upload = {"UploadId": upload["UploadId"]}
        self._leave({**self._target, **self._upload})

    def _send_part(self, number: int, body: bytearray) -> dict[str, Any]:
        with self._address.as_delivery_error():
            part = self._calls.upload_part(body, **self._upload, PartNumber=number)
        sums = {name: part[name] for name in ("ETag", "ChecksumCRC32") if name in part}
        return {"PartNumber": number, **sums}

    def __exit__(self, *_: object) -> None:
        if self._upload:
            self._abort()  # now: whoever kills us may not wait for the parts that are on their way
        self._threads.shutdown(cancel_futures=True)
        if self._upload:
            self._abort()  # again: a part that arrived after the first time is stored, and paid for

    def _abort(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        # What went wrong before is the news; the trace, and a lifecycle rule of the bucket, end what is left.
        with suppress(BotoCoreError, ClientError):
            self._client.abort_multipart_upload(**self._target, **self._upload)  # type: ignore[arg-type]


def _crc32(body: bytearray) -> str:
    return b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def _md5(body: bytearray) -> str:
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _verified_by(answer: Mapping[str, Any], md5: str) -> str:
    """Return the checksum that a store has verified of those that it got, or by which it can be checked."""
    if "ChecksumCRC32" in answer:
        return "crc32"
    return _ETAG if answer.get("ETag", "").strip('"').lower() == b64decode(md5).hex() else "md5"


def _status(error: Exception) -> int:
    response = getattr(error, "response", None) or {}
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_of_the_headers(error: ClientError) -> bool:
    """Say whether a store may have refused a header that it does not know."""
    code = error.response.get("Error", {}).get("Code", "")
    if code == "SignatureDoesNotMatch":  # some stores sign other headers than the SDK does
        return True
    return _status(error) in {_BAD_REQUEST, _NOT_IMPLEMENTED} and code not in _NOT_OF_THE_HEADERS


def _leave_checksums_to_us(client: S3Client) -> None:
    """Send the checksums that a call names, and no hash of a body that one of them vouches for."""
    prepare = partial(_prepare, is_encrypted=client.meta.endpoint_url.startswith("https:"))
    client.meta.events.register_first("before-parameter-build.s3", prepare, unique_id=__name__)


def _prepare(params: dict[str, Any], context: dict[str, Any], *, is_encrypted: bool, **_: object) -> None:
    config = copy(context["client_config"])
    config.request_checksum_calculation = "when_required"
    s3 = dict(config.s3 or {})
    # The headers are signed, and so is an MD5 among them; a CRC-32 is no match for malice, but TLS is.
    is_compared = params.pop(_UNSIGNED, False)
    if is_compared or "ContentMD5" in params or (is_encrypted and "ChecksumCRC32" in params):
        s3.setdefault("payload_signing_enabled", False)
    config.s3 = s3
    context["client_config"] = config


class S3Store(Store):
    """Buckets of S3, and of stores that speak its protocol."""

    kind = "s3"
    leftover_fields = frozenset({"Bucket", "Key", "UploadId"})
    shapes_without_kind = (leftover_fields,)

    def sink(self, place: Destination, description: Description, stores: Stores, leave: Leave) -> Sink:
        traits = stores.traits.setdefault(f"s3://{place.host}", {})
        return S3Object(stores.s3(), place.host, place.path, description, leave, traits=traits)

    def discard(self, leftover: Trace, stores: Stores) -> bool:
        return discard(stores.s3(), leftover)

    def check_access(self, place: Destination, stores: Stores) -> None:  # noqa: ARG002 - one client for all
        stores.s3()


def new_client() -> S3Client:
    """Return a client that looks for credentials, endpoint and settings by itself."""
    import boto3

    return boto3.client("s3")


def discard(client: S3Client, trace: Trace) -> bool:
    """
    Abort an upload that a killed process has left, and say whether it is gone.

    :param client: a ready boto3 client.
    :param trace: what :class:`S3Object` left.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.abort_multipart_upload(Bucket=trace["Bucket"], Key=trace["Key"], UploadId=trace["UploadId"])
    except ClientError as error:
        return error.response["Error"]["Code"] in _GONE
    except BotoCoreError:
        return False
    return True
