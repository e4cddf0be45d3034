"""One DAG file, ten servers: nothing changes but the connection."""

from __future__ import annotations

import av
import pytest
from example_video_to_storage import dag

from airflow_provider_videos.emulator import PROFILES

AVI = {"qvac", "tensorrt-llm"}
CANNOT_DELETE = {"litellm", "new-api", "llm-gateway"}


@pytest.mark.parametrize("videos_emulator", PROFILES, indirect=True)
def test_the_same_dag_passes_on_every_server(videos_emulator, connect_to, tmp_path):
    name = videos_emulator.profile.name
    connect_to(videos_emulator)
    videos_emulator.clock.per_request = 10

    run = dag.test(run_conf={"prompt": "A boat", "destination": f"{tmp_path}/"})

    assert run.state == "success"
    states = {task.task_id: task.state for task in run.get_task_instances()}
    assert states == dict.fromkeys(("create_video", "wait_for_video", "download_video"), "success") | {
        "delete_video": "skipped" if name in CANNOT_DELETE else "success"
    }
    assert len(videos_emulator.purchases) == 1
    (film,) = tmp_path.iterdir()
    assert film.suffix == (".avi" if name in AVI else ".mp4")
    with av.open(str(film)) as container:
        assert container.streams.video[0].frames or container.duration
