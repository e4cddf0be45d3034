"""What a destination means: a path or URI becomes a file's address and the sink that writes it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.delivery import filesystem, local, s3
from airflow_provider_videos.delivery.sinks import Description

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsspec import AbstractFileSystem
    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.api.containers import Container
    from airflow_provider_videos.delivery.sinks import Leave, Sink, Trace, Traits

EXTENSION = "{ext}"
"""What stands for the extension in a destination's name."""

VIDEO_ID = "{video_id}"
"""What stands for the video's id in a destination."""

_LOCAL, _S3 = "file", "s3"
_NO_STORES = {"http", "https", "ftp"}
_LONGEST_NAME = 180
_LONGEST_KEY = 1024
# What Airflow, urllib and OpenLineage leave as it is in a path, and none of them takes for something else.
_PLAIN = "/!$&'()*,:=@"
_PLAIN_HOST = "!$&'()*,:=[]"
_EXPECTED = "destination must be a path, file:///path, s3://bucket/key or another store's URI"


@dataclass(frozen=True, slots=True)
class Stores:
    """
    The doors to where files go; each is opened when it is needed.

    :param s3: makes a boto3 client.
    :param filesystem: makes a URI's fsspec filesystem and says what the path in it is.
    :param traits: what was learned of each, and is learned on the way.
    """

    s3: Callable[[], S3Client]
    filesystem: Callable[[str], tuple[AbstractFileSystem, str]]
    traits: dict[str, Traits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Destination:
    """
    A place for a file.

    :param scheme: ``file`` is this machine, ``s3`` the bucket in ``host``, anything else fsspec's.
    :param host: what stands between the scheme and the path.
    :param path: the object's key, or the file's absolute path.
    """

    scheme: str
    host: str
    path: str

    @classmethod
    def parse(cls, destination: str) -> Destination:
        """
        Read a destination as a user writes it.

        :param destination: a path, a ``file://``, an ``s3://bucket/key`` or another store's URI.
        :raises InvalidRequest: if it is none of these.
        """
        if not isinstance(destination, str):
            raise InvalidRequest(f"{_EXPECTED}; got a {type(destination).__name__}")
        scheme, separator, rest = destination.partition("://")
        if not separator:
            return cls._local(destination)
        scheme = scheme.lower()
        host, _, path = rest.partition("/")
        if scheme == _LOCAL and host in {"", "localhost"}:
            return cls._local("/" + unquote(path, errors="surrogateescape"))
        if scheme not in {_LOCAL, *_NO_STORES} and scheme.isidentifier() and _is_host(host, path.strip("/")):
            # Everything behind the bucket is the key, whatever it means in other URLs.
            return cls(scheme, host, _checked_key(path if host else path.lstrip("/")))
        raise InvalidRequest(f"{_EXPECTED}; got a {scheme[:20]}:// address")

    @classmethod
    def from_uri(cls, uri: str) -> Destination:
        """
        Read an address that :attr:`uri` has written.

        :param uri: the address, percent-encoded whatever its scheme.
        """
        parts = urlsplit(uri)
        errors = "surrogateescape" if parts.scheme == _LOCAL else "strict"
        path = unquote(parts.path, errors=errors)
        return cls(parts.scheme, unquote(parts.netloc), path if parts.scheme == _LOCAL else path[1:])

    @classmethod
    def _local(cls, path: str) -> Destination:
        if not path:
            raise InvalidRequest(f"{_EXPECTED}; it is empty")
        if "\0" in path:
            raise InvalidRequest(f"{_EXPECTED}; it holds a zero byte")
        whole = Path(path).absolute()
        if os.path.isdir(whole) and not path.endswith("/"):  # noqa: PTH112 - a name that is too long is none
            raise InvalidRequest(f"destination {path} is a folder: end it with / to put a file into it")
        plain = "/" + str(whole).strip("/")  # POSIX lets two slashes stand at the beginning
        return cls(_LOCAL, "", plain + ("/" if path.endswith("/") and plain != "/" else ""))

    @property
    def is_folder(self) -> bool:
        """Whether it is a place for files rather than a file."""
        return self.path.endswith("/") or not self.path

    @property
    def is_fixed(self) -> bool:
        """Whether each video would go to the same address, but for its extension."""
        return not self.is_folder and VIDEO_ID not in self.path

    def file_for(self, video_id: str, container: Container, variant: str = "") -> Destination:
        """
        Return the file's own address: a folder gets a name made of the video's id, as ``{video_id}`` does.

        :param video_id: the video.
        :param container: the file's format, which decides its extension.
        :param variant: goes into a name that is made, where one video has several files.
        """
        name = _safe_name(video_id)
        path = self.path.replace(EXTENSION, container.extension).replace(VIDEO_ID, name)
        if not self.is_folder:
            return replace(self, path=path)
        middle = f".{_safe_name(variant)}" if variant else ""
        return replace(self, path=f"{path}{name}{middle}.{container.extension}")

    @property
    def uri(self) -> str:
        """
        The address as a URI, percent-encoded, without the connection that may stand before the host.

        Each file has its own, Airflow keeps it as it is, and :meth:`from_uri` reads it back.
        """
        if self.scheme == _LOCAL:
            return f"file://{quote(os.fsencode(self.path))}"
        host = quote(self.host.rpartition("@")[2], safe=_PLAIN_HOST)
        return f"{self.scheme}:{'//' if host else ''}{host}/{quote(self.path, safe=_PLAIN)}"

    def sink(self, description: Description, stores: Stores, leave: Leave) -> Sink:
        """
        Return what writes the file.

        :param description: what a store is told of the file.
        :param stores: the doors.
        :param leave: is told what a killed process would leave behind.
        """
        if self.scheme == _LOCAL:
            return local.LocalFile(Path(self.path), leave, replace=description.replace)
        if self.scheme == _S3:
            traits = stores.traits.setdefault(f"s3://{self.host}", {})
            return s3.S3Object(stores.s3(), self.host, self.path, description, leave, traits=traits)
        opened, path = stores.filesystem(self._address)
        return filesystem.FilesystemFile(opened, path, self._address, leave, description)

    def reach(self, stores: Stores) -> None:
        """
        Open the door to the store, so that one that is locked is found before anything is downloaded.

        :param stores: the doors.
        """
        if self.scheme == _S3:
            stores.s3()
        elif self.scheme != _LOCAL:
            stores.filesystem(self._address)

    def prove_writable(self, stores: Stores) -> None:
        """
        Write a few bytes where the file will be, and take them back; nobody gets to see them.

        :param stores: the doors.
        :raises DeliveryError: if that does not work; the message says why.
        """
        probe = replace(self, path=f"{self.path}preflight") if self.is_folder else self
        sink = probe.sink(Description("application/octet-stream"), stores, lambda _: None)
        with sink:
            sink.write(b"preflight")
            sink.flush()

    @property
    def _address(self) -> str:
        return f"{self.scheme}://{self.host}/{self.path}"


def discard(trace: Trace, stores: Stores) -> bool:
    """
    Take back what a killed process has left behind, and say whether it is gone.

    :param trace: what its sink left.
    :param stores: the doors.
    """
    try:
        if "UploadId" in trace:
            return s3.discard(stores.s3(), trace)
        if "uri" in trace:
            return filesystem.discard(stores.filesystem(trace["uri"])[0], trace)
        return local.discard(trace)
    except InvalidRequest:  # the door to it is gone, and the file that is wanted now may go elsewhere
        return False


def _is_host(host: str, path: str) -> bool:
    try:
        return bool(urlsplit(f"//{host}").netloc == host and (host or path))
    except ValueError:  # half an IPv6 address
        return False


def _checked_key(key: str) -> str:
    """Refuse what no store can hold, before anything is bought for it."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidRequest(f"{_EXPECTED}; it holds an unpaired surrogate") from None
    if length > _LONGEST_KEY:
        raise InvalidRequest(f"destination is too long: {length} bytes, and stores take {_LONGEST_KEY}")
    return key


def _safe_name(video_id: str) -> str:
    """Make a file name of an id, which may hold slashes, dots and anything else."""
    name = quote(video_id, safe="").lstrip(".")
    if name and len(name) <= _LONGEST_NAME:
        return name
    # Ids may differ in their last characters alone.
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(video_id.encode()).hexdigest()[:16]}"
