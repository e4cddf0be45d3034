"""The sensor, run by Airflow itself in each of its modes."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import ClassVar

import pytest
from airflow.listeners.listener import get_listener_manager
from airflow.sdk.execution_time import task_runner

from airflow_provider_videos.adapters.names import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    task_group,
)
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.clock import use_clock
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.errors import TransportError, Unauthorized
from airflow_provider_videos.emulator import Answer, Drop, Emulator, Failed, Fault, ManualClock, Stuck
from airflow_provider_videos.operators.videos import VideoCreateOperator
from airflow_provider_videos.polling import wait_state
from airflow_provider_videos.sensors.videos import VideoSensor
from airflow_provider_videos.triggers.videos import VideoTrigger
from tests.names import TaskDeferralError, TaskDeferred
from tests.supervisor import STUMBLES, Supervisor
from tests.turned_time import TurnedTime

MODES = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferred": {"deferrable": True},
}


@pytest.fixture
def connection(videos_emulator, connect_to):
    """A connection whose calls are over quickly, so that the wait itself has to be patient."""
    connect_to(videos_emulator, timeout={"total": 0.2})


@pytest.fixture
def steps():
    """By how many seconds the server's clock is turned before each of the next GETs."""
    return []


@pytest.fixture
def videos_emulator(steps):
    clock = ManualClock()

    def turning(app):
        async def turned(scope, receive, send):
            if steps and scope.get("method") == "GET":
                clock.advance(steps.pop(0))
            await app(scope, receive, send)

        return turned

    with Emulator(clock=clock, middleware=turning) as emulator:
        yield emulator


@pytest.fixture(params=MODES)
def wait(request, run_dag, connection):
    """Wait for a video in one of the modes; how that ended is in ``wait.errors`` and ``wait.ends``."""

    class Noting(VideoSensor):
        """Notes how each of its starts ends."""

        def execute(self, context):
            with noted():
                return super().execute(context)

        def resume_execution(self, *args, **kwargs):
            with noted():
                return super().resume_execution(*args, **kwargs)

    @contextmanager
    def noted():
        try:
            yield
        except (AirflowSkipException, AirflowFailException, AirflowSensorTimeout) as end:
            wait.ends.append((type(end), str(end)))
            raise

    def wait(video_id, **options):
        wait.errors, wait.ends = [], []
        with DAG("waiting", schedule=None) as dag:
            Noting(
                task_id="wait",
                video_id=video_id,
                retry_delay=timedelta(0),
                on_failure_callback=lambda context: wait.errors.append(context["exception"]),
                **{"poke_interval": 0.05, "timeout": 20, "retries": 1, **MODES[request.param], **options},
            )
        return run_dag(dag)["wait"]

    wait.mode = request.param
    return wait


@pytest.fixture
def buy(endpoint):
    with VideosClient(endpoint) as client:
        yield lambda: client.create("A paper boat").id


