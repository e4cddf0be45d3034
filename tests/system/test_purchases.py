"""Cost of a lost answer and of a clear, on a real scheduler."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from airflow_provider_videos.adapters.variables import can_be_listed
from airflow_provider_videos.emulator import Drop, Fault
from tests.names import since

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_videos.emulator import Emulator
    from demo.standalone import Airflow

pytestmark = pytest.mark.system

DAG_ID = "example_video_to_storage"


@pytest.mark.skipif(
    not can_be_listed(), reason="3.0 to 3.2: tasks can't list Variables, so there is no ledger"
)
def test_a_lost_answer_is_settled_by_the_retry(airflow: Airflow, emulator: Emulator, tmp_path: Path) -> None:
    emulator.record.clear()
    emulator.inject(Fault(Drop(accepted=True), operation="create"))
    run = airflow.rest.trigger(DAG_ID, {"prompt": "A boat of its own", "destination": f"{tmp_path}/"})
    assert run.wait() == "success"
    assert [run.xcom("create_video")] == [purchase.video_id for purchase in emulator.purchases]
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]


@pytest.mark.skipif(can_be_listed(), reason="there is a ledger")
def test_without_a_ledger_a_person_says_which_video_it_is(
    airflow: Airflow, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.record.clear()
    emulator.inject(Fault(Drop(accepted=True), operation="create"))
    run = airflow.rest.trigger(DAG_ID, {"prompt": "A boat of its own", "destination": f"{tmp_path}/"})
    assert run.wait() == "failed"
    log = json.dumps(run.log("create_video"))
    assert "keeps no ledger" in log
    (name,) = set(re.findall(r"Variable (videos_submission\.\w+)", log))
    (purchase,) = emulator.purchases

    # As the message says: write the id that is in the server's list, and clear the task.
    value = json.dumps({"video_id": purchase.video_id})
    airflow.rest.call("PATCH", f"/variables/{name}", json={"key": name, "value": value})
    run.clear("create_video", downstream=True)
    assert run.wait() == "success"
    assert run.xcom("create_video") == purchase.video_id
    assert len(emulator.purchases) == 1
    # Nothing is left of a task that has succeeded.
    assert airflow.rest.get("/variables")["variables"] == []


@since(3, 3, "the task state store")
def test_a_purchase_in_doubt_can_be_gone_on_with_by_a_person(airflow: Airflow, emulator: Emulator) -> None:
    emulator.record.clear()
    emulator.inject(Fault(Drop(accepted=True), operation="create"))
    run = airflow.rest.trigger("buying", {"prompt": "A very secret boat"})
    assert run.wait() == "failed"
    log = json.dumps(run.log("create_video"))
    assert "a video may have been bought at 20" in log
    assert "A very secret boat" not in log
    store = f"{run.path}/taskInstances/create_video/state-store"
    assert f"{store}/videos_submission?map_index=-1" in log
    intent = airflow.rest.get(store)
    assert "A very secret boat" not in json.dumps(intent)
    assert str(emulator.api_key) not in json.dumps(intent)

    # As the message says: write the id that is in the server's list, and clear the task.
    (purchase,) = emulator.purchases
    airflow.rest.call("PUT", f"{store}/videos_submission", json={"value": {"video_id": purchase.video_id}})
    run.clear("create_video")
    assert run.wait() == "success"
    assert run.xcom("create_video") == purchase.video_id
    assert len(emulator.purchases) == 1


def test_a_clear_of_create_buys_and_a_clear_of_anything_else_does_not(
    airflow: Airflow, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.record.clear()
    run = airflow.rest.trigger(DAG_ID, {"destination": f"{tmp_path}/"})
    assert run.wait() == "success"
    run.clear("delete_video")
    assert run.wait() == "success"
    assert len(emulator.purchases) == 1
    run.clear("create_video", downstream=True)
    assert run.wait() == "success"
    assert [purchase.operation for purchase in emulator.purchases] == ["create", "create"]
    assert run.xcom("create_video") == emulator.purchases[1].video_id
