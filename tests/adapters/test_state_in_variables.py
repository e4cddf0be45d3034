"""State of a task before 3.3: in Variables, past a class of Airflow's that hides its failures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_provider_videos.adapters.release import is_before
from airflow_provider_videos.adapters.state import TaskStore, forget_ended
from airflow_provider_videos.adapters.variables import NotStoredError

pytestmark = pytest.mark.skipif(is_before(3, 0), reason="2.11 keeps it in the database, see there")


class Line:
    """The supervisor's end of a task's line, with the Variables behind it."""

    def __init__(self):
        self.variables = {}
        self.is_away = self.swallows = False

    def send(self, message):
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, VariableResult

        kind = type(message).__name__
        if self.is_away:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={}))
        if kind == "GetVariable":
            if message.key not in self.variables:
                return ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": message.key})
            return VariableResult(key=message.key, value=self.variables[message.key])
        if not self.swallows and kind == "PutVariable":
            self.variables[message.key] = message.value
        if not self.swallows and kind == "DeleteVariable":
            del self.variables[message.key]
        return None


@pytest.fixture
def line(monkeypatch):
    from airflow.sdk.execution_time import task_runner

    line = Line()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", line, raising=False)
    return line


def context(**changes):
    names = {"dag_id": "films", "run_id": "monday", "task_id": "create", "map_index": -1, **changes}
    return {"ti": SimpleNamespace(**names)}


def test_a_value_is_found_again_by_a_retry(line):
    TaskStore(context()).set("videos_submission", {"video_id": "v1"})
    assert TaskStore(context()).get("videos_submission") == {"video_id": "v1"}
    assert TaskStore(context()).get("videos_delivery") is None


@pytest.mark.parametrize(
    "other", [{"dag_id": "d"}, {"run_id": "tuesday"}, {"task_id": "t"}, {"map_index": 0}, {"map_index": 1}]
)
def test_a_value_is_its_own_task_instance_s(line, other):
    TaskStore(context()).set("videos_submission", "v1")
    assert TaskStore(context(**other)).get("videos_submission") is None


def test_a_key_fits_whatever_the_names(line):
    TaskStore(context(dag_id="d" * 250, task_id="t" * 250, run_id="r" * 250)).set("videos_submission", 1)
    assert all(len(key) <= 250 for key in line.variables)


def test_a_value_that_cannot_be_read_is_not_taken_for_none(line):
    TaskStore(context()).set("videos_submission", {"video_id": "v1"})
    line.is_away = True
    with pytest.raises(Exception, match="API_SERVER_ERROR"):
        TaskStore(context()).get("videos_submission")


@pytest.mark.parametrize("before", [None, "v0"])
def test_a_write_that_airflow_swallows_is_an_error(line, before):
    store = TaskStore(context())
    if before:
        store.set("videos_submission", before)
    line.swallows = True
    with pytest.raises(NotStoredError, match="has another value now"):
        store.set("videos_submission", "v1")


def test_a_deletion_that_airflow_swallows_is_an_error(line):
    store = TaskStore(context())
    store.set("videos_submission", "v1")
    line.swallows = True
    with pytest.raises(NotStoredError, match="still has it"):
        store.delete("videos_submission")


def test_what_is_not_there_is_deleted_without_an_error(line):
    TaskStore(context()).delete("videos_submission")
    assert line.variables == {}


@pytest.mark.parametrize("written", ['{"video_id": "v1"}', '"v1"', "v1"])
def test_a_person_writes_an_id_as_it_comes(line, written):
    TaskStore(context()).set("videos_submission", {"at": 1})
    (name,) = line.variables
    line.variables[name] = written
    assert TaskStore(context()).get("videos_submission") in ({"video_id": "v1"}, "v1")
    assert name in TaskStore(context()).handwork("videos_submission")


def test_the_values_of_a_task_that_has_ended_are_removed(line):
    store = TaskStore(context())
    store.set("videos_submission", "v1")
    store.set("videos_wait", {"try_number": 1})
    assert forget_ended(context(), "videos_submission", "videos_wait")
    assert line.variables == {}


def test_airflow_s_own_store_is_used_where_there_is_one(line):
    class Own(dict):
        def set(self, key, value, retention=None):
            self[key] = value

    own = Own()
    with_store = {**context(), "task_state_store": own}
    assert not forget_ended(with_store, "videos_submission")
    assert TaskStore(with_store).handwork("videos_submission") is None
    TaskStore(with_store).set_for_now("videos_submission", "v1")
    assert (own, line.variables) == ({"videos_submission": "v1"}, {})
