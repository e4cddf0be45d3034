"""What a destination means: a path or URI becomes a file's address and the sink that writes it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.delivery import filesystem, local, s3

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsspec import AbstractFileSystem
    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.api.containers import Container
    from airflow_provider_videos.delivery.sinks import Description, Leave, Sink, Trace

EXTENSION = "{ext}"
"""What stands for the extension in a destination's name."""

_LOCAL, _S3 = "file", "s3"
_NO_STORES = {"http", "https", "ftp"}
_LONGEST_NAME = 180
_EXPECTED = "destination must be a path, file:///path, s3://bucket/key or another store's URI"


@dataclass(frozen=True, slots=True)
class Stores:
    """
    The doors to where files go; each is opened when it is needed.

    :param s3: makes a boto3 client.
    :param filesystem: makes a URI's fsspec filesystem and says what the path in it is.
    """

    s3: Callable[[], S3Client]
    filesystem: Callable[[str], tuple[AbstractFileSystem, str]]


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
        host, _, path = rest.partition("/")
        if scheme == _LOCAL and host in {"", "localhost"}:
            return cls._local("/" + unquote(path))
        if scheme not in {_LOCAL, *_NO_STORES} and scheme.isidentifier() and (host or path):
            # Everything behind the bucket is the key, whatever it means in other URLs.
            return cls(scheme, host, path)
        raise InvalidRequest(f"{_EXPECTED}; got a {scheme[:20]}:// address")

    @classmethod
    def _local(cls, path: str) -> Destination:
        if not path:
            raise InvalidRequest(f"{_EXPECTED}; it is empty")
        whole = Path(path).absolute()
        if whole.is_dir() and not path.endswith("/"):
            raise InvalidRequest(f"destination {path} is a folder: end it with / to put a file into it")
        return cls(_LOCAL, "", str(whole) + ("/" if path.endswith("/") else ""))

    @property
    def is_folder(self) -> bool:
        """Whether it is a place for files rather than a file."""
        return self.path.endswith("/") or not self.path

    def file_for(self, video_id: str, container: Container, variant: str = "") -> Destination:
        """
        Return the file's own address: a folder gets a name made of the video's id.

        :param video_id: the video.
        :param container: the file's format, which decides its extension.
        :param variant: goes into a name that is made, where one video has several files.
        """
        if not self.is_folder:
            return replace(self, path=self.path.replace(EXTENSION, container.extension))
        middle = f".{_safe_name(variant)}" if variant else ""
        return replace(self, path=f"{self.path}{_safe_name(video_id)}{middle}.{container.extension}")

    @property
    def uri(self) -> str:
        """The address as a URI, without the connection that may stand before the host."""
        if self.scheme == _LOCAL:
            return Path(self.path).as_uri()
        return f"{self.scheme}://{self.host.rpartition('@')[2]}/{self.path}"

    def sink(self, description: Description, stores: Stores, leave: Leave) -> Sink:
        """
        Return what writes the file.

        :param description: what a store is told of the file.
        :param stores: the doors.
        :param leave: is told what a killed process would leave behind.
        """
        if self.scheme == _LOCAL:
            return local.LocalFile(Path(self.path), leave)
        if self.scheme == _S3:
            return s3.S3Object(stores.s3(), self.host, self.path, description, leave)
        opened, path = stores.filesystem(self._address)
        return filesystem.FilesystemFile(opened, path, self._address, leave)

    def reach(self, stores: Stores) -> None:
        """
        Open the door to the store, so that one that is locked is found before anything is downloaded.

        :param stores: the doors.
        """
        if self.scheme == _S3:
            stores.s3()
        elif self.scheme != _LOCAL:
            stores.filesystem(self._address)

    @property
    def _address(self) -> str:
        return f"{self.scheme}://{self.host}/{self.path}"


def discard(trace: Trace, stores: Stores) -> None:
    """
    Take back what a killed process has left behind.

    :param trace: what its sink left.
    :param stores: the doors.
    """
    if "UploadId" in trace:
        s3.discard(stores.s3(), trace)
    elif "uri" in trace:
        filesystem.discard(stores.filesystem(trace["uri"])[0], trace)
    else:
        local.discard(trace)


def _safe_name(video_id: str) -> str:
    """Make a file name of an id, which may hold slashes, dots and anything else."""
    name = quote(video_id, safe="").lstrip(".")
    if name and len(name) <= _LONGEST_NAME:
        return name
    # Ids may differ in their last characters alone.
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(video_id.encode()).hexdigest()[:16]}"
