"""Data that is mapped over: a template in it reads nothing."""

from __future__ import annotations

import pytest

from airflow_provider_videos.adapters.names import DAG, task
from airflow_provider_videos.operators.videos import VideoCreateOperator
from airflow_provider_videos.sensors.videos import VideoSensor

READS_THE_KEY = "A boat {{ conn.videos_default.password }}"


@pytest.fixture(autouse=True)
def _connected(connect_to, videos_emulator):
    connect_to(videos_emulator)


def out_of(value):
    """A task that returns a value; an argument of its own would be rendered."""

    @task
    def data():
        return value

    return data()


MAPPED = {
    "a literal row": lambda create: create.expand_kwargs([{"prompt": READS_THE_KEY}]),
    "a row": lambda create: create.expand_kwargs(out_of([{"prompt": READS_THE_KEY}])),
    "a row that is made": lambda create: create.expand_kwargs(
        out_of([READS_THE_KEY]).map(lambda prompt: {"prompt": prompt})
    ),
    "a field inside a row": lambda create: create.expand_kwargs(
        out_of([{"prompt": "A boat", "extra_body": {"negative": [READS_THE_KEY]}}])
    ),
    "a literal": lambda create: create.expand(prompt=[READS_THE_KEY]),
}


@pytest.mark.parametrize("mapped", MAPPED)
def test_a_template_in_mapped_data_is_refused_and_nothing_is_sent(run_dag, videos_emulator, capfd, mapped):
    with DAG("mapped_data", schedule=None) as dag:
        MAPPED[mapped](VideoCreateOperator.partial(task_id="create", retries=3))
    assert run_dag(dag)["create[0]"].state == "failed"
    assert videos_emulator.purchases == []
    assert videos_emulator.record.requests["create"] == 0
    assert "a mapped value holds a template" in capfd.readouterr().out


@pytest.mark.parametrize("prompt", [READS_THE_KEY, "Braces {{ and }} in a prompt"])
def test_text_that_airflow_does_not_render_is_sent_as_it_is(run_dag, videos_emulator, prompt):
    with DAG("mapped_data", schedule=None) as dag:
        VideoCreateOperator.partial(task_id="create").expand(prompt=out_of([prompt]))
    assert run_dag(dag)["create[0]"].state == "success"
    assert videos_emulator.purchases[0].fields["prompt"] == prompt


def test_a_template_of_the_dag_s_author_is_rendered_beside_mapped_data(run_dag, videos_emulator):
    with DAG("mapped_data", schedule=None, params={"model": "emulated-1"}) as dag:
        create = VideoCreateOperator.partial(task_id="create", model="{{ params.model }}")
        create.expand_kwargs(out_of([{"prompt": "A boat"}]))
    assert run_dag(dag)["create[0]"].state == "success"
    assert videos_emulator.purchases[0].fields["model"] == "emulated-1"


def test_a_sensor_refuses_it_too(run_dag, videos_emulator):
    with DAG("mapped_data", schedule=None) as dag:
        VideoSensor.partial(task_id="wait").expand_kwargs([{"video_id": READS_THE_KEY}])
    assert run_dag(dag)["wait[0]"].state == "failed"
    assert videos_emulator.record.requests["retrieve"] == 0
