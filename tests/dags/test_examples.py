"""Every example DAG, run in one process; the system tests run them on a real scheduler."""

from __future__ import annotations

from importlib import import_module

import av
import pytest

from airflow_provider_videos.emulator import Answer, Failed, Fault, Moderated


@pytest.fixture
def run(videos_emulator, connection, tmp_path):
    """Run an example and return the files it delivered."""

    def run(name, state="success", **conf):
        videos_emulator.clock.per_request = 3
        ran = import_module(name).dag.test(run_conf={"destination": f"{tmp_path}/", **conf})
        assert ran.state == state
        return list(tmp_path.iterdir())

    return run


def seconds(path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


def test_from_a_prompt_to_a_file(run):
    (file,) = run("example_video_to_storage", prompt="A boat", seconds="8")
    assert seconds(file) == pytest.approx(8, abs=0.1)


def test_a_video_is_extended(run, videos_emulator):
    (file,) = run("example_extend_video")
    assert seconds(file) == pytest.approx(8, abs=0.1)
    assert [purchase.operation for purchase in videos_emulator.purchases] == ["create", "extend"]


def test_a_video_is_edited_in_several_ways(run, videos_emulator):
    versions = run("example_edit_video", changes=["It snows", "It rains", "It burns"])
    assert len(versions) == 3
    assert [purchase.operation for purchase in videos_emulator.purchases] == ["create", *["edit"] * 3]


def test_a_video_and_its_thumbnail_become_assets(run):
    assert {file.suffix for file in run("example_video_asset")} == {".mp4", ".webp"}


class TestMakeAgain:
    NAME = "example_make_again"

    def test_a_job_that_failed_is_made_again(self, run, videos_emulator):
        videos_emulator.inject(Fault(Failed(code="out_of_memory", message="CUDA out of memory")))
        assert len(run(self.NAME)) == 1
        assert len(videos_emulator.purchases) == 2

    def test_one_that_did_not_fail_is_not(self, run, videos_emulator):
        assert len(run(self.NAME, purchases=3)) == 1
        assert len(videos_emulator.purchases) == 1

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_no_more_is_bought_than_may_be(self, run, videos_emulator, most):
        videos_emulator.inject(Fault(Failed(code="out_of_memory"), times=None))
        assert run(self.NAME, state="failed", purchases=most) == []
        assert len(videos_emulator.purchases) == most

    def test_what_the_server_refuses_to_show_is_not_made_again(self, run, videos_emulator):
        videos_emulator.inject(Fault(Moderated(), times=None))
        assert run(self.NAME, state="failed", purchases=3) == []
        assert len(videos_emulator.purchases) == 1

    def test_a_purchase_in_doubt_is_not_made_again(self, run, videos_emulator, connect_to):
        connect_to(videos_emulator, timeout={"total": 0.2})
        videos_emulator.inject(
            Fault(Answer(status=500, accepted=True), operation="create"),
            Fault(Answer(status=500), operation="list", times=None),
        )
        assert run(self.NAME, state="failed", purchases=3) == []
        assert len(videos_emulator.purchases) == videos_emulator.record.requests["create"] == 1
