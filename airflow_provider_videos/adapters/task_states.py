"""States of a task, asked of Airflow at moments at which it does not tell them by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters import database, supervisor
from airflow_provider_videos.adapters.release import is_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_videos.adapters.names import BaseOperator, Context


def was_marked_failed(task_instance: Any) -> bool:
    """
    Say whether a user has failed a task; asks Airflow, so not on an event loop.

    It was not where the task waits, runs or is to run again: then a triggerer or a worker has gone, a trigger
    has moved, or a retry or a clear has taken over.

    :param task_instance: the task instance.
    """
    return _is_now(task_instance, "failed")


async def was_marked_failed_async(task_instance: Any) -> bool:
    """
    Say on an event loop whether a user has failed a task.

    :param task_instance: the task instance.
    """
    if is_before(3, 3):
        from asgiref.sync import sync_to_async

        # In any other thread the question meets a lock of the triggerer's loop.
        return await sync_to_async(was_marked_failed)(task_instance)
    return await asyncio.to_thread(was_marked_failed, task_instance)


def reports_kills() -> bool:
    """Tell if Airflow calls a trigger's ``on_kill``; before 3.3 a trigger is only cancelled."""
    return not is_before(3, 3)


def call_after_success(operator: BaseOperator, callback: Callable[[Context], None]) -> None:
    """
    Have a function called once Airflow has ended a try of a task in success.

    Added to the callbacks of the task and of the DAG's ``default_args``, which an argument would push aside.

    :param operator: the operator, when it is made.
    :param callback: what is called, with Airflow's context.
    """

    def call_if_stored(context: Context) -> bool:
        # Airflow also calls this where it could not report the success.
        if is_stored := _is_now(context["ti"], "success"):
            callback(context)
        return is_stored

    def call_once_stored(context: Context) -> None:
        if is_before(3, 0):
            # It is called before the commit: what was done here already would be lost to a kill in between.
            database.call_after_commit(lambda: call_if_stored(context))
        else:
            call_if_stored(context)

    operator.on_success_callback = [*_callbacks(operator.on_success_callback), call_once_stored]


def _callbacks(given: Any) -> list[Any]:
    """Return callbacks as a list; before 3.0 they are kept as they were given."""
    return [given] if callable(given) else list(given or ())


def _is_now(task_instance: Any, state: str) -> bool:
    source = database if is_before(3, 0) else supervisor
    found: list[str] = source.task_states(task_instance)
    return found == [state]
