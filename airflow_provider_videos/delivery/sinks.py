"""
Base of the stores that files go to: how their addresses read, and the sinks that write there.

A sink takes bytes to a place nobody looks at; only :meth:`Sink.commit` makes them the file. Leaving the
``with`` block of a sink without a commit leaves nothing behind.
"""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self
from urllib.parse import SplitResult, quote, unquote, urlsplit

from airflow_provider_videos.api.errors import InvalidRequest

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_videos.delivery.destinations import Destination, Stores

Trace = dict[str, Any]
"""What has to be known to take back what a killed process has begun, and its store's kind; plain JSON."""

Traits = dict[str, Any]
"""What is known of a store, which checksum it verifies for one; plain JSON."""

Leave = Callable[[Trace], None]
"""Writes a trace down."""


@dataclass(frozen=True, slots=True)
class Standing:
    """
    An object that is already at a destination.

    :param size_bytes: its length.
    :param version: what changes when it does: an ETag, or the time of its modification.
    :param labels: what was said of it when it was written, where a store keeps that.
    """

    size_bytes: int
    version: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Description:
    """
    Metadata that a store is given with a file.

    :param content_type: its media type.
    :param labels: the video's id, model and so on, in ASCII; kept by stores that keep such things.
    :param replace: allow the place of another file to be taken, also of one that appears meanwhile.
    """

    content_type: str
    labels: Mapping[str, str] = field(default_factory=dict)
    replace: bool = True


NAME_BYTES = 100
"""How much of a file's name a temporary name repeats; file systems count bytes, 255 and fewer."""


def temporary_name(name: str) -> str:
    """
    Return a hidden name that nothing else has, and that fits wherever the file's own does.

    :param name: the file's name.
    """
    known = os.fsencode(name)[:NAME_BYTES].decode(errors="ignore")
    return f".{known}.{secrets.token_hex(4)}.part"


class Sink(Protocol):
    """
    A destination that is written in secret and appears whole.

    :cvar hint: a sentence for the log on what this store could not promise, or None.
    """

    hint: str | None

    def standing(self) -> Standing | None:
        """Say what stands at the destination now."""

    def sha256(self) -> str:
        """Read what stands at the destination and return its SHA-256, in hexadecimal."""

    def __enter__(self) -> Self:
        """Begin."""

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""

    def flush(self) -> None:
        """Bring what was written to the store, where it still is nobody's file."""

    def commit(self) -> None:
        """
        Make what was written the file.

        :raises Taken: if another file stands there and may not be replaced.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Take back everything that was not committed."""


EXPECTED = "destination must be a path, file:///path, s3://bucket/key or another store's URI"

_MAX_KEY_BYTES = 1024
# What Airflow, urllib and OpenLineage leave as it is in a path, and none of them takes for something else.
_PLAIN = "/!$&'()*,:=@"
_PLAIN_HOST = "!$&'()*,:=[]"


class Store(ABC):
    """
    Kind of store: how its addresses are read and written, what writes there, and what takes leftovers back.

    The addresses are those of an object in a bucket unless a store overrides them.

    :cvar kind: its name in leftovers.
    :cvar leftover_fields: the fields of a leftover that discarding it needs; texts.
    :cvar shapes_without_kind: the fields of the leftovers of releases that named no kind.
    """

    kind: ClassVar[str]
    leftover_fields: ClassVar[frozenset[str]] = frozenset()
    shapes_without_kind: ClassVar[tuple[frozenset[str], ...]] = ()

    @abstractmethod
    def sink(self, place: Destination, description: Description, stores: Stores, leave: Leave) -> Sink:
        """
        Return what writes a file.

        :param place: the file's own address.
        :param description: what the store is told of the file.
        :param stores: the factories of clients.
        :param leave: is told what a killed process would leave behind.
        """

    @abstractmethod
    def discard(self, leftover: Trace, stores: Stores) -> bool:
        """
        Take back what a killed process has left behind, and say whether it is gone.

        :param leftover: what a sink left; it has all of :attr:`leftover_fields`.
        :param stores: the factories of clients.
        """

    @abstractmethod
    def check_access(self, place: Destination, stores: Stores) -> None:
        """
        Make the client that a place needs, so that what keeps us from it is found early.

        :param place: the place.
        :param stores: the factories of clients.
        """

    def split(self, rest: str) -> tuple[str, str] | None:
        """
        Read what a user writes behind ``scheme://``: the host and the path; None if it is no address.

        Everything behind the bucket is the key, whatever it means in other URLs.

        :param rest: the rest of the destination.
        """
        host, _, path = rest.partition("/")
        if not _is_host(host, path.strip("/")):
            return None
        return host, _checked_key(path if host else path.lstrip("/"))

    def split_uri(self, parts: SplitResult) -> tuple[str, str]:
        """
        Read an address that :meth:`uri` has written: the host and the path.

        :param parts: the parts of the address.
        """
        return unquote(parts.netloc), unquote(parts.path, errors="strict")[1:]

    def uri(self, place: Destination) -> str:
        """
        Return a place as a URI, percent-encoded, without the connection that may stand before the host.

        :param place: the place.
        """
        host = quote(place.host.rpartition("@")[2], safe=_PLAIN_HOST)
        return f"{place.scheme}:{'//' if host else ''}{host}/{quote(place.path, safe=_PLAIN)}"

    def dataset_name(self, place: Destination) -> tuple[str, str]:
        """
        Return the namespace and the name that OpenLineage's convention gives a place.

        :param place: the place.
        """
        return f"{place.scheme}://{place.host}", place.path


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
        raise InvalidRequest(f"{EXPECTED}; it holds an unpaired surrogate") from None
    if length > _MAX_KEY_BYTES:
        raise InvalidRequest(f"destination is too long: {length} bytes, and stores take {_MAX_KEY_BYTES}")
    return key
