"""States of a task, asked of Airflow at moments at which it does not tell them by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters import supervisor

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
    return await asyncio.to_thread(was_marked_failed, task_instance)


def call_after_success(operator: BaseOperator, callback: Callable[[Context], None]) -> None:
    """
    Have a function called once Airflow has ended a try of a task in success.

    Added to the callbacks of the task and of the DAG's ``default_args``, which an argument would push aside.

    :param operator: the operator, when it is made.
    :param callback: what is called, with Airflow's context.
    """

    def call_if_stored(context: Context) -> None:
        # Airflow also calls this where it could not report the success.
        if _is_now(context["ti"], "success"):
            callback(context)

    operator.on_success_callback = [*operator.on_success_callback, call_if_stored]


def _is_now(task_instance: Any, state: str) -> bool:
    return supervisor.task_states(task_instance) == [state]
