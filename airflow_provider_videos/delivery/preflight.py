"""Preflight of a destination: that it can be written to, and that nothing of somebody's stands there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_provider_videos.api.containers import VIDEOS
from airflow_provider_videos.api.errors import Taken
from airflow_provider_videos.api.persisted import (
    Unknown,
    decode,
    encode,
    json_object,
    list_of,
    map_of,
    stored,
    text,
    unknown_fields,
)
from airflow_provider_videos.delivery.sinks import Description

if TYPE_CHECKING:
    from airflow_provider_videos.delivery.destinations import Destination, Stores
    from airflow_provider_videos.delivery.patience import Log
    from airflow_provider_videos.delivery.record import Store
    from airflow_provider_videos.delivery.sinks import Standing, Traits

KEY = "videos_preflight"


@dataclass(slots=True)
class _Kept:
    free: list[str] = stored(list_of(text), factory=list)
    stores: dict[str, Traits] = stored(map_of(json_object), factory=dict)
    unknown: Unknown = unknown_fields()


class Preflight:
    """
    Preflight of one destination.

    :param destination: where a file will go.
    :param stores: the doors to where files go.
    :param store: what the task remembers.
    :param log: the task's log.
    """

    def __init__(self, destination: Destination, stores: Stores, store: Store, log: Log) -> None:
        self._destination = destination
        self._kept = decode(_Kept, store.get(KEY))
        self._stores = replace(stores, traits=self._kept.stores)
        self._store = store
        self._log = log

    def check(self, *, may_replace: bool) -> None:
        """
        Look what stands at the destination, write a few bytes there and take them back.

        :param may_replace: accept that the file will take the place of another.
        :raises Taken: if a file stands there that was there before the task's first try.
        :raises DeliveryError: if it cannot be written to.
        """
        places = self._addresses() if self._destination.is_fixed else []
        free = [place for place in places if may_replace or not self._is_taken(place)]
        self._destination.prove_writable(self._stores)
        for store, traits in self._stores.traits.items():
            self._log.info("%s takes checksums: %s", store, traits.get("checksum", "as its settings say"))
        known = self._kept.free
        self._kept.free = [*known, *(place.uri for place in free if place.uri not in known)]
        self._store.set(KEY, encode(self._kept))

    def _addresses(self) -> list[Destination]:
        """List the names that a video may get, one for each format where the name leaves that open."""
        found = {place.uri: place for place in (self._destination.file_for("", kind) for kind in VIDEOS)}
        return [found[uri] for uri in sorted(found)]

    def _is_taken(self, place: Destination) -> bool:
        sink = place.sink(Description("application/octet-stream"), self._stores, lambda _: None)
        standing = sink.standing()
        if standing is None:
            return False
        if place.uri not in self._kept.free:
            raise Taken(
                f"{place.uri} exists already: {_shown(standing)}, and a video would be bought that may not "
                "replace it; set if_exists to overwrite, or give each video a key of its own, such as "
                "{video_id} in the destination"
            )
        self._log.warning(
            "A file stands at %s that was not there at this task's first try: %s. If this run has delivered "
            "it, all is well; else the download will refuse to replace it",
            place.uri,
            _shown(standing),
        )
        return True


def _shown(standing: Standing) -> str:
    there = standing.labels.get("video-id")
    return f"{'video ' + unquote(there) if there else 'a file'} of {standing.size_bytes} bytes"
