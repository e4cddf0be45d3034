"""Deletion of a video that is waited for, on real processes: by a user who fails the task, nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.emulator import Fault, Stuck
from demo.rest import wait_until

if TYPE_CHECKING:
    from airflow_provider_videos.emulator import Emulator
    from demo.standalone import Airflow

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("task_id", "waiting"), [("deferred", "deferred"), ("poked", "running")])
def test_a_user_who_fails_the_task_gives_the_video_up(
    airflow: Airflow, emulator: Emulator, task_id: str, waiting: str
) -> None:
    emulator.record.clear()
    emulator.inject(Fault(Stuck(), times=None))
    with VideosClient(Endpoint(emulator.base_url, emulator.api_key)) as client:
        videos = {name: client.create("A boat").id for name in ("deferred", "poked")}
    path = f"/v1/videos/{videos[task_id]}"

    def asks():
        return sum(exchange.path == path for exchange in emulator.record.exchanges)

    run = airflow.rest.trigger("cancelling", videos)
    run.wait_for_state(task_id, waiting)

    # A clear takes over: the video is waited for again.
    run.clear(task_id)
    wait_until(lambda: run.task(task_id).try_number == 2, "the task to begin again")
    run.wait_for_state(task_id, waiting)
    # Airflow tells a trigger that has not begun nothing.
    asked = asks()
    wait_until(lambda: asks() > asked + 2, "the wait to ask")
    assert "delete" not in emulator.record.requests

    run.mark(task_id, "failed")
    wait_until(lambda: emulator.record.requests["delete"] == 1, "the video to be deleted")
    assert [seen.path for seen in emulator.record.exchanges if seen.method == "DELETE"] == [path]
    for task in run.tasks():
        if task.state not in {"success", "failed"}:
            run.mark(task.task_id, "success")
    run.wait()
    assert emulator.record.requests["delete"] == 1
