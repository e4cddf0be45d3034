"""VideoDownloadOperator, run by Airflow itself."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from datetime import timedelta

import fsspec
import pytest

from airflow_provider_videos.adapters.names import DAG, AirflowFailException, Asset, AssetAlias
from airflow_provider_videos.api.clock import Clock, use_clock
from airflow_provider_videos.api.errors import DeliveryError, NotFound
from airflow_provider_videos.emulator import Answer, Cut, Emulator, Expires, Fault, ManualClock, Stall
from airflow_provider_videos.hooks.videos import VideosHook
from airflow_provider_videos.operators.videos import VideoDownloadOperator
from tests.names import attach
from tests.system.object_storage import ObjectStorage

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture(autouse=True)
def _at_once():
    with use_clock(Clock(sleep=lambda _: None)):
        yield


@pytest.fixture
def download(run, completed):
    """Run the operator on a completed video."""

    def download(**options):
        return run(VideoDownloadOperator, **{"video_id": completed, "retries": 0, **options})

    download.errors = lambda: run.errors
    return download


def content(effect, **options):
    return Fault(effect, operation="content", **options)


class TestOne:
    @pytest.mark.parametrize("form", ["{folder}/boat.mp4", "file://{folder}/deep/boat.mp4", "{folder}/"])
    def test_the_file_is_there_whole(self, download, completed, tmp_path, form):
        ran = download(destination=form.format(folder=tmp_path))
        (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert ran.xcoms["return_value"] == {
            "video_id": completed,
            "variant": "video",
            "uri": file.as_uri(),
            "size_bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "content_type": "video/mp4",
        }
        assert file.suffix == ".mp4"

    def test_object_storage_of_any_kind_is_written_through_airflow_s_own(self, download, completed):
        attach("memory", fs=fsspec.filesystem("memory"))
        ran = download(destination="memory://films/today/")
        uri = f"memory://films/today/{completed}.mp4"
        assert ran.xcoms["return_value"]["uri"] == uri
        stored = fsspec.filesystem("memory").cat_file(f"/films/today/{completed}.mp4")
        assert hashlib.sha256(stored).hexdigest() == ran.xcoms["return_value"]["sha256"]

    @pytest.mark.parametrize(
        "effect", [Cut(after_bytes=2000), Answer(status=404), Answer(status=502), Answer(status=409)]
    )
    def test_a_stumble_costs_no_try(self, download, tmp_path, videos_emulator, effect):
        videos_emulator.inject(content(effect))
        assert download(destination=f"{tmp_path}/it.mp4").state == "success"
        assert len(videos_emulator.purchases) == 1

    @pytest.mark.parametrize("effect", [Answer(status=404), Answer(status=200, body="<html>")])
    def test_a_failed_download_leaves_nothing_behind_and_can_be_retried(
        self, download, tmp_path, videos_emulator, effect
    ):
        videos_emulator.inject(content(effect, times=None))
        download(destination=f"{tmp_path}/it.mp4")
        assert list(tmp_path.iterdir()) == []
        assert [type(error) for error in download.errors()] in ([NotFound], [DeliveryError])
        videos_emulator.clear_faults()
        assert download(destination=f"{tmp_path}/it.mp4").state == "success"
        assert len(videos_emulator.purchases) == 1

    def test_what_came_instead_of_a_video_is_quoted(self, download, tmp_path, videos_emulator):
        body = "<html><title>The video is no longer available.</title></html>"
        videos_emulator.inject(content(Answer(status=200, body=body)))
        download(destination=f"{tmp_path}/")
        assert "no longer available" in str(download.errors()[0])

    @pytest.mark.parametrize("destination", ["", "http://host/x", "s3://", "nowhere://bucket/x"])
    def test_a_destination_that_is_none_fails_for_good_before_anything_is_downloaded(
        self, download, videos_emulator, destination
    ):
        assert download(destination=destination, retries=3).state == "failed"
        assert "destination " in str(download.errors()[0])
        assert videos_emulator.record.requests["content"] == 0

    def test_time_left_is_in_the_log(self, download, tmp_path, capfd):
        download(destination=f"{tmp_path}/")
        assert "It can be downloaded until 20" in capfd.readouterr().out

    def test_an_expired_video_is_not_asked_for_again(self, run, connect_to, tmp_path):
        with Emulator(clock=ManualClock(time.time() - 90_000)) as emulator:
            connect_to(emulator)
            emulator.clock.per_request = 60
            emulator.inject(Fault(Expires(after=1)))
            video_id = VideosHook().create("A boat").id
            run(VideoDownloadOperator, video_id=video_id, destination=f"{tmp_path}/", retries=3)
            assert emulator.record.requests["content"] == 1
        assert type(run.errors[0]) is AirflowFailException
        assert "the file expired at 20" in str(run.errors[0])

    @pytest.mark.parametrize(
        "options", [{"min_bytes": 10**9}, {"max_bytes": 10}, {"expected_content_type": "video/webm"}], ids=str
    )
    def test_guards_hold(self, download, tmp_path, options):
        assert download(destination=f"{tmp_path}/", **options).state == "failed"
        assert list(tmp_path.iterdir()) == []

    def test_a_word_that_is_no_choice_is_refused_when_the_dag_is_parsed(self):
        with pytest.raises(ValueError, match="if_exists must be skip, overwrite or fail; got 'replace'"):
            VideoDownloadOperator(task_id="it", video_id="v", destination="/x", if_exists="replace")

    def test_another_way_to_verify_is_refused_when_the_dag_is_parsed(self):
        with pytest.raises(ValueError, match="verify must be None or 'decode'; got 'play'"):
            VideoDownloadOperator(task_id="it", video_id="v", destination="/x", verify="play")

    def test_a_video_that_can_be_decoded_is_delivered(self, download, tmp_path):
        assert download(destination=f"{tmp_path}/", verify="decode").state == "success"

    def test_one_that_cannot_leaves_nothing_behind(self, download, tmp_path, videos_emulator):
        videos_emulator.serve_bytes(100_000)
        assert download(destination=f"{tmp_path}/", verify="decode").state == "failed"
        assert "came whole, but it cannot be decoded" in str(download.errors()[0])
        assert list(tmp_path.iterdir()) == []

    def test_without_a_decoder_it_fails_for_good_before_anything_is_downloaded(
        self, download, tmp_path, videos_emulator, monkeypatch
    ):
        monkeypatch.setitem(sys.modules, "av", None)
        download(destination=f"{tmp_path}/", verify="decode", retries=3)
        assert type(download.errors()[0]) is AirflowFailException
        assert "airflow-provider-videos[emulator]" in str(download.errors()[0])
        assert videos_emulator.record.requests["content"] == 0

    def test_s3_takes_its_settings_from_an_amazon_connection(self, download, tmp_path, monkeypatch):
        with ObjectStorage(tmp_path / "storage", buckets=["films"]) as storage:
            key, secret = storage.client_env["AWS_ACCESS_KEY_ID"], storage.client_env["AWS_SECRET_ACCESS_KEY"]
            extra = f"endpoint_url={storage.endpoint.replace(':', '%3A').replace('/', '%2F')}"
            monkeypatch.setenv("AIRFLOW_CONN_MINE", f"aws://{key}:{secret}@/?{extra}&region_name=eu-west-1")
            ran = download(destination="s3://films/boat.mp4", aws_conn_id="mine")
            stored = (storage.root / "films/boat.mp4").read_bytes()
        assert hashlib.sha256(stored).hexdigest() == ran.xcoms["return_value"]["sha256"]


class TestAgain:
    def test_a_retry_after_a_finished_download_transfers_nothing(self, run_dag, completed, tmp_path):
        tries = []

        def die_once(context, result):
            tries.append(result)
            if len(tries) == 1:
                raise RuntimeError("the worker died here")

        with DAG("again", schedule=None) as dag:
            VideoDownloadOperator(
                task_id="it",
                post_execute=die_once,
                video_id=completed,
                destination=f"{tmp_path}/",
                retries=1,
                retry_delay=timedelta(0),
                if_exists="fail",
            )
        ran = run_dag(dag)["it"]
        (file,) = tmp_path.iterdir()
        assert (ran.state, len(tries)) == ("success", 2)
        assert ran.xcoms["return_value"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()

    def test_a_file_of_somebody_else_may_be_kept(self, download, tmp_path):
        (tmp_path / "it.mp4").write_bytes(b"old")
        assert download(destination=f"{tmp_path}/it.mp4", if_exists="fail").state == "failed"
        assert (tmp_path / "it.mp4").read_bytes() == b"old"
        assert download(destination=f"{tmp_path}/it.mp4", retries=3).state == "failed"
        assert type(download.errors()[-1]) is AirflowFailException
        assert (tmp_path / "it.mp4").read_bytes() == b"old"
        assert download(destination=f"{tmp_path}/it.mp4", if_exists="overwrite").state == "success"
        assert (tmp_path / "it.mp4").read_bytes() != b"old"


class TestSeveral:
    ALL = ("video", "thumbnail", "spritesheet")

    def test_each_is_delivered_in_one_task(self, download, completed, tmp_path):
        ran = download(destination=f"{tmp_path}/", variant=list(self.ALL))
        results = ran.xcoms["return_value"]
        assert [result["variant"] for result in results] == list(self.ALL)
        assert {path.as_uri() for path in tmp_path.iterdir()} == {result["uri"] for result in results}

    def test_one_the_server_lacks_is_left_out(self, download, tmp_path, videos_emulator, capfd):
        videos_emulator.inject(content(Answer(status=501), nth=2, times=None))
        ran = download(destination=f"{tmp_path}/", variant=list(self.ALL))
        assert ran.state == "success"
        assert [result["variant"] for result in ran.xcoms["return_value"]] == ["video"]
        assert "thumbnail is left out" in capfd.readouterr().out

    def test_a_stumble_at_the_second_is_no_lack(self, download, tmp_path, videos_emulator):
        videos_emulator.inject(content(Answer(status=500), nth=2))
        assert (
            len(download(destination=f"{tmp_path}/", variant=["video", "thumbnail"]).xcoms["return_value"])
            == 2
        )

    @pytest.mark.parametrize("options", [{"require_all": True}, {"variant": ["thumbnail", "spritesheet"]}])
    def test_too_few_are_an_error(self, download, tmp_path, videos_emulator, options):
        videos_emulator.serve_bytes(100)  # the video, whatever it is asked for
        ran = download(**{"destination": f"{tmp_path}/", "variant": list(self.ALL), **options})
        assert ran.state == "failed"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"variant": ["video", "thumbnail"], "destination": "/films/it.mp4"}, "needs a folder"),
            ({"variant": [], "destination": "/films/"}, "variant must be a name"),
            ({"variant": "", "destination": "/films/"}, "variant must be a name"),
        ],
    )
    def test_what_cannot_be_meant_is_named(self, download, options, message):
        download(**options)
        assert message in str(download.errors()[0])


class TestAssets:
    def test_an_outlet_s_event_says_what_was_delivered(self, download, completed, tmp_path, events):
        film = Asset("videos://films/boat")
        ran = download(destination=f"{tmp_path}/", outlets=[film])
        (event,) = events(film.uri)
        assert event == {**ran.xcoms["return_value"], "model": "emulated-1", "seconds": "4"}

    def test_an_alias_becomes_the_file(self, download, completed, tmp_path, events):
        ran = download(
            destination=f"{tmp_path}/", variant=["video", "thumbnail"], outlets=[AssetAlias("films")]
        )
        for result in ran.xcoms["return_value"]:
            (event,) = events(result["uri"])
            assert event == {**result, "model": "emulated-1", "seconds": "4"}


@pytest.fixture
def events(_database):
    """The extras of an asset's events."""

    def events(uri):
        from airflow.models.asset import AssetEvent, AssetModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            found = select(AssetEvent).join(AssetModel, AssetEvent.asset_id == AssetModel.id)
            return [event.extra for event in session.scalars(found.where(AssetModel.uri == uri))]

    return events


class Memory(dict):
    """Values that Airflow keeps for a task."""

    def set(self, key, value, retention=None):
        self[key] = value


def test_a_kill_ends_a_download_at_once_and_leaves_nothing(completed, tmp_path, videos_emulator):
    """As Airflow's task runner does it: a signal's handler calls ``on_kill``, and ``execute`` would go on."""
    videos_emulator.serve_bytes(50_000_000)
    videos_emulator.inject(content(Stall(after_bytes=20_000_000)))
    with DAG("killed", schedule=None):
        task = VideoDownloadOperator(task_id="it", video_id=completed, destination=f"{tmp_path}/it.mp4")

    def strike():
        while not [path for path in tmp_path.iterdir() if path.stat().st_size > 1_000_000]:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    try:
        threading.Thread(target=strike, daemon=True).start()
        with pytest.raises(DeliveryError, match="was killed"):
            task.execute({"task_state_store": Memory()})
    finally:
        signal.signal(signal.SIGTERM, before)
    assert list(tmp_path.iterdir()) == []
    task.on_kill()  # after the end it is nobody's business
