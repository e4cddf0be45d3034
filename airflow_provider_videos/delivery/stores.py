"""
Registry of the stores: a new scheme of destinations is a file with its :class:`.Store` and a line here.

Leftovers of killed processes name the kind of their store; those of older releases are told by their fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_videos.delivery.filesystem import FilesystemStore
from airflow_provider_videos.delivery.local import LocalStore
from airflow_provider_videos.delivery.s3 import S3Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_videos.delivery.sinks import Store, Trace

LOCAL = "file"
"""The scheme of a destination that names none."""

STORES: Mapping[str, Store] = {
    LOCAL: LocalStore(),
    "s3": S3Store(),
}

ANY_OTHER = FilesystemStore()
"""The store of all schemes that are not registered."""

READ_ONLY = frozenset({"http", "https", "ftp"})
"""Schemes that no file can be written to."""

KIND = "kind"


def store_of(scheme: str) -> Store:
    """
    Return the store of a scheme.

    :param scheme: what stands before the ``://`` of a destination, in small letters.
    """
    return STORES.get(scheme, ANY_OTHER)


def store_of_leftover(leftover: Trace) -> Store | None:
    """
    Return the store that can take a leftover back; None if no store of this release has written it so.

    :param leftover: what a killed process has left.
    """
    for store in (*STORES.values(), ANY_OTHER):
        is_own = (
            leftover[KIND] == store.kind if KIND in leftover else set(leftover) in store.shapes_without_kind
        )
        if is_own and all(isinstance(leftover.get(name), str) for name in store.leftover_fields):
            return store
    return None
