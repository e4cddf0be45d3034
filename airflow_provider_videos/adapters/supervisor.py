"""
Questions to Airflow's supervisor that only the task runner can ask.

The task SDK has no public door to the state of a task in a trigger, nor to a connection or a Variable whose
source failed: it turns every failure into "not found". Nothing else here imports the task runner.
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
    from airflow.sdk.execution_time.comms import GetConnection

    return _ask(GetConnection(conn_id=conn_id), "CONNECTION_NOT_FOUND")


def read_variable(key: str) -> str | None:
    """
    Return a Variable's value; None if there is no such Variable.

    Airflow's own :class:`Variable` answers with the default where the API server does not answer at all.

    :param key: its key.
    :raises AirflowRuntimeError: if Airflow could not say.
    """
    from airflow.sdk.execution_time.comms import GetVariable

    found = _ask(GetVariable(key=key), "VARIABLE_NOT_FOUND")
    return found and str(found.value)


def write_variable(key: str, value: str, description: str) -> None:
    """
    Write a Variable.

    :param key: its key.
    :param value: its value.
    :param description: what people read beside it.
    :raises AirflowRuntimeError: if Airflow did not take it.
    """
    from airflow.sdk.execution_time.comms import PutVariable

    _ask(PutVariable(key=key, value=value, description=description))


def delete_variable(key: str) -> None:
    """
    Delete a Variable; none is no error.

    :param key: its key.
    :raises AirflowRuntimeError: if Airflow did not do it.
    """
    from airflow.sdk.execution_time.comms import DeleteVariable

    _ask(DeleteVariable(key=key), "VARIABLE_NOT_FOUND")


def _ask(question: Any, nothing: str = "") -> Any:
    """Ask the supervisor, and return None where its answer is the error that says that there is nothing."""
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse

    try:
        answer = task_runner.SUPERVISOR_COMMS.send(question)
    except AirflowRuntimeError as error:  # as a task's line does; the one of dag.test() returns it
        answer = error.error
    if not isinstance(answer, ErrorResponse):
        return answer
    if answer.error.name != nothing:
        raise AirflowRuntimeError(answer)
    return None
