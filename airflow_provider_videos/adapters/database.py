"""
Airflow's database, which tasks and triggers of 2.11 may use; from 3.0 on they must not.

It is asked in sessions of its own, since some questions come while the task's own session is at work. What is
written goes through the task's, as Airflow's own Variables do: SQLite has room for one writer.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def task_states(task_instance: Any) -> list[str]:
    """
    Return the state of a task instance as it is stored now, in a list; an empty one if there is none.

    :param task_instance: the task instance.
    """
    from airflow.models.taskinstance import TaskInstance

    named = {name: getattr(task_instance, name) for name in ("dag_id", "task_id", "run_id", "map_index")}
    with _own_session() as session:
        return [str(found.state) for found in session.query(TaskInstance.state).filter_by(**named)]


def read_variable(key: str) -> str | None:
    """
    Return a Variable's value; None if there is no such Variable.

    :param key: its key.
    :raises RuntimeError: if it is there and cannot be decrypted.
    """
    from airflow.models.variable import Variable

    with _own_session() as session:
        found = session.query(Variable).filter_by(key=key).one_or_none()
        value: str | None = found and found.val
    if found and value is None:
        raise RuntimeError(f"Variable {key} cannot be decrypted: has Airflow's Fernet key changed?")
    return value


def variable_keys(prefix: str) -> list[str]:
    """
    Return the keys of Variables that begin with a prefix.

    :param prefix: how they begin.
    """
    from airflow.models.variable import Variable

    with _own_session() as session:
        found = session.query(Variable.key).filter(Variable.key.startswith(prefix, autoescape=True))
        return [row.key for row in found]


def write_variable(key: str, value: str, description: str) -> None:
    """
    Write a Variable.

    :param key: its key.
    :param value: its value.
    :param description: what people read beside it.
    """
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Variable).filter_by(key=key).delete()
        variable: Any = Variable
        session.add(variable(key=key, val=value, description=description))


def delete_variable(key: str) -> None:
    """
    Delete a Variable; none is no error.

    :param key: its key.
    """
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(Variable).filter_by(key=key).delete()


def call_after_commit(callback: Callable[[], bool]) -> None:
    """
    Have a function called after each commit of the task's session, until it says that it is done.

    :param callback: what is called; true if it need not be called again.
    """
    from airflow import settings
    from sqlalchemy import event

    sessions: Any = settings.Session
    is_done = False

    def call(_: Any) -> None:
        nonlocal is_done
        # What it writes is committed as well.
        if not is_done:
            is_done = True
            is_done = callback()

    event.listen(sessions(), "after_commit", call)


def delete_variable_apart(key: str) -> None:
    """
    Delete a Variable in a session of its own, right after the task's was committed.

    :param key: its key.
    """
    from airflow.models.variable import Variable

    with _own_session() as session:
        session.query(Variable).filter_by(key=key).delete()
        session.commit()


@contextmanager
def _own_session() -> Iterator[Any]:
    from airflow import settings
    from sqlalchemy.orm import Session

    with Session(bind=settings.engine) as session:
        yield session
