"""State of a task that survives its retries, in Airflow's task state store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_videos.adapters.names import Context


class TaskStore:
    """
    JSON values of one task instance, which a retry of it finds again.

    :param context: Airflow's context of the task.
    """

    def __init__(self, context: Context) -> None:
        self._store = context["task_state_store"]

    def get(self, key: str) -> Any:
        """
        Return what is kept; None if nothing is.

        :param key: its name.
        """
        return self._store.get(key)

    def set(self, key: str, value: Any) -> None:
        """
        Keep a value until it is deleted.

        :param key: its name.
        :param value: what JSON can hold.
        """
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._store.set(key, value, retention=NEVER_EXPIRE)

    def set_for_now(self, key: str, value: Any) -> None:
        """
        Keep a value that nobody misses once Airflow removes old ones.

        :param key: its name.
        :param value: what JSON can hold.
        """
        self._store.set(key, value)

    def delete(self, key: str) -> None:
        """
        Forget a value.

        :param key: its name.
        """
        self._store.delete(key)
