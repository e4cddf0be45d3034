"""One DAG file, ten servers: nothing changes but the connection."""

from __future__ import annotations

from dataclasses import replace

import av
import pytest
from example_video_to_storage import dag

from airflow_provider_videos.emulator import PROFILES, Answer, Fault

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
    assert states.pop("delete_video") == ("skipped" if name in CANNOT_DELETE else "success")
    assert set(states.values()) == {"success"}
    assert len(videos_emulator.purchases) == 1
    (file,) = tmp_path.iterdir()
    assert file.suffix == (".avi" if name in AVI else ".mp4")
    with av.open(str(file)) as container:
        assert container.streams.video[0].frames or container.duration


@pytest.mark.parametrize(
    "videos_emulator",
    [
        replace(PROFILES["openai"], content=content, result_in="videos")
        for content in ("nowhere", "elsewhere")
    ],
    indirect=True,
    ids=["named by the job", "redirected"],
)
def test_a_signed_address_is_followed_and_shown_nowhere(
    videos_emulator, connect_to, tmp_path, run_dag, capfd
):
    connect_to(videos_emulator)
    videos_emulator.clock.per_request = 10
    ran = run_dag(dag, prompt="A boat", destination=f"{tmp_path}/boat.mp4")
    assert {task.state for task in ran.values()} == {"success"}
    assert videos_emulator.record.requests["file"] == 1
    assert (tmp_path / "boat.mp4").exists()
    told = "".join(capfd.readouterr()) + str([task.xcoms for task in ran.values()])
    assert "boat.mp4" in told
    assert "signature" not in told


@pytest.mark.parametrize(
    "videos_emulator", [replace(PROFILES["openai"], content="nowhere", result_in="url")], indirect=True
)
def test_a_signed_address_that_has_expired_is_not_in_the_error(
    videos_emulator, connect_to, tmp_path, run_dag, capfd
):
    connect_to(videos_emulator)
    videos_emulator.clock.per_request = 10
    videos_emulator.inject(Fault(Answer(status=403, body="expired"), operation="file", times=None))
    ran = run_dag(dag, prompt="A boat", destination=f"{tmp_path}/boat.mp4")
    assert ran["download_video"].state in {"failed", "up_for_retry"}
    told = "".join(capfd.readouterr())
    assert "may have expired" in told
    assert "signature" not in told
