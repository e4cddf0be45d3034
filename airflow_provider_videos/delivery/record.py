"""What a task remembers of its deliveries: its next try repeats nothing, and tidies up after this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_videos.delivery.sinks import Trace, Traits

KEY = "videos_delivery"


class Store(Protocol):
    """Where a task's values survive its retries; plain JSON."""

    def get(self, key: str) -> Any:
        """Return a value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""


class Record:
    """
    The files a task has delivered, the traces of what it began, and what it has learned of stores.

    :param store: where it is kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        found = store.get(KEY) or {}
        self._files: dict[str, dict[str, Any]] = found.get("files", {})
        self.unfinished: list[Trace] = found.get("unfinished", [])
        self.stores: dict[str, Traits] = found.get("stores", {})

    def leave(self, trace: Trace) -> None:
        """Remember something that has begun and has to be taken back, should we be killed."""
        self.unfinished.append(trace)
        self._write()

    def forget(self, gone: Sequence[Trace]) -> None:
        """Forget what had begun and is gone."""
        if gone:
            self.unfinished = [trace for trace in self.unfinished if trace not in gone]
            self._write()

    def committing(self, variant: str, facts: dict[str, Any]) -> None:
        """Remember a file that is about to appear, should we be killed right afterwards."""
        self._files[variant] = {**facts, "version": None}
        self._write()

    def delivered(self, variant: str, facts: dict[str, Any], begun: Sequence[Trace] = ()) -> None:
        """Remember a file that is whole, and forget what it began with; what others left stays known."""
        self.unfinished = [trace for trace in self.unfinished if trace not in begun]
        self._files[variant] = facts
        self._write()

    def file(self, variant: str) -> dict[str, Any] | None:
        """Return what is known of a file that was delivered."""
        return self._files.get(variant)

    def _write(self) -> None:
        self._store.set(KEY, {"files": self._files, "unfinished": self.unfinished, "stores": self.stores})
