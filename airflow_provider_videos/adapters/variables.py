"""
Airflow's Variables, which all tasks share: as the keys of the ledger, and as the state of a task before 3.3.

Airflow's own class for them answers with a default where Airflow is away, and passes over a write
that failed. So a task's state, by which it knows what it has bought, is read and written past it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters import database, supervisor
from airflow_provider_videos.adapters.names import Variable
from airflow_provider_videos.adapters.release import is_before

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAGE_SIZE = 1000
_MAX_READS = 5
_LEDGER = "Who buys which video; removed after some days"


class NotStoredError(RuntimeError):
    """Airflow has taken a value and does not have it now."""


class Variables:
    """Keys with small values that every task may list, write and delete."""

    def keys(self, prefix: str) -> Sequence[str]:
        """
        Return the keys that begin with a prefix, sorted.

        :param prefix: how they begin.
        """
        if is_before(3, 0):
            return sorted(database.variable_keys(prefix))
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
        if is_before(3, 0):
            database.write_variable(key, value, _LEDGER)
        else:
            Variable.set(key, value, description=_LEDGER)

    def delete(self, key: str) -> None:
        """
        Delete a key.

        :param key: the key.
        """
        if is_before(3, 0):
            database.delete_variable(key)
        else:
            Variable.delete(key)


def can_be_listed() -> bool:
    """Tell if tasks may list Variables, without which there is no ledger: not from 3.0 to 3.2."""
    return is_before(3, 0) or not is_before(3, 3)


def read(key: str) -> str | None:
    """
    Return a Variable's value; None if Airflow says that there is no such Variable.

    :param key: its key.
    :raises Exception: if Airflow could not say.
    """
    found: str | None = _airflow().read_variable(key)
    return found


def write(key: str, value: str, description: str) -> None:
    """
    Write a Variable and read it back.

    :param key: its key.
    :param value: its value.
    :param description: what people read beside it.
    :raises NotStoredError: if it has another value then.
    """
    _airflow().write_variable(key, value, description)
    if read(key) != value:
        raise NotStoredError(f"Airflow has taken Variable {key}, and has another value now")


def delete(key: str) -> None:
    """
    Delete a Variable and look that it has gone.

    :param key: its key.
    :raises NotStoredError: if it is still there.
    """
    if read(key) is None:
        return
    _airflow().delete_variable(key)
    if read(key) is not None:
        raise NotStoredError(f"Airflow has deleted Variable {key}, and still has it")


def forget(key: str) -> None:
    """
    Delete a Variable of a task that has ended.

    :param key: its key.
    """
    if is_before(3, 0):
        database.delete_variable_apart(key)
    else:
        delete(key)


def _airflow() -> Any:
    return database if is_before(3, 0) else supervisor
