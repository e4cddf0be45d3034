"""Fate of a submission whose answer was lost: the server's list is asked, and the ledger."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_videos.adapters.names import DAG, Variable
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.emulator import Answer, Drop, Fault
from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoRemixOperator


@pytest.fixture(autouse=True)
def _short_timeout(connect_to, videos_emulator):
    connect_to(videos_emulator, timeout={"total": 0.2})


@pytest.fixture
def older(endpoint, videos_emulator) -> str:
    """A video from before: a list that shows it reaches back far enough."""
    videos_emulator.clock.advance(-3600)
    with VideosClient(endpoint) as client:
        video_id = client.create("Something else", size="1280x720", seconds=4).id
    videos_emulator.clock.advance(3600)
    return video_id


@pytest.fixture
def run(run_dag):
    """Run purchases side by side, each with one retry; what went wrong is in ``run.errors``."""

    def run(prompts=("A boat",), retries=1, operator=VideoCreateOperator, **options):
        run.errors = []
        with DAG("adoption", schedule=None) as dag:
            operator.partial(
                task_id="it",
                retries=retries,
                retry_delay=timedelta(0),
                on_failure_callback=lambda context: run.errors.append(str(context["exception"])),
                **options,
            ).expand(prompt=list(prompts))
        ran = run_dag(dag)
        return [ran[f"it[{index}]"] for index in range(len(prompts))]

    return run


def made(videos_emulator):
    """What was bought beside the video from before."""
    return [buy.video_id for buy in videos_emulator.purchases if buy.fields["prompt"] != "Something else"]


@pytest.mark.parametrize("effect", [Drop(accepted=True), Answer(status=500, accepted=True)])
def test_a_retry_takes_the_video_whose_answer_was_lost(run, videos_emulator, effect):
    videos_emulator.inject(Fault(effect, operation="create"))
    (task,) = run(model="emulated-1", seconds="4", size="1280x720")
    assert task.state == "success"
    assert [task.xcoms["return_value"]] == made(videos_emulator)
    assert task.xcoms["video"]["id"] == task.xcoms["return_value"]
    assert videos_emulator.record.requests["create"] == 1


@pytest.mark.usefixtures("older")
def test_a_request_that_never_arrived_is_sent_again(run, videos_emulator):
    videos_emulator.inject(Fault(Drop(), operation="create"))
    (task,) = run()
    assert task.state == "success"
    assert [task.xcoms["return_value"]] == made(videos_emulator)
    assert videos_emulator.record.requests["create"] == 3  # the one from before, the dropped one, this one


@pytest.mark.usefixtures("older")
def test_a_server_that_lost_its_jobs_proves_nothing(run, videos_emulator):
    class Restarted(VideoCreateOperator):
        def execute(self, context):
            try:
                return super().execute(context)
            finally:
                videos_emulator.restart()

    videos_emulator.inject(Fault(Drop(accepted=True), operation="create"))
    (task,) = run(operator=Restarted)
    assert task.state == "failed"
    assert "proves nothing" in run.errors[0]
    assert len(made(videos_emulator)) == 1


def test_a_list_that_cannot_be_read_leaves_the_doubt(run, videos_emulator):
    videos_emulator.inject(Fault(Drop(accepted=True), operation="create"))
    videos_emulator.inject(Fault(Drop(), operation="list", times=None))
    (task,) = run()
    videos_emulator.clear_faults()
    assert task.state == "failed"
    assert "may have been bought at 20" in run.errors[0]
    assert "looking for it failed" in run.errors[0]
    assert "with the same prompt" in run.errors[0]
    assert "A boat" not in run.errors[0]
    assert len(made(videos_emulator)) == 1


@pytest.mark.usefixtures("older")
def test_a_remix_is_adopted_too(run, videos_emulator, older):
    videos_emulator.inject(Fault(Drop(accepted=True), operation="remix"))
    (task,) = run(["At night"], operator=VideoRemixOperator, video_id=older)
    assert [task.xcoms["return_value"]] == made(videos_emulator)


@pytest.mark.usefixtures("older")
@pytest.mark.parametrize("lost", [1, 2])
def test_mapped_tasks_with_one_prompt_never_share_a_video(run, videos_emulator, lost):
    videos_emulator.inject(Fault(Drop(accepted=True), operation="create", prompt="A boat", times=lost))
    tasks = run(["A boat", "A boat"])
    owned = [task.xcoms["return_value"] for task in tasks if task.state == "success"]
    assert len(made(videos_emulator)) == 2
    assert sorted(set(owned)) == sorted(owned)
    assert set(owned) <= set(made(videos_emulator))
    if lost == 1:
        assert len(owned) == 2
    else:
        assert len(run.errors) + len(owned) == 2
        assert all("may have been bought at 20" in error for error in run.errors)


def test_the_ledger_holds_neither_prompt_nor_key(run, videos_emulator):
    run(["A very secret boat"])
    from airflow.models import Variable as Row
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.query(Row)  # noqa: AIR311 - the database's own row is looked at
        ledger = {row.key: row.val for row in rows if row.key.startswith("videos_ledger.")}
    assert any("adoption" in value for value in ledger.values())
    text = json.dumps(ledger)
    assert "secret" not in text
    assert videos_emulator.api_key not in text
    assert made(videos_emulator)[0] not in text


@pytest.mark.usefixtures("_database")
def test_a_ledger_that_cannot_be_written_buys_nothing(run, videos_emulator, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError("tasks may not write variables")

    monkeypatch.setattr(Variable, "set", refuse)
    (task,) = run(retries=0)
    assert task.state == "failed"
    assert "may not write variables" in run.errors[0]
    assert made(videos_emulator) == []


class TestATaskThatFailsAfterExecute:
    """Failures in Airflow after `execute`; a clear then takes up what was bought."""

    @pytest.fixture
    def ended(self, run_dag, recorded):
        """Run a create, and return how it ended and whether its video counts as handed on."""

        def ended(dag_id, **options):
            with DAG(dag_id, schedule=None) as dag:
                VideoCreateOperator(task_id="it", prompt="A boat", retries=0, **options)
            return run_dag(dag)["it"].state, recorded(dag_id)["handed_on"]

        return ended

    @pytest.fixture
    def recorded(self, _database):
        from airflow.models.task_state_store import TaskStateStoreModel
        from airflow.utils.session import create_session

        def recorded(dag_id):
            with create_session() as session:
                (row,) = session.query(TaskStateStoreModel).filter_by(dag_id=dag_id, key="videos_submission")
                return json.loads(row.value)

        return recorded

    def test_a_success_hands_the_video_on(self, ended):
        assert ended("success") == ("success", True)

    def test_a_failing_post_execute_does_not(self, ended):
        def fail(*_):
            raise RuntimeError("post_execute is broken")

        assert ended("post_execute", post_execute=fail) == ("failed", False)

    def test_an_xcom_backend_that_fails_does_not(self, ended, monkeypatch):
        from airflow.sdk.execution_time import task_runner

        def fail(*_args, **_options):
            raise RuntimeError("the XCom backend is away")

        with monkeypatch.context() as patch:
            patch.setattr(task_runner, "_xcom_push", fail)
            assert ended("xcom_backend") == ("failed", False)

    def test_a_success_that_airflow_did_not_take_does_not(self, ended, monkeypatch):
        from airflow.sdk.execution_time import task_runner

        def fail(*_args, **_options):
            raise RuntimeError("outlets can't be read")

        with monkeypatch.context() as patch:
            patch.setattr(task_runner, "_handle_current_task_success", fail)
            assert ended("outlets") == ("failed", False)

    def test_callbacks_of_the_task_and_of_the_dag_are_called_all_the_same(self, run_dag):
        called = []

        def note(context):
            called.append(context["ti"].task_id)

        with DAG("callbacks", schedule=None, default_args={"on_success_callback": note}) as dag:
            VideoCreateOperator(task_id="it", prompt="A boat")
            VideoCreateOperator(task_id="other", prompt="A boat", on_success_callback=[note, note])
            VideoCreateOperator.partial(task_id="mapped").expand(prompt=["A kite", "A boat"])
        run_dag(dag)
        assert sorted(called) == ["it", "mapped", "mapped", "other", "other"]
