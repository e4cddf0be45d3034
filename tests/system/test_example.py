"""The example DAG on a real scheduler and a real triggerer."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING, Any

import av
import pytest

from demo.standalone import airflow_command

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_videos.emulator import Emulator
    from demo.rest import Run
    from demo.standalone import Airflow
    from tests.system.object_storage import ObjectStorage

pytestmark = pytest.mark.system

DAG_ID = "example_video_to_storage"
TASKS = ["create_video", "wait_for_video", "download_video", "delete_video"]
LEFT = {
    ("create_video", "return_value"),
    ("create_video", "video"),
    ("wait_for_video", "return_value"),
    ("wait_for_video", "video"),
    ("download_video", "return_value"),
    ("delete_video", "return_value"),
}


def conf(destination: object, prompt: str = "A paper boat on a quiet lake") -> dict[str, str]:
    return {"prompt": prompt, "size": "1280x720", "seconds": "4", "destination": str(destination)}


def xcoms(run: Run) -> dict[tuple[str, str], Any]:
    """Everything the run has left, by task and key."""
    return {(task, key): run.xcom(task, key) for task in TASKS for key in run.xcom_keys(task)}


def shape(value: Any) -> Any:
    """What a value is made of, without what differs from run to run."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value)


def text(log: list[dict[str, Any]]) -> str:
    return json.dumps(log)


def airflow_cli(airflow: Airflow, *arguments: str) -> str:
    command = [*airflow_command(), *arguments]
    ended = subprocess.run(
        command, env=airflow.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def delivered(
    airflow: Airflow, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path]:
    """A finished run that delivered a rendered video to a local file."""
    emulator.record.clear()
    destination = tmp_path_factory.mktemp("delivered") / "boat.mp4"
    run = airflow.rest.trigger(DAG_ID, conf(destination))
    states = [(change.task.task_id, change.task.state) for change in run.watch()]
    assert run.state() == "success", states
    assert ("wait_for_video", "deferred") in states
    return run, destination


def test_the_video_that_was_bought_is_delivered(delivered: tuple[Run, Path]) -> None:
    _, destination = delivered
    with av.open(str(destination)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 1280, 720)
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(4, abs=0.5)


def test_each_task_leaves_what_the_next_ones_need(delivered: tuple[Run, Path], emulator: Emulator) -> None:
    run, destination = delivered
    (purchase,) = [bought for bought in emulator.purchases if bought.video_id == run.xcom("create_video")]
    video_id, content = purchase.video_id, destination.read_bytes()
    assert run.xcom("wait_for_video") == video_id
    assert run.xcom("create_video", "video")["id"] == video_id
    assert run.xcom("wait_for_video", "video")["status"] == "completed"
    assert run.xcom("download_video") == {
        "video_id": video_id,
        "variant": "video",
        "uri": run.xcom("download_video")["uri"],
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "video/mp4",
    }
    assert run.xcom("download_video")["uri"].endswith(str(destination))
    assert run.xcom("delete_video") == {"video_id": video_id, "deleted": True}


def test_a_run_buys_once_and_deletes_what_it_bought(delivered: tuple[Run, Path], emulator: Emulator) -> None:
    run, _ = delivered
    path = f"/v1/videos/{run.xcom('create_video')}"
    deletes = [call for call in emulator.record.exchanges if (call.operation, call.path) == ("delete", path)]
    assert len(emulator.purchases) == 1
    assert [call.status for call in deletes] == [200]


@pytest.mark.usefixtures("delivered")
def test_no_log_holds_the_key(airflow: Airflow, emulator: Emulator) -> None:
    assert emulator.api_key
    logs = [file for file in airflow.home.rglob("*.log") if file.is_file()]
    assert logs
    assert [file for file in logs if emulator.api_key in file.read_text(errors="replace")] == []


def test_object_storage_receives_the_very_bytes(
    airflow: Airflow, emulator: Emulator, object_storage: ObjectStorage
) -> None:
    served = emulator.serve_bytes(30 * 2**20 + 12345)
    run = airflow.rest.trigger(DAG_ID, conf("s3://videos/boats/paper.mp4"))
    assert run.wait() == "success"
    stored = (object_storage.root / "videos" / "boats" / "paper.mp4").read_bytes()
    expected = b"".join(served.chunks(0, served.size))
    assert stored == expected
    receipt = run.xcom("download_video")
    assert receipt["uri"] == "s3://videos/boats/paper.mp4"
    assert receipt["sha256"] == hashlib.sha256(expected).hexdigest()


def test_dags_test_leaves_the_same_values_as_a_real_run(
    delivered: tuple[Run, Path], airflow: Airflow, tmp_path: Path
) -> None:
    real, _ = delivered
    # The scheduler would take a part in the run of an unpaused DAG.
    airflow.rest.call("PATCH", f"/dags/{DAG_ID}", json={"is_paused": True})
    airflow_cli(airflow, "dags", "test", DAG_ID, "--conf", json.dumps(conf(tmp_path / "boat.mp4")))
    inline = airflow.rest.latest_run(DAG_ID)
    assert inline.run_id != real.run_id
    assert inline.state() == "success"
    assert set(xcoms(real)) == LEFT
    assert shape(xcoms(inline)) == shape(xcoms(real))
    assert (tmp_path / "boat.mp4").stat().st_size > 0


def test_a_job_that_fails_fails_the_wait_at_once(airflow: Airflow, tmp_path: Path) -> None:
    destination = tmp_path / "boat.mp4"
    run = airflow.rest.trigger(DAG_ID, conf(destination, prompt="A paper boat [fail]"))
    assert run.wait() == "failed"
    wait = run.task("wait_for_video")
    assert (wait.state, wait.try_number) == ("failed", 1)
    log = text(run.log("wait_for_video"))
    assert "server_error" in log
    assert "The video could not be generated." in log
    assert run.task("download_video").state == "upstream_failed"
    assert [*tmp_path.iterdir()] == []


def test_airflow_lists_the_provider_and_its_connection_type(airflow: Airflow) -> None:
    listed = json.loads(airflow_cli(airflow, "providers", "list", "-o", "json"))
    hooks = json.loads(airflow_cli(airflow, "providers", "hooks", "-o", "json"))
    assert "airflow-provider-videos" in [provider["package_name"] for provider in listed]
    assert "videos" in [hook["connection_type"] for hook in hooks]


def seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


def test_a_clip_is_extended(airflow: Airflow, emulator: Emulator, tmp_path: Path) -> None:
    emulator.record.clear()
    run = airflow.rest.trigger("example_extend_video", {"destination": f"{tmp_path}/"})
    assert run.wait() == "success"
    (film,) = tmp_path.iterdir()
    assert seconds(film) == pytest.approx(8, abs=0.1)
    assert [purchase.operation for purchase in emulator.purchases] == ["create", "extend"]


def test_a_clip_is_edited_once_for_each_change(airflow: Airflow, emulator: Emulator, tmp_path: Path) -> None:
    emulator.record.clear()
    run = airflow.rest.trigger(
        "example_edit_video", {"destination": f"{tmp_path}/", "changes": ["It snows", "It rains"]}
    )
    assert run.wait() == "success"
    assert sorted(run.xcom("version.download_version", "return_value", n)["uri"] for n in range(2)) == sorted(
        path.as_uri() for path in tmp_path.iterdir()
    )
    assert [purchase.operation for purchase in emulator.purchases] == ["create", "edit", "edit"]
