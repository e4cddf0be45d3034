"""What a destination means: a path or URI becomes a file's address and the sink that writes it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.delivery.sinks import LocalFile, S3Object

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.api.containers import Container
    from airflow_provider_videos.delivery.sinks import Sink

_LONGEST_NAME = 180
_EXPECTED = "destination must be a path, file:///path or s3://bucket/key"


@dataclass(frozen=True, slots=True)
class Destination:
    """
    A place for a file.

    :param bucket: the S3 bucket; None for a file on this machine.
    :param path: the object's key, or the file's absolute path.
    """

    bucket: str | None
    path: str

    @classmethod
    def parse(cls, destination: str) -> Destination:
        """
        Read a destination as a user writes it.

        :param destination: a path, a ``file://`` or an ``s3://bucket/key`` URI.
        :raises InvalidRequest: if it is none of these.
        """
        if not isinstance(destination, str):
            raise InvalidRequest(f"{_EXPECTED}; got a {type(destination).__name__}")
        scheme, separator, rest = destination.partition("://")
        if not separator:
            return cls._local(destination)
        host, _, path = rest.partition("/")
        if scheme == "file" and host in {"", "localhost"}:
            return cls._local("/" + unquote(path))
        if scheme == "s3" and host:
            # Everything behind the bucket is the key, whatever it means in other URLs.
            return cls(host, path)
        raise InvalidRequest(f"{_EXPECTED}; got a {scheme[:20]}:// address")

    @classmethod
    def _local(cls, path: str) -> Destination:
        if not path:
            raise InvalidRequest(f"{_EXPECTED}; it is empty")
        whole = Path(path).absolute()
        if whole.is_dir() and not path.endswith("/"):
            raise InvalidRequest(f"destination {path} is a folder: end it with / to put a file into it")
        return cls(None, str(whole) + ("/" if path.endswith("/") else ""))

    def file_for(self, video_id: str, container: Container) -> Destination:
        """
        Return the file's own address: a folder gets a name made of the video's id.

        :param video_id: the video.
        :param container: the file's format.
        """
        if not self.path.endswith("/") and self.path:
            return self
        return Destination(self.bucket, f"{self.path}{_safe_name(video_id)}.{container.extension}")

    @property
    def uri(self) -> str:
        """The address as a URI."""
        return Path(self.path).as_uri() if self.bucket is None else f"s3://{self.bucket}/{self.path}"

    def sink(self, container: Container, s3_client: Callable[[], S3Client]) -> Sink:
        """
        Return what writes the file.

        :param container: the file's format.
        :param s3_client: makes a boto3 client, where one is needed.
        """
        if self.bucket is None:
            return LocalFile(Path(self.path))
        return S3Object(s3_client(), self.bucket, self.path, container.content_type)


def _safe_name(video_id: str) -> str:
    """Make a file name of an id, which may hold slashes, dots and anything else."""
    name = quote(video_id, safe="").lstrip(".")
    if name and len(name) <= _LONGEST_NAME:
        return name
    # Ids may differ in their last characters alone.
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(video_id.encode()).hexdigest()[:16]}"