def test_a_completed_video_ends_the_wait(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.clock.advance(60)
    ran = wait(video_id)
    assert ran.state == "success"
    assert ran.xcoms["return_value"] == video_id
    assert ran.xcoms["video"]["status"] == "completed"
    assert set(ran.xcoms) == {"return_value", "video"}


def test_a_video_on_its_way_is_waited_for(wait, buy, videos_emulator, steps):
    video_id = buy()
    steps += [1, 1, 1, 60]
    videos_emulator.inject(Fault(Answer(status=503), operation="retrieve"))
    ran = wait(video_id)
    assert ran.state == "success"
    assert ran.xcoms["return_value"] == video_id
    assert len(videos_emulator.purchases) == 1


@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
class TestABadEndIsTheSameInEveryMode:
    def test_failed(self, wait, buy, videos_emulator, soft_fail, state):
        videos_emulator.inject(Fault(Failed(code="content_filter", message="Blocked by policy.")))
        video_id = buy()
        videos_emulator.clock.advance(60)
        ran = wait(video_id, soft_fail=soft_fail)
        assert ran.state == state
        reason = f"the video ended as failed: Blocked by policy. (video {video_id}, code content_filter)"
        assert wait.ends == [(AirflowSkipException if soft_fail else AirflowFailException, reason)]

    def test_lost(self, wait, videos_emulator, monkeypatch, soft_fail, state):
        monkeypatch.setattr(wait_state, "LOST_AFTER_SECONDS", 0.0)
        monkeypatch.setattr(wait_state, "LOST_AFTER_ANSWERS", 3)
        before = videos_emulator.record.connections
        ran = wait("video_gone", soft_fail=soft_fail)
        assert ran.state == state
        ((kind, reason),) = wait.ends
        assert kind is (AirflowSkipException if soft_fail else AirflowFailException)
        assert reason.startswith("the video is lost: the server did not know it 3 times in a row")
        assert "video_gone" in reason
        asked = videos_emulator.record.requests["retrieve"]
        assert asked in (3, 4)
        # Behind a kept connection, it would always be the same replica that answers.
        assert videos_emulator.record.connections - before == asked

    def test_failed_on(self, wait, buy, videos_emulator, monkeypatch, soft_fail, state):
        monkeypatch.setattr(wait_state, "UNAVAILABLE_AFTER_SECONDS", 0.1)
        video_id = buy()
        words = {"error": {"message": "filtered by policy", "code": "rai"}}
        fault = Answer(status=500, body=words)
        videos_emulator.inject(Fault(fault, operation="retrieve", times=None))
        ran = wait(video_id, soft_fail=soft_fail)
        assert ran.state == state
        ((kind, reason),) = wait.ends
        assert kind is (AirflowSkipException if soft_fail else AirflowFailException)
        assert reason.startswith("the server serves others and has failed on this video")
        assert "filtered by policy" in reason
        assert video_id in reason
        assert videos_emulator.record.requests["models"] >= 1

    def test_late(self, wait, buy, videos_emulator, soft_fail, state):
        videos_emulator.inject(Fault(Stuck()))
        video_id = buy()
        ran = wait(video_id, timeout=0.3, soft_fail=soft_fail)
        assert ran.state == state
        ((kind, reason),) = wait.ends
        assert kind is (AirflowSkipException if soft_fail else AirflowSensorTimeout)
        assert reason.startswith(f"Video {video_id} was not completed within 0.3 s. It lives on")

    def test_late_and_down(self, wait, buy, videos_emulator, soft_fail, state):
        video_id = buy()
        videos_emulator.inject(Fault(Answer(status=503, body="out to lunch"), times=None))
        ran = wait(video_id, timeout=0.3, soft_fail=soft_fail)
        assert ran.state == state
        reason = wait.ends[0][1]
        assert reason.startswith(f"Video {video_id} was not completed within 0.3 s. The last error: ")
        assert "out to lunch" in reason
        assert "Find out from the server's own log why it fails" in reason

    def test_late_and_unknown(self, wait, videos_emulator, monkeypatch, soft_fail, state):
        monkeypatch.setattr(wait_state, "LOOKS", 3)
        ran = wait("video_nope", timeout=0.3, soft_fail=soft_fail)
        assert ran.state == state
        assert "the server does not know it" in wait.ends[0][1]


def test_what_waiting_does_not_cure_fails_and_may_be_retried(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", times=None))
    ran = wait(video_id, soft_fail=True)
    assert ran.state == "failed"
    assert [type(error) for error in wait.errors] == [Unauthorized]


def test_never_fail_skips_whatever_happens(wait, buy, videos_emulator):
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", times=None))
    assert wait(buy(), never_fail=True).state == "skipped"


def test_silent_fail_waits_everything_out(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.clock.advance(60)
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", times=3))
    assert wait(video_id, silent_fail=True).state == "success"


def test_a_server_that_goes_away_and_comes_back_is_waited_out(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.clock.advance(60)
    videos_emulator.inject(
        Fault(Drop(), operation="retrieve", times=6),
        Fault(Answer(status=502), operation="retrieve", nth=7, times=6),
    )
    assert wait(video_id).state == "success"
    assert videos_emulator.record.requests["retrieve"] > 12


def test_a_key_that_is_refused_on_the_way_fails_in_every_mode(wait, buy, videos_emulator):
    video_id = buy()
    videos_emulator.inject(Fault(Answer(status=401), operation="retrieve", nth=2, times=1))
    assert wait(video_id, retries=0).state == "failed"
    assert not isinstance(wait.errors[0], AirflowFailException)


def test_the_log_has_a_line_for_each_change(wait, buy, capfd, steps):
    video_id = buy()
    steps += [0, 0, 3, 0, 60]
    wait(video_id)
    lines = re.findall(rf"Video {video_id}: (.*), \d+ s waited", capfd.readouterr().out)
    assert lines[0] == "queued, 0 %"
    assert lines[1].startswith("in_progress, ")
    assert lines[2:] == ["completed, 100 %"]


class TestDeferral:
    """Hand-over between the sensor and Airflow, which ``dag.test()`` does not show."""

    @pytest.fixture
    def context(self):
        class TaskInstance:
            try_number = 1
            xcoms: ClassVar[dict] = {}

            def xcom_push(self, key, value):
                self.xcoms[key] = value

        return {"ti": TaskInstance()}

    def sensor(self, video_id, **options):
        return VideoSensor(task_id="wait", video_id=video_id, deferrable=True, **options)

    def test_it_names_its_deadline_to_airflow_and_to_the_trigger(self, connection, buy, context):
        options = {"exponential_backoff": True, "max_wait": 60, "silent_fail": True, "poke_interval": 7}
        before = time.time()
        with pytest.raises(TaskDeferred) as deferred:
            self.sensor(buy(), timeout=100, **options).execute(context)
        _, kwargs = deferred.value.trigger.serialize()
        assert deferred.value.timeout == timedelta(seconds=100)
        assert before <= kwargs["started_at"] <= time.time()
        assert kwargs["deadline"] == kwargs["started_at"] + 100
        assert {name: kwargs[name] for name in options} == options
        assert kwargs["shown"] == "queued, 0 %"

    @pytest.mark.parametrize("end", ["event", "airflow"])
    def test_the_time_being_up_is_no_reason_not_to_look(self, connection, buy, context, videos_emulator, end):
        sensor, timeout = self.sensor(buy()), {"video_id": "v", "status": "timeout", "error": None}
        resume = {
            "event": ("execute_complete", {"event": timeout}),
            "airflow": ("__fail__", {"error": "Trigger timeout"}),
        }[end]
        with pytest.raises(AirflowSensorTimeout, match="It lives on"):
            sensor.resume_execution(*resume, context)
        videos_emulator.clock.advance(60)
        assert sensor.resume_execution(*resume, context) == sensor.video_id

    def test_a_trigger_that_died_is_no_bad_end_of_the_video(self, connection, context):
        with pytest.raises(TaskDeferralError):
            self.sensor("v", soft_fail=True).resume_execution(
                "__fail__", {"error": "Trigger failure"}, context
            )

    def test_a_trigger_that_could_not_ask_is_not_started_again_and_again(self, connection, buy, context):
        event = {
            "video_id": "v",
            "status": "error",
            "error": "InvalidRequest: no connection in the triggerer",
        }
        with pytest.raises(TransportError, match="no connection in the triggerer"):
            self.sensor(buy()).resume_execution("execute_complete", {"event": event}, context)

    def test_a_trigger_that_found_a_video_failed_on_has_the_task_ask_for_the_reason(
        self, connection, buy, context, videos_emulator
    ):
        sensor, event = self.sensor(buy()), {"video_id": "v", "status": "unavailable", "error": None}
        with pytest.raises(TransportError, match=r"stopped asking .*: unavailable"):
            sensor.resume_execution("execute_complete", {"event": event}, context)
        videos_emulator.inject(
            Fault(Answer(status=500, body={"error": "filtered"}), operation="retrieve", times=None)
        )
        with pytest.raises(AirflowFailException, match="filtered"):
            sensor.resume_execution("execute_complete", {"event": event}, context)

    def test_one_that_does_not_know_the_video_is_asked_more_often(self, connection, context):
        sensor = VideoSensor(task_id="wait", video_id="video_gone", poke_interval=3600, mode="poke")
        sensor.poke(context)
        assert sensor._get_next_poke_interval(0, lambda: 0, 1) == wait_state.LONGEST_INTERVAL_WHILE_MISSING

    def test_whether_it_serves_others_is_asked_once_in_a_minute(
        self, connection, buy, context, videos_emulator
    ):
        videos_emulator.inject(Fault(Answer(status=500), operation="retrieve", times=None))
        sensor = VideoSensor(task_id="wait", video_id=buy(), mode="poke", deferrable=False)
        for _ in range(8):
            sensor.poke(context)
        assert videos_emulator.record.requests["models"] == 1

    def test_each_try_of_a_rescheduled_sensor_begins_its_own_count(self, connection, context):
        store = {}
        context["task_state_store"] = SimpleNamespace(get=store.get, set=store.__setitem__)
        sensor = partial(VideoSensor, task_id="wait", video_id="video_gone", mode="reschedule")
        for _ in range(2):
            sensor().poke(context)
        assert store["videos_wait"]["watch"]["missing"] == 2
        context["ti"].try_number = 2
        sensor().poke(context)
        assert store["videos_wait"]["watch"]["missing"] == 1


def deletes(videos_emulator):
    return videos_emulator.record.requests.get("delete", 0)


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_video_nobody_waits_for_any_more_is_deleted_if_that_was_asked_for(
    wait, buy, videos_emulator, soft_fail
):
    videos_emulator.inject(Fault(Stuck()))
    video_id = buy()
    wait(video_id, timeout=0.3, soft_fail=soft_fail, cancel_on_timeout=True)
    assert "given up on the server" in wait.ends[0][1]
    assert deletes(videos_emulator) == 1
    with VideosClient(Endpoint(videos_emulator.base_url, videos_emulator.api_key)) as client:
        assert video_id not in [video.id for video in client.list()]


def test_a_server_that_cannot_cancel_is_named(wait, buy, videos_emulator, capfd):
    videos_emulator.inject(Fault(Stuck()), Fault(Answer(status=405), operation="delete"))
    wait(buy(), timeout=0.3, cancel_on_timeout=True)
    assert f"{videos_emulator.base_url} cannot cancel by delete" in capfd.readouterr().out
    assert "given up" in wait.ends[0][1]


def test_a_video_is_not_deleted_unless_that_was_asked_for(wait, buy, videos_emulator):
    videos_emulator.inject(Fault(Stuck()))
    wait(buy(), timeout=0.3)
    assert deletes(videos_emulator) == 0


def test_a_try_has_its_own_limit_in_every_mode_but_the_one_of_short_tries(wait, buy, videos_emulator):
    videos_emulator.inject(Fault(Stuck()))
    ran = wait(buy(), timeout=3, execution_timeout=timedelta(seconds=0.4), retries=0, cancel_on_timeout=True)
    assert ran.state == "failed"
    tried = wait.mode != "reschedule"
    assert isinstance(wait.errors[0], AirflowTaskTimeout if tried else AirflowSensorTimeout)
    # A retry could take over, so only the end of all tries gives the video up.
    assert deletes(videos_emulator) == (0 if tried else 1)


def test_cancelling_needs_a_process_that_waits():
    with pytest.raises(ValueError, match="set deferrable=True or mode='poke'"):
        VideoSensor(task_id="wait", video_id="v", mode="reschedule", deferrable=False, cancel_on_kill=True)


class TestInTheTriggerer:
    """Hints of the sensor to the scheduler at parse time; that they work is for the system tests to show."""

    OPTIONS: ClassVar[dict] = {
        "task_id": "wait",
        "deferrable": True,
        "start_from_trigger": True,
        "end_from_trigger": True,
    }

    def template(self, sensor):
        return sensor.start_trigger_args.trigger_kwargs["video_id"]

    def test_it_is_off_by_default(self):
        sensor = VideoSensor(task_id="wait", video_id="v", deferrable=True)
        assert (sensor.start_from_trigger, sensor.end_from_trigger) == (False, False)
        assert sensor.start_trigger_args is None

    def test_it_is_for_deferrable_sensors(self):
        sensor = VideoSensor(video_id="v", **self.OPTIONS | {"deferrable": False})
        assert (sensor.start_from_trigger, sensor.end_from_trigger) == (False, False)

    def test_the_output_of_a_task_becomes_a_template(self):
        with DAG("waiting", schedule=None):
            create = VideoCreateOperator(task_id="create", prompt="A boat")
            sensor = VideoSensor(video_id=create.output, timeout=60, poke_interval=7, **self.OPTIONS)
        assert self.template(sensor) == (
            "{{ ti.xcom_pull(task_ids='create', key='return_value', map_indexes=-1) }}"
        )
        assert sensor.upstream_task_ids == {"create"}
        assert sensor.start_trigger_args.timeout == timedelta(seconds=60)
        kwargs = sensor.start_trigger_args.trigger_kwargs
        assert (kwargs["poke_interval"], kwargs["timeout"], kwargs["end_from_trigger"]) == (7, 60, True)
        assert VideoTrigger(**kwargs).serialize()[1].items() >= kwargs.items()

    def test_in_a_mapped_task_group_it_names_the_map_index(self):
        with DAG("waiting", schedule=None) as dag:
            outside = VideoCreateOperator(task_id="outside", prompt="A boat")

            @task_group
            def film(prompt):
                create = VideoCreateOperator(task_id="create", prompt=prompt)
                VideoSensor(video_id=create.output, **self.OPTIONS)
                VideoSensor(video_id=outside.output, **self.OPTIONS | {"task_id": "other"})

            film.expand(prompt=["A boat", "A ship"])
        assert "task_ids='film.create'" in self.template(dag.get_task("film.wait"))
        assert "map_indexes=ti.map_index" in self.template(dag.get_task("film.wait"))
        assert "map_indexes=-1" in self.template(dag.get_task("film.other"))

    def test_where_it_cannot_begin_there_it_says_so(self):
        with DAG("waiting", schedule=None) as dag:
            many = VideoCreateOperator.partial(task_id="many").expand(prompt=["A boat"])
            with pytest.warns(UserWarning, match="wait starts on a worker"):
                VideoSensor(video_id=many.output, **self.OPTIONS | {"task_id": "mapped"})

            @task_group
            def film(prompt):
                template = "{{ ti.xcom_pull('film.create') }}"
                with pytest.warns(UserWarning, match="wait starts on a worker"):
                    VideoSensor(video_id=template, **self.OPTIONS)

            film.expand(prompt=["A boat", "A ship"])
        assert not dag.get_task("mapped").start_from_trigger
        assert not dag.get_task("film.wait").start_from_trigger

    def test_where_listeners_are_registered_it_ends_on_a_worker_and_says_so(self):
        manager, listener = get_listener_manager(), object()
        manager.pm.register(listener)
        try:
            with pytest.warns(UserWarning, match="ends on a worker"):
                sensor = VideoSensor(video_id="v", **self.OPTIONS)
        finally:
            manager.pm.unregister(listener)
        assert not sensor.end_from_trigger
        assert sensor.start_from_trigger


@pytest.mark.parametrize(
    ("mode", "outcome"), [({"deferrable": True}, TaskDeferred), ({"timeout": 0.1}, AirflowSensorTimeout)]
)
def test_a_wait_that_begins_while_airflow_stumbles_is_not_a_missing_connection(monkeypatch, mode, outcome):
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(STUMBLES), raising=False)
    with DAG("waiting", schedule=None):
        sensor = VideoSensor(
            task_id="wait", video_id="v", videos_conn_id="stored", poke_interval=0.05, **mode
        )
    with use_clock(TurnedTime().clock), pytest.raises(outcome):
        sensor.execute({"ti": None})
