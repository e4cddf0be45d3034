"""
Questions to Airflow's supervisor that only the task runner can ask.

The task SDK has no public door to the state of a task in a trigger, nor to a connection whose source failed:
it turns every failure into "not found". Nothing else here imports the task runner.
"""

from __future__ import annotations

from typing import Any


def task_states(task_instance: Any) -> list[str]:
    """
    Return the state of a task instance as Airflow has it now, in a list; an empty one if there is none.

    :param task_instance: the task instance.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    runs = RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index,
    )
    return [state for tasks in runs.values() for state in tasks.values()]


def find_connection(conn_id: str) -> Any:
    """
    Return what the supervisor says of a connection; None if there is none.

    :param conn_id: the connection's id.
    :raises AirflowRuntimeError: if it could not say.
    """
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection

    answer = task_runner.SUPERVISOR_COMMS.send(GetConnection(conn_id=conn_id))
    if not isinstance(answer, ErrorResponse):
        return answer
    if answer.error is not ErrorType.CONNECTION_NOT_FOUND:
        raise AirflowRuntimeError(answer)
    return None
