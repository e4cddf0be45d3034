"""State of a task that survives its retries: in Airflow's task state store, or in Variables before 3.3."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters import variables
from airflow_provider_videos.adapters.release import is_before
from airflow_provider_videos.adapters.task_states import call_after_success

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_videos.adapters.names import BaseOperator, Context


class TaskStore:
    """
    JSON values of one task instance, which a retry of it finds again.

    :param context: Airflow's context of the task.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context["task_state_store"] if _has_store(context) else _VariableStore(context)

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
        if isinstance(self._store, _VariableStore):
            self._store.set(key, value)
            return
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

    def handwork(self, key: str) -> str | None:
        """
        Return what a person does about a doubt; None where it is done in the task state store.

        :param key: the value's name.
        """
        return self._store.handwork(key) if isinstance(self._store, _VariableStore) else None


def tidy_after_success(operator: BaseOperator, keys: Callable[[], Sequence[str]]) -> None:
    """
    Have a task's values removed when it has succeeded, where Airflow does not remove them by itself.

    :param operator: the operator, when it is made.
    :param keys: returns the names of the values.
    """
    if is_before(3, 3):

        def tidy(context: Context) -> None:
            forget_ended(context, *keys())

        call_after_success(operator, tidy)


def forget_ended(context: Context, *keys: str) -> bool:
    """
    Remove values of a task that has succeeded; false where Airflow keeps and removes them by itself.

    :param context: Airflow's context of the task.
    :param keys: the names of the values.
    """
    if _has_store(context):
        return False
    store = _VariableStore(context)
    for key in keys:
        store.forget(key)
    return True


class _VariableStore:
    """Values in Variables, one for each task instance and key; can go when 3.3 is the oldest release."""

    def __init__(self, context: Context) -> None:
        task_instance: Any = context["ti"]
        self._owner = {
            name: getattr(task_instance, name) for name in ("dag_id", "run_id", "task_id", "map_index")
        }

    def get(self, key: str) -> Any:
        text = variables.read(self._name(key))
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            return text  # a person has written it

    def set(self, key: str, value: Any) -> None:
        variables.write(self._name(key), json.dumps(value), self._description())

    def delete(self, key: str) -> None:
        variables.delete(self._name(key))

    def forget(self, key: str) -> None:
        variables.forget(self._name(key))

    def handwork(self, key: str) -> str:
        name = self._name(key)
        return (
            "Look for it in the server's list of videos. If it is there, go on with it: write "
            f'{{"video_id": "ID"}}, with its id, to the Variable {name} and clear the task. If it is not, '
            "delete that Variable and clear the task, which buys a new one"
        )

    def _name(self, key: str) -> str:
        # The names of a task can be longer together than a Variable's key.
        owner = hashlib.sha256(json.dumps(self._owner, sort_keys=True).encode()).hexdigest()
        return f"{key}.{owner[:32]}"

    def _description(self) -> str:
        place = ", ".join(f"{name} {value}" for name, value in self._owner.items())
        return f"What a retry of this task has to know, removed when it succeeds: {place}"


def _has_store(context: Context) -> bool:
    return "task_state_store" in context
