"""Record of a task's deliveries: its next try repeats nothing, and tidies up after this one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_videos.api.persisted import (
    Unknown,
    count,
    decode,
    encode,
    json_object,
    list_of,
    map_of,
    record_of,
    stored,
    text,
    unknown_fields,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_videos.delivery.sinks import Trace, Traits

KEY = "videos_delivery"


class Store(Protocol):
    """Values of a task that survive its retries; plain JSON."""

    def get(self, key: str) -> Any:
        """Return a value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """
    A file that was delivered, or is about to appear.

    :param video_id: the video it belongs to.
    :param variant: which of its files it is.
    :param uri: where it is.
    :param size_bytes: its length.
    :param content_type: its media type.
    :param sha256: its SHA-256; None where another task brought it.
    :param version: what changes when the file does; None as long as it may not have appeared.
    """

    video_id: str = stored(text)
    variant: str = stored(text, default="")
    uri: str = stored(text)
    size_bytes: int = stored(count)
    content_type: str = stored(text)
    sha256: str | None = stored(text, default=None)
    version: str | None = stored(text, default=None)
    unknown: Unknown = unknown_fields()


@dataclass(slots=True)
class _Kept:
    files: dict[str, FileRecord] = stored(map_of(record_of(FileRecord)), factory=dict)
    unfinished: list[Trace] = stored(list_of(json_object), factory=list)
    stores: dict[str, Traits] = stored(map_of(json_object), factory=dict)
    unknown: Unknown = unknown_fields()


class Record:
    """
    The files a task has delivered, the traces of what it began, and what it has learned of stores.

    :param store: where it is kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept = decode(_Kept, store.get(KEY))

    @property
    def unfinished(self) -> list[Trace]:
        """The traces of what began and has to be taken back."""
        return self._kept.unfinished

    @property
    def stores(self) -> dict[str, Traits]:
        """What was learned of each store, and is learned on the way."""
        return self._kept.stores

    def leave(self, trace: Trace) -> None:
        """Remember something that has begun and has to be taken back, should we be killed."""
        self._kept.unfinished.append(trace)
        self._write()

    def forget(self, gone: Sequence[Trace]) -> None:
        """Forget what had begun and is gone."""
        if gone:
            self._drop(gone)
            self._write()

    def committing(self, file: FileRecord) -> None:
        """Remember a file that is about to appear, should we be killed right afterwards."""
        self._kept.files[file.variant] = replace(file, version=None)
        self._write()

    def delivered(self, file: FileRecord, begun: Sequence[Trace] = ()) -> None:
        """Remember a file that is whole, and forget what it began with; what others left stays known."""
        self._drop(begun)
        self._kept.files[file.variant] = file
        self._write()

    def file(self, variant: str) -> FileRecord | None:
        """Return what is known of a file that was delivered."""
        found = self._kept.files.get(variant)
        return found and replace(found, variant=variant)

    def _drop(self, gone: Sequence[Trace]) -> None:
        self._kept.unfinished = [trace for trace in self._kept.unfinished if trace not in gone]

    def _write(self) -> None:
        self._store.set(KEY, encode(self._kept))
