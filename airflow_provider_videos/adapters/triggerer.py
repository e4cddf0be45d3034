"""Begin and end of a task in the triggerer, as far as Airflow can do without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.names import (
    BaseOperator,
    PlainXComArg,
    StartTriggerArgs,
    TaskDeferralTimeout,
    get_listener_manager,
)
from airflow_provider_videos.adapters.release import is_before

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_videos.adapters.names import Context

_TIMED_OUT = "Trigger/execution timeout"


class NeedsWorkerError(Exception):
    """Airflow cannot begin or end this task in the triggerer; the message says why."""


def start_args(
    operator: BaseOperator,
    *,
    trigger: str,
    reference: tuple[str, object],
    kwargs: dict[str, Any],
    next_method: str,
    timeout: timedelta,
) -> StartTriggerArgs:
    """
    Return with what the scheduler starts a task's trigger.

    :param operator: the task.
    :param trigger: the path of the trigger's class.
    :param reference: the name and value of the one argument that may come from another task.
    :param kwargs: its other arguments.
    :param next_method: the operator's method that resumes.
    :param timeout: how long the trigger may run.
    :raises NeedsWorkerError: if a worker has to begin it.
    """
    if is_before(3, 3):
        raise NeedsWorkerError(
            "start_from_trigger needs Airflow 3.3 or later, the first that renders a trigger's arguments"
        )
    name, value = reference
    template = _as_template(operator, value)
    if template is None:
        raise NeedsWorkerError(
            f"start_from_trigger needs a {name} that can be rendered in the triggerer: the output of a task "
            "that is not mapped, or of one in the same mapped task group, or a template with "
            "xcom_pull(..., map_indexes=ti.map_index)"
        )
    return StartTriggerArgs(
        trigger_cls=trigger,
        trigger_kwargs={name: template, **kwargs},
        next_method=next_method,
        timeout=timeout,
    )


def resume(
    operator: BaseOperator, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
) -> Any:
    """
    Go on with a task that the triggerer has ended, as every operator does.

    :param operator: the task.
    :param next_method: what goes on.
    :param next_kwargs: its arguments.
    :param context: Airflow's context.
    :raises TaskDeferralTimeout: if Airflow's own clock has ended the wait.
    """
    if is_before(3, 0) and (next_kwargs or {}).get("error") == _TIMED_OUT:
        raise TaskDeferralTimeout(_TIMED_OUT)
    return BaseOperator.resume_execution(operator, next_method, next_kwargs, context)


def require_end_in_triggerer() -> None:
    """
    Find out that a task can end in the triggerer.

    :raises NeedsWorkerError: if Airflow refuses it.
    """
    if get_listener_manager().has_listeners:
        raise NeedsWorkerError(
            "end_from_trigger=True is refused by Airflow where listeners are registered, such as the "
            "OpenLineage provider's"
        )


def _as_template(operator: BaseOperator, given: object) -> str | None:
    """Write a reference as a template: Airflow resolves no other one in a triggerer."""
    group = operator.get_closest_mapped_task_group()
    if isinstance(given, str):
        ambiguous = group and "xcom_pull" in given and "map_indexes" not in given
        return None if ambiguous else given
    if not isinstance(given, PlainXComArg) or not isinstance(given.operator, BaseOperator):
        return None
    source = given.operator
    theirs = source.get_closest_mapped_task_group()
    if theirs not in (None, group):
        return None
    index = "-1" if theirs is None else "ti.map_index"
    pull = f"task_ids={source.task_id!r}, key={given.key!r}, map_indexes={index}"
    return f"{{{{ ti.xcom_pull({pull}) }}}}"
