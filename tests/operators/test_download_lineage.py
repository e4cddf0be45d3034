"""Lineage of a download, as tools are told of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import jsonschema
import pytest
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.providers.openlineage.plugins.adapter import OpenLineageAdapter
from airflow.sdk import lineage, plugins_manager
from airflow.utils.state import TaskInstanceState
from openlineage.client import OpenLineageClient
from openlineage.client.serde import Serde
from openlineage.client.transport.noop import NoopConfig, NoopTransport
from openlineage.client.uuid import generate_new_uuid

from airflow_provider_videos.operators.videos import VideoDownloadOperator

pytestmark = pytest.mark.usefixtures("connection")

FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": {"format": "uri"}, "_schemaURL": {"format": "uri"}},
    },
}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {
        "namespace": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "facets": FACETS,
        "outputFacets": FACETS
        | {
            "properties": {
                "outputStatistics": {"properties": {"size": {"type": "integer"}, "fileCount": {"const": 1}}}
            }
        },
    },
}
RUN_EVENT = {
    # What version 2-0-2 of the specification asks of a run event.
    "type": "object",
    "required": ["eventType", "eventTime", "run", "job", "producer", "schemaURL"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": {
            "required": ["runId"],
            "properties": {"runId": {"type": "string", "format": "uuid"}, "facets": FACETS},
        },
        "job": {
            "required": ["namespace", "name"],
            "properties": {
                "namespace": {"type": "string"},
                "name": {"type": "string"},
                "facets": FACETS,
            },
        },
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET, "minItems": 1},
    },
}


class Memory(dict):
    def set(self, key, value, retention=None):
        self[key] = value


@pytest.fixture
def delivered(completed, tmp_path):
    """An operator that has delivered two files."""
    task = VideoDownloadOperator(
        task_id="it", video_id=completed, destination=f"{tmp_path}/", variant=["video", "thumbnail"]
    )
    task.execute({"task_state_store": Memory(), "outlet_events": {}})
    return task


def test_the_openlineage_event_names_the_files_and_is_valid(delivered, tmp_path):
    told = ExtractorManager().extract_metadata(
        dagrun=SimpleNamespace(run_id="run"),
        task=delivered,
        task_instance_state=TaskInstanceState.SUCCESS,
        task_instance=None,
    )
    adapter = OpenLineageAdapter(client=OpenLineageClient(transport=NoopTransport(NoopConfig())))
    event = adapter.complete_task(
        run_id=str(generate_new_uuid()),
        job_name="dag.it",
        end_time=datetime.now(UTC).isoformat(),
        task=told,
        nominal_start_time=None,
        nominal_end_time=None,
        owners=None,
        tags=None,
        job_description=None,
    )
    plain = json.loads(Serde.to_json(event))
    jsonschema.validate(plain, RUN_EVENT, format_checker=jsonschema.FormatChecker())
    assert {(file["namespace"], file["name"]) for file in plain["outputs"]} == {
        ("file", str(path)) for path in tmp_path.iterdir()
    }
    sizes = {file["name"]: file["outputFacets"]["outputStatistics"]["size"] for file in plain["outputs"]}
    assert sizes == {str(path): path.stat().st_size for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("uri", "dataset"),
    [
        ("s3://bucket/films/a b.mp4", ("s3://bucket", "films/a b.mp4")),
        ("gs://bucket/a.mp4", ("gs://bucket", "a.mp4")),
        ("file:///films/a%20b.mp4", ("file", "/films/a b.mp4")),
    ],
)
def test_datasets_are_named_as_openlineage_names_them(uri, dataset):
    from airflow_provider_videos.operators.download import openlineage

    (told,) = openlineage([{"uri": uri, "size_bytes": 5}]).outputs
    assert (told.namespace, told.name) == dataset


def test_hook_lineage_knows_the_files(completed, tmp_path, monkeypatch):
    readers = [lineage.HookLineageReader]
    monkeypatch.setattr(plugins_manager, "get_hook_lineage_readers_plugins", lambda: readers)
    lineage.get_hook_lineage_collector.cache_clear()
    try:
        task = VideoDownloadOperator(task_id="it", video_id=completed, destination=f"{tmp_path}/")
        result = task.execute({"task_state_store": Memory(), "outlet_events": {}})
        (output,) = lineage.get_hook_lineage_collector().collected_assets.outputs
    finally:
        lineage.get_hook_lineage_collector.cache_clear()
    assert output.asset.uri == result["uri"]
    assert output.asset.extra["sha256"] == result["sha256"]
