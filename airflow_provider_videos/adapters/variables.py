"""Airflow's Variables, which all tasks share, as the keys of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_videos.adapters.names import Variable

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAGE_SIZE = 1000
_MAX_READS = 5


class Variables:
    """Keys with small values that every task may list, write and delete."""

    def keys(self, prefix: str) -> Sequence[str]:
        """
        Return the keys that begin with a prefix, sorted.

        :param prefix: how they begin.
        """
        found = set(Variable.keys(prefix=prefix))
        # Airflow reads them page by page, and a key that is removed meanwhile hides one of the next page.
        for _ in range(_MAX_READS if len(found) >= _PAGE_SIZE else 0):
            if found.issuperset(again := list(Variable.keys(prefix=prefix))):
                break
            found.update(again)
        return sorted(found)

    def set(self, key: str, value: str) -> None:
        """
        Write a key.

        :param key: the key.
        :param value: its value.
        """
        Variable.set(key, value, description="Who buys which video; removed after some days")

    def delete(self, key: str) -> None:
        """
        Delete a key.

        :param key: the key.
        """
        Variable.delete(key)
