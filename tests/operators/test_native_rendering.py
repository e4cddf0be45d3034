"""DAGs with render_template_as_native_obj=True: what looks like a Python value is rendered to one."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from airflow_provider_videos.adapters.names import DAG, AirflowFailException
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.emulator import Emulator
from airflow_provider_videos.operators.videos import (
    VideoCreateOperator,
    VideoDeleteOperator,
    VideoDownloadOperator,
    VideoEditOperator,
    VideoExtendOperator,
    VideoListOperator,
    VideoPreflightOperator,
    VideoRemixOperator,
)
from airflow_provider_videos.sensors.videos import VideoSensor
from tests.names import AirflowException, TaskDeferred

pytestmark = pytest.mark.usefixtures("connection")

AS_IT_IS = "{{ params.value }}"
AS_TEXT = "{{ params.value | pprint }}"


class Kept(dict):
    """Values that Airflow keeps for a task, as the task sees them."""

    def set(self, key, value, retention=None):
        self[key] = value

    def xcom_push(self, key, value):
        self[key] = value


@pytest.fixture
def render():
    """Render one field of an operator as Airflow does, to what a parameter holds, and execute it."""

    def render(operator, field, value, template=AS_IT_IS, **options):
        if issubclass(operator, VideoCreateOperator):
            options["durable"] = False
        with DAG("native", schedule=None, render_template_as_native_obj=True) as dag:
            task = operator(task_id="it", **{**options, field: template})
        context = {"params": {"value": value}, "dag": dag, "ti": Kept(), "task_state_store": Kept()}
        context["outlet_events"] = {}
        task.render_template_fields(context)
        return task.execute(context)

    return render


CREATE = {"prompt": "A paper boat"}


@pytest.mark.parametrize(
    ("field", "value", "sent"),
    [
        ("prompt", "1984", "1984"),
        ("prompt", "A boat: {'a': 1}", "A boat: {'a': 1}"),
        ("prompt", "007", "007"),
        ("model", "emulated-1", "emulated-1"),
        ("seconds", "8", "8"),
        ("seconds", 8, "8"),
        ("size", "1280x720", "1280x720"),
        ("extra_body", "{'seed': 7, 'note': None}", None),
        ("extra_body", {"seed": 7}, None),
        ("extra_body", "None", None),
        ("characters", "[]", None),
        ("model", "None", None),
        ("size", None, None),
        ("videos_conn_id", "videos_default", None),
    ],
)
def test_a_purchase_is_what_the_template_said(render, videos_emulator, field, value, sent):
    render(VideoCreateOperator, field, value, **CREATE)
    (purchase,) = videos_emulator.purchases
    assert purchase.fields.get(field) == sent
    if "seed" in str(value):
        assert purchase.fields["seed"] == "7"


@pytest.mark.parametrize("prompt", ["1984", "1_984", "3.50", "None", "['a', 'b']", 'it\'s "so" 😀\n' * 20])
def test_the_filter_that_errors_name_keeps_a_string(render, videos_emulator, prompt):
    render(VideoCreateOperator, "prompt", prompt, AS_TEXT)
    assert videos_emulator.purchases[0].fields["prompt"] == prompt


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("prompt", "3.50", "prompt must be a string, not float"),
        ("prompt", "None", "prompt must be a string, not None"),
        ("prompt", "['a', 'b']", "prompt must be a string, not list"),
        ("prompt", "True", "prompt must be a string, not bool"),
        ("prompt", "", "prompt must be a text of at least one character; it is empty"),
        ("model", "4.1", "model must be a string, not float"),
        ("size", "1280, 720", "size must be a string, not tuple"),
        ("seconds", "[4]", "seconds must be a string, not list"),
        ("seconds", "True", "seconds must be a string, not bool"),
        ("input_reference", "['a.png']", "input_reference must be a string, not list"),
        ("input_reference", "4.5", "input_reference must be a string, not float"),
        ("characters", "char_1", "characters must be a list of ids, not str"),
        ("characters", "[1.5]", "each of characters must be a string, not float"),
        ("extra_body", "[1]", "extra_body must be a dict of fields; got a list"),
        ("extra_body", "{'when': {1, 2}}", "field 'when' of the request is nothing that JSON can carry"),
        ("extra_body", "{1: 2}", "the names of extra_body's fields"),
        ("videos_conn_id", "1.5", "videos_conn_id must be a string, not float"),
    ],
)
def test_a_field_that_cannot_be_meant_is_named_and_nothing_is_bought(
    render, videos_emulator, field, value, words
):
    with pytest.raises(AirflowFailException, match=f"^{re.escape(words)}"):
        render(VideoCreateOperator, field, value, **CREATE)
    assert videos_emulator.record.connections == 0


@pytest.mark.parametrize("template", ["{{ params.value }}", "{{ params.value.date() }}"])
def test_a_date_is_no_prompt(render, videos_emulator, template):
    with pytest.raises(AirflowFailException, match=r"^prompt must be a string, not date"):
        render(VideoCreateOperator, "prompt", datetime(2026, 11, 28, tzinfo=UTC), template)
    assert videos_emulator.purchases == []


NUMBER = "1234567"
"""The id of a server that counts its videos."""

OTHERS = [
    (VideoRemixOperator, "video_id", {"prompt": "Red", "durable": False}, "remix"),
    (VideoEditOperator, "video_id", {"prompt": "Red", "durable": False}, "edit"),
    (VideoExtendOperator, "video_id", {"prompt": "Red", "seconds": 4, "durable": False}, "extend"),
    (VideoDeleteOperator, "video_id", {}, "delete"),
    (VideoDownloadOperator, "video_id", {"destination": "/nowhere/"}, "retrieve"),
    (VideoSensor, "video_id", {"poke_interval": 0.01, "timeout": 0.1}, "retrieve"),
    (VideoSensor, "video_id", {"poke_interval": 0.01, "timeout": 0.1, "deferrable": True}, "retrieve"),
]


@pytest.mark.parametrize(("operator", "field", "options", "operation"), OTHERS)
def test_a_whole_number_is_taken_as_its_digits(render, videos_emulator, operator, field, options, operation):
    with suppress(AirflowException, TaskDeferred, VideosError):
        render(operator, field, NUMBER, **options)
    assert videos_emulator.record.requests[operation]
    for call in videos_emulator.record.exchanges:
        assert NUMBER in call.path or operation in {"edit", "extend"}


@pytest.mark.parametrize("value", ["4.5", "None", "['v']", "{'id': 'v'}"])
@pytest.mark.parametrize(
    ("operator", "field", "options"),
    [
        *[(operator, field, options) for operator, field, options, _ in OTHERS if field == "video_id"],
        (VideoRemixOperator, "prompt", {"video_id": "v", "durable": False}),
        (VideoEditOperator, "video", {"prompt": "Red", "durable": False}),
        (VideoDownloadOperator, "destination", {"video_id": "v"}),
        (VideoDownloadOperator, "variant", {"video_id": "v", "destination": "/nowhere/"}),
        (VideoDownloadOperator, "aws_conn_id", {"video_id": "v", "destination": "/nowhere/"}),
        (VideoDownloadOperator, "expected_content_type", {"video_id": "v", "destination": "/nowhere/"}),
        (VideoPreflightOperator, "destination", {}),
        (VideoListOperator, "model", {}),
        (VideoListOperator, "order", {}),
        (VideoListOperator, "status", {}),
    ],
)
def test_anything_else_names_the_field(render, videos_emulator, operator, field, options, value):
    optional = field not in {"video_id", "prompt", "video", "destination", "variant"}
    if (value == "None" and optional) or (field, value) == ("variant", "['v']"):
        pytest.skip("that is a value of this field")
    with pytest.raises(AirflowFailException, match=field):
        render(operator, field, value, **options)
    assert videos_emulator.record.requests.total() == 0


def test_a_list_of_variants_may_be_rendered(render, completed, tmp_path):
    options = {"video_id": completed, "destination": f"{tmp_path}/"}
    render(VideoDownloadOperator, "variant", "('video', 'thumbnail')", **options)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_whole_pipeline_runs(run_dag, connect_to, tmp_path):
    params = {"prompt": "1984", "seconds": "4", "size": "1280x720", "folder": f"{tmp_path}/"}
    with DAG("native", schedule=None, render_template_as_native_obj=True, params=params) as dag:
        create = VideoCreateOperator(
            task_id="create", **{name: f"{{{{ params.{name} }}}}" for name in ("prompt", "seconds", "size")}
        )
        wait = VideoSensor(
            task_id="wait", video_id="{{ ti.xcom_pull(task_ids='create') }}", poke_interval=0.1, timeout=30
        )
        VideoDownloadOperator(task_id="get", video_id=wait.output, destination="{{ params.folder }}")
        assert create.task_id
        create >> wait
    with Emulator(job_seconds=0.1) as emulator:
        connect_to(emulator)
        ran = run_dag(dag)
    assert [ran[name].state for name in ("create", "wait", "get")] == ["success"] * 3
    assert len(list(tmp_path.iterdir())) == 1
