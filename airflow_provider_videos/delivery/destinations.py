"""Destinations: a path or URI becomes a file's address, and its store writes there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow_provider_videos.api.errors import InvalidRequest, VideosError
from airflow_provider_videos.delivery.local import absolute_path
from airflow_provider_videos.delivery.sinks import EXPECTED, Description
from airflow_provider_videos.delivery.stores import KIND, LOCAL, READ_ONLY, store_of, store_of_leftover

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

_LONGEST_NAME = 180


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
            raise InvalidRequest(f"{EXPECTED}; got a {type(destination).__name__}")
        scheme, separator, rest = destination.partition("://")
        if not separator:
            return cls(LOCAL, "", absolute_path(destination))
        scheme = scheme.lower()
        if scheme in READ_ONLY or not scheme.isidentifier() or not (found := store_of(scheme).split(rest)):
            raise InvalidRequest(f"{EXPECTED}; got a {scheme[:20]}:// address")
        return cls(scheme, *found)

    @classmethod
    def from_uri(cls, uri: str) -> Destination:
        """
        Read an address that :attr:`uri` has written.

        :param uri: the address, percent-encoded whatever its scheme.
        """
        parts = urlsplit(uri)
        return cls(parts.scheme, *store_of(parts.scheme).split_uri(parts))

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
        return store_of(self.scheme).uri(self)

    @property
    def dataset_name(self) -> tuple[str, str]:
        """The namespace and the name that OpenLineage's convention gives the address."""
        return store_of(self.scheme).dataset_name(self)

    @property
    def address(self) -> str:
        """The address as the user has written it, with the connection that may stand before the host."""
        return f"{self.scheme}://{self.host}/{self.path}"

    def sink(self, description: Description, stores: Stores, leave: Leave) -> Sink:
        """
        Return what writes the file.

        :param description: what a store is told of the file.
        :param stores: the doors.
        :param leave: is told what a killed process would leave behind.
        """
        store = store_of(self.scheme)
        return store.sink(self, description, stores, lambda trace: leave({KIND: store.kind, **trace}))

    def reach(self, stores: Stores) -> None:
        """
        Open the door to the store, so that one that is locked is found before anything is downloaded.

        :param stores: the doors.
        """
        store_of(self.scheme).check_access(self, stores)

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


def discard(trace: Trace, stores: Stores) -> bool:
    """
    Take back what a killed process has left behind, and say whether it is gone.

    :param trace: what its sink left; of a kind that is unknown here it stays where it is.
    :param stores: the doors.
    """
    store = store_of_leftover(trace)
    try:
        return store is not None and store.discard(trace, stores)
    except InvalidRequest:
        return False
    except VideosError:  # a kill
        raise
    except Exception:  # noqa: BLE001 - clients have errors of their own, and the file that is wanted may go elsewhere
        return False


def _safe_name(video_id: str) -> str:
    """Make a file name of an id, which may hold slashes, dots and anything else."""
    name = quote(video_id, safe="").lstrip(".")
    if name and len(name) <= _LONGEST_NAME:
        return name
    # Ids may differ in their last characters alone.
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(video_id.encode()).hexdigest()[:16]}"
