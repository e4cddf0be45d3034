"""Every example DAG, run in one process; the system tests run them on a real scheduler."""

from __future__ import annotations

from importlib import import_module

import av
import pytest


@pytest.fixture
def run(videos_emulator, connect_to, tmp_path):
    """Run an example and return the files it delivered."""

    def run(name, **conf):
        connect_to(videos_emulator)
        videos_emulator.clock.per_request = 3
        ran = import_module(name).dag.test(run_conf={"destination": f"{tmp_path}/", **conf})
        assert ran.state == "success"
        return list(tmp_path.iterdir())

    return run


def seconds(path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base


def test_from_a_prompt_to_a_file(run):
    (film,) = run("example_video_to_storage", prompt="A boat", seconds="8")
    assert seconds(film) == pytest.approx(8, abs=0.1)


def test_a_clip_is_extended(run, videos_emulator):
    (film,) = run("example_extend_clip")
    assert seconds(film) == pytest.approx(8, abs=0.1)
    assert [purchase.operation for purchase in videos_emulator.purchases] == ["create", "extend"]


def test_a_clip_is_edited_in_several_ways(run, videos_emulator):
    films = run("example_edit_clips", changes=["It snows", "It rains", "It burns"])
    assert len(films) == 3
    assert [purchase.operation for purchase in videos_emulator.purchases] == ["create", *["edit"] * 3]


def test_a_video_and_its_thumbnail_become_assets(run):
    assert {film.suffix for film in run("example_video_asset")} == {".mp4", ".webp"}
