"""The operators, run by Airflow itself."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from typing import ClassVar

import fsspec
import pytest
from PIL import Image

from airflow_provider_videos.adapters.names import DAG, AirflowFailException, RetryDecision, task, task_group
from airflow_provider_videos.adapters.variables import can_be_listed
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.errors import Busy, NotSupported, ServerFault
from airflow_provider_videos.emulator import Answer, Drop, Emulator, Fault, Latency
from airflow_provider_videos.operators.videos import (
    ServerPacedRetryPolicy,
    VideoCreateOperator,
    VideoDeleteOperator,
    VideoDownloadOperator,
    VideoEditOperator,
    VideoExtendOperator,
    VideoListOperator,
    VideoRemixOperator,
)
from airflow_provider_videos.sensors.videos import VideoSensor
from tests.names import attach, since

pytestmark = pytest.mark.usefixtures("connection")


class Impatient(ServerPacedRetryPolicy):
    """Decides as the policy does, and then does not wait."""

    def __init__(self):
        self.asked = []

    def evaluate(self, *args, **kwargs):
        decision = super().evaluate(*args, **kwargs)
        self.asked.append(decision.retry_delay)
        return RetryDecision.retry(delay=timedelta(0))


class TestCreate:
    def test_it_returns_the_id_and_pushes_the_video(self, run, videos_emulator):
        ran = run(VideoCreateOperator, prompt="A boat", model="emulated-1", seconds=8, size="1280x720")
        (purchase,) = videos_emulator.purchases
        assert ran.state == "success"
        assert ran.xcoms["return_value"] == purchase.video_id
        assert set(ran.xcoms) == {"return_value", "video"}
        video = ran.xcoms["video"]
        assert (video["id"], video["seconds"], video["size"]) == (purchase.video_id, "8", "1280x720")
        assert "object" not in video

    def test_all_fields_are_templated(self, run, videos_emulator):
        run(
            VideoCreateOperator,
            params={"what": "boat", "seconds": "12", "size": "720x1280"},
            prompt="A {{ params.what }}",
            seconds="{{ params.seconds }}",
            size="{{ params.size }}",
            model="{{ '' }}",
            extra_body={"seed": "{{ 3 + 4 }}"},
        )
        fields = videos_emulator.purchases[0].fields
        assert (fields["prompt"], fields["seconds"], fields["size"]) == ("A boat", "12", "720x1280")
        assert fields["seed"] == "7"
        assert "model" not in fields

    @pytest.mark.parametrize("form", ["{path}", "file://{path}"])
    def test_a_reference_image_comes_from_a_path_or_a_uri(self, run, videos_emulator, tmp_path, form):
        path = tmp_path / "first.png"
        Image.new("RGB", (1280, 720), "teal").save(path)
        ran = run(
            VideoCreateOperator, prompt="A boat", size="1280x720", input_reference=form.format(path=path)
        )
        assert ran.state == "success"
        assert "image/png" in str(videos_emulator.purchases[0].fields["input_reference"])

    def test_a_reference_image_comes_from_object_storage(self, run, videos_emulator):
        file = io.BytesIO()
        Image.new("RGB", (1280, 720), "teal").save(file, "WEBP")
        attach("memory", fs=fsspec.filesystem("memory")).fs.pipe("/frames/first.webp", file.getvalue())
        reference = "memory://frames/first.webp"
        ran = run(VideoCreateOperator, prompt="A boat", size="1280x720", input_reference=reference)
        assert ran.state == "success"
        assert "image/webp" in str(videos_emulator.purchases[0].fields["input_reference"])

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"prompt": " "}, "prompt"),
            ({"prompt": "A boat", "input_reference": "/nowhere/first.png"}, "/nowhere/first.png"),
            ({"prompt": "A boat", "input_reference": __file__}, "JPEG, PNG or WebP"),
        ],
    )
    def test_bad_input_fails_at_once_and_buys_nothing(self, run, videos_emulator, fields, words):
        assert run(VideoCreateOperator, **fields).state == "failed"
        assert words in str(run.errors[0])
        assert type(run.errors[0]) is AirflowFailException
        assert videos_emulator.record.connections == 0

    @pytest.mark.parametrize("effect", [Drop(accepted=True), Answer(status=500, accepted=True)])
    def test_a_lost_answer_is_not_bought_again_by_a_retry(self, run, videos_emulator, effect):
        videos_emulator.inject(Fault(effect, operation="create"))
        assert run(VideoCreateOperator, prompt="A boat", retries=3, on_unknown="fail").state == "failed"
        assert type(run.errors[0]) is AirflowFailException
        assert "may have been bought" in str(run.errors[0])
        assert len(videos_emulator.purchases) == videos_emulator.record.requests["create"] == 1

    def test_without_a_record_a_lost_answer_is_never_retried(self, run, videos_emulator):
        videos_emulator.inject(Fault(Drop(accepted=True), operation="create"))
        assert run(VideoCreateOperator, prompt="A boat", retries=3, durable=False).state == "failed"
        assert type(run.errors[0]) is AirflowFailException
        assert videos_emulator.record.requests["create"] == 1

    def test_a_retry_takes_up_what_the_first_try_bought(self, run, videos_emulator):
        class FailsOnce(VideoCreateOperator):
            tries: ClassVar[list[str]] = []

            def execute(self, context):
                self.tries.append(super().execute(context))
                if len(self.tries) == 1:
                    raise RuntimeError("the worker is gone")
                return self.tries[-1]

        ran = run(FailsOnce, prompt="A boat")
        assert ran.state == "success"
        assert len(videos_emulator.purchases) == 1
        assert FailsOnce.tries == [ran.xcoms["return_value"]] * 2
        assert ran.xcoms["video"]["id"] == ran.xcoms["return_value"]

    def test_a_retry_asks_the_server_nothing(self, run, videos_emulator):
        class FailsOnce(VideoCreateOperator):
            tries: ClassVar[list[str]] = []

            def execute(self, context):
                self.tries.append(super().execute(context))
                videos_emulator.restart()
                if len(self.tries) == 1:
                    raise RuntimeError("the worker is gone")
                return self.tries[-1]

        ran = run(FailsOnce, prompt="A boat", model="emulated-1")
        assert ran.state == "success"
        assert videos_emulator.record.requests == {
            "list": 1,
            "create": 1,
        }  # the list once, before the purchase
        assert ran.xcoms["video"]["model"] == "emulated-1"

    def test_a_task_that_runs_out_of_time_in_the_purchase_buys_once(self, run, videos_emulator):
        videos_emulator.inject(Fault(Latency(seconds=1.5), operation="create"))
        ran = run(
            VideoCreateOperator,
            prompt="A boat",
            execution_timeout=timedelta(seconds=0.5),
            on_unknown="fail",
        )
        assert ran.state == "failed"
        assert "may have been bought" in str(run.errors[-1])
        assert videos_emulator.record.requests["create"] == 1

    def test_a_retry_whose_reference_is_gone_takes_up_what_was_bought(self, run, videos_emulator, tmp_path):
        path = tmp_path / "first.png"
        Image.new("RGB", (1280, 720), "teal").save(path)

        class FailsOnce(VideoCreateOperator):
            tries = 0

            def execute(self, context):
                bought = super().execute(context)
                path.unlink(missing_ok=True)
                FailsOnce.tries += 1
                if FailsOnce.tries == 1:
                    raise RuntimeError("the worker is gone")
                return bought

        ran = run(FailsOnce, prompt="A boat", size="1280x720", input_reference=str(path))
        assert ran.state == "success"
        assert [ran.xcoms["return_value"]] == [purchase.video_id for purchase in videos_emulator.purchases]

    @since(3, 3, "retry policies")
    @pytest.mark.parametrize("chosen", [None, Impatient()])
    def test_a_retry_policy_is_ours_unless_there_is_another(self, chosen):
        with DAG("policies", schedule=None, default_args={"retry_policy": chosen} if chosen else {}):
            plain = VideoCreateOperator(task_id="plain", prompt="A boat")
            mapped = VideoCreateOperator.partial(task_id="mapped").expand(prompt=["A boat"])
        for policy in (plain.retry_policy, mapped.unmap({"prompt": "A boat"}).retry_policy):
            assert policy is chosen if chosen else isinstance(policy, ServerPacedRetryPolicy)

    def test_what_the_server_refuses_is_asked_for_once(self, run, videos_emulator):
        assert run(VideoCreateOperator, prompt="A boat", size="1x1", retries=3).state == "failed"
        assert type(run.errors[0]) is AirflowFailException
        assert "size" in str(run.errors[0])
        assert videos_emulator.record.requests["create"] == 1

    def test_whoever_says_so_buys_again_in_doubt(self, run, videos_emulator):
        videos_emulator.inject(Fault(Drop(accepted=True), operation="create"))
        assert run(VideoCreateOperator, prompt="A boat", on_unknown="resubmit").state == "success"
        assert len(videos_emulator.purchases) == 2

    @pytest.mark.parametrize(
        ("parameter", "choices"),
        [("on_unknown", "adopt, fail or resubmit"), ("on_changed", "fail or resubmit")],
    )
    def test_a_choice_that_is_none_is_refused_when_the_dag_is_parsed(self, parameter, choices):
        with pytest.raises(ValueError, match=f"{parameter} must be {choices}"):
            VideoCreateOperator(task_id="it", prompt="A boat", **{parameter: "maybe"})

    def test_a_server_that_asks_for_a_long_wait_is_named_with_its_wait(self, run, videos_emulator):
        videos_emulator.inject(
            Fault(Answer(status=429, headers={"Retry-After": "900"}), operation="create", times=None)
        )
        assert run(VideoCreateOperator, prompt="A boat", retries=0).state == "failed"
        assert type(run.errors[0]) is Busy
        assert run.errors[0].retry_after == 900

    @since(3, 3, "retry policies")
    @pytest.mark.parametrize(
        ("error", "delay"),
        [
            (Busy("not now", retry_after=900), timedelta(minutes=15)),
            (Busy("not now", retry_after=10**9), timedelta(days=1)),
            (Busy("not now"), None),
            (ServerFault("oops"), None),
            (RuntimeError("oops"), None),
        ],
    )
    def test_a_retry_waits_as_long_as_the_server_asked(self, error, delay):
        from airflow.sdk import RetryAction

        decision = VideoCreateOperator(task_id="it", prompt="A boat").retry_policy.evaluate(error, 1, 3)
        assert decision.retry_delay == delay
        assert decision.action is (RetryAction.DEFAULT if delay is None else RetryAction.RETRY)

    @since(3, 3, "retry policies")
    def test_airflow_takes_the_server_s_word_for_the_delay(self, run, videos_emulator):
        headers = {"Retry-After": "33"}  # longer than a call may wait
        videos_emulator.inject(Fault(Answer(status=429, headers=headers), operation="create"))
        policy = Impatient()
        assert run(VideoCreateOperator, prompt="A boat", retry_policy=policy).state == "success"
        assert policy.asked == [timedelta(seconds=33)]
        assert videos_emulator.record.requests["create"] == 2


def test_remix_returns_the_new_id(run, videos_emulator, completed):
    ran = run(VideoRemixOperator, video_id=completed, prompt="The boat is red")
    assert ran.xcoms["return_value"] == videos_emulator.purchases[-1].video_id != completed
    assert ran.xcoms["video"]["remixed_from_video_id"] == completed


@pytest.fixture
def clip(completed, endpoint, tmp_path):
    """A real video file."""
    path = tmp_path / "clip.mp4"
    with VideosClient(endpoint) as client, client.download_content(completed) as content:
        path.write_bytes(b"".join(content.chunks))
    return path


class TestEditAndExtend:
    def test_edit_starts_from_a_video_of_the_server(self, run, videos_emulator, completed):
        ran = run(VideoEditOperator, video_id=completed, prompt="The boat is red")
        purchase = videos_emulator.purchases[-1]
        assert ran.xcoms["return_value"] == purchase.video_id
        assert purchase.operation == "edit"
        assert purchase.fields == {"prompt": "The boat is red", "video": {"id": completed}}

    def test_extend_returns_the_total_length(self, run, videos_emulator, completed):
        ran = run(VideoExtendOperator, video_id=completed, prompt="It sails on", seconds=8)
        assert videos_emulator.purchases[-1].operation == "extend"
        assert ran.xcoms["video"]["seconds"] == "12"

    @pytest.mark.parametrize("form", ["{path}", "file://{path}"])
    @pytest.mark.parametrize(
        ("operator", "options"), [(VideoEditOperator, {}), (VideoExtendOperator, {"seconds": "4"})]
    )
    def test_either_starts_from_a_file(self, run, videos_emulator, clip, form, operator, options):
        ran = run(operator, video=form.format(path=clip), prompt="The boat is red", **options)
        assert ran.state == "success"
        sent = videos_emulator.purchases[-1].fields["video"]
        assert sent["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
        assert sent["content_type"] == "video/mp4"

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ({}, "either video_id"),
            ({"video_id": "v", "video": "/clip.mp4"}, "either video_id"),
            ({"video": "/nowhere/clip.mp4"}, "/nowhere/clip.mp4"),
            ({"video": __file__}, "MP4, WebM or AVI"),
        ],
    )
    def test_a_source_that_is_none_fails_before_anything_is_sent(self, run, videos_emulator, source, words):
        assert run(VideoEditOperator, prompt="Red", **source).state == "failed"
        assert words in str(run.errors[0])
        assert videos_emulator.record.connections == 0

    def test_a_lost_answer_is_not_bought_again(self, run, videos_emulator, completed):
        videos_emulator.inject(Fault(Drop(accepted=True), operation="extend"))
        ran = run(VideoExtendOperator, video_id=completed, prompt="On", seconds=4, retries=2)
        if can_be_listed():
            assert ran.xcoms["return_value"] == videos_emulator.purchases[1].video_id
        else:
            assert "keeps no ledger" in str(run.errors[-1])
        assert [purchase.operation for purchase in videos_emulator.purchases] == ["create", "extend"]


class TestList:
    @pytest.fixture
    def shelf(self, endpoint, videos_emulator):
        """Four videos: old and completed, old and failed, new and completed, new and of another model."""
        with VideosClient(endpoint) as client:
            videos_emulator.clock.advance(-7200)
            old = client.create("Old", model="emulated-1").id
            failed = client.create("Old [fail]", model="emulated-1").id
            videos_emulator.clock.advance(7100)
            new = client.create("New", model="emulated-1").id
            other = client.create("New", model="emulated-1-pro").id
            videos_emulator.clock.advance(100)
        return {old: "old", failed: "failed", new: "new", other: "other"}

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            ({}, "other new failed old"),
            ({"order": "asc"}, "old failed new other"),
            ({"status": "completed"}, "other new old"),
            ({"status": "{{ 'succeeded' }}"}, "other new old"),
            ({"status": ["failed", "cancelled"]}, "failed"),
            ({"model": "emulated-1-pro"}, "other"),
            ({"older_than": timedelta(hours=1)}, "failed old"),
            ({"newer_than": 3600}, "other new"),
            ({"older_than": 50, "newer_than": 3600, "model": "emulated-1"}, "new"),
            ({"max_videos": 2}, "other new"),
            ({"status": "queued"}, ""),
        ],
    )
    def test_it_returns_what_was_asked_for(self, run, shelf, options, found):
        ran = run(VideoListOperator, **options)
        videos = ran.xcoms.get("return_value", [])
        assert [shelf[video["id"]] for video in videos] == found.split()
        assert all("object" not in video for video in videos)

    def test_a_word_no_server_uses_is_refused(self, run):
        run(VideoListOperator, status="finnished", retries=0)
        assert "finnished" in str(run.errors[0])

    def test_it_feeds_mapped_tasks(self, run_dag, shelf, videos_emulator):
        with DAG("tidy", schedule=None) as dag:
            found = VideoListOperator(task_id="list", status="failed")
            VideoDeleteOperator.partial(task_id="delete").expand(
                video_id=found.output.map(lambda video: video["id"])
            )
        ran = run_dag(dag)
        (failed,) = [video_id for video_id, name in shelf.items() if name == "failed"]
        assert ran["delete[0]"].xcoms["return_value"] == {"video_id": failed, "deleted": True}
        assert "delete[1]" not in ran


class TestDelete:
    def test_a_video_is_deleted(self, run, completed):
        ran = run(VideoDeleteOperator, video_id=completed)
        assert ran.xcoms["return_value"] == {"video_id": completed, "deleted": True}

    def test_one_that_is_gone_is_a_success_that_says_so(self, run, capfd):
        ran = run(VideoDeleteOperator, video_id="video_gone")
        assert ran.state == "success"
        assert ran.xcoms["return_value"] == {"video_id": "video_gone", "deleted": False}
        assert "was already gone" in capfd.readouterr().out

    def test_a_server_that_cannot_is_named(self, run, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=405), operation="delete", times=None))
        assert run(VideoDeleteOperator, video_id="v").state == "failed"
        assert type(run.errors[0].__cause__) is NotSupported
        assert videos_emulator.record.requests["delete"] == 1

    def test_a_server_that_cannot_may_be_passed_over(self, run, videos_emulator, capfd):
        videos_emulator.inject(Fault(Answer(status=405), operation="delete", times=None))
        assert run(VideoDeleteOperator, video_id="v", on_unsupported="skip").state == "skipped"
        assert "does not support delete" in capfd.readouterr().out

    def test_what_to_do_on_such_a_server_is_one_of_two_words(self):
        with pytest.raises(ValueError, match="on_unsupported must be fail or skip"):
            VideoDeleteOperator(task_id="t", video_id="v", on_unsupported="resubmit")


def test_operators_map_and_name_their_maps(run_dag, videos_emulator):
    with DAG("mapped", schedule=None) as dag:
        VideoCreateOperator.partial(
            task_id="create", seconds="4", map_index_template="{{ task.prompt }}"
        ).expand(prompt=["A boat", "A kite", "A train"])
    ran = run_dag(dag)
    assert [ran[f"create[{number}]"].state for number in range(3)] == ["success"] * 3
    prompts = {purchase.video_id: purchase.fields["prompt"] for purchase in videos_emulator.purchases}
    assert [prompts[ran[f"create[{number}]"].xcoms["return_value"]] for number in range(3)] == [
        "A boat",
        "A kite",
        "A train",
    ]


def test_a_whole_pipeline_maps_as_a_group(run_dag, connect_to, tmp_path):
    with DAG("grouped", schedule=None) as dag:

        @task
        def prompts():
            return ["A boat", "A kite"]

        @task_group
        def film(prompt):
            create = VideoCreateOperator(task_id="create", prompt=prompt)
            wait = VideoSensor(task_id="wait", video_id=create.output, poke_interval=0.05, deferrable=True)
            VideoDownloadOperator(task_id="download", video_id=wait.output, destination=f"{tmp_path}/")

        film.expand(prompt=prompts())
    with Emulator(job_seconds=0.2) as emulator:
        connect_to(emulator)
        ran = run_dag(dag)
    uris = [ran[f"film.download[{number}]"].xcoms["return_value"]["uri"] for number in range(2)]
    assert sorted(uris) == sorted(path.as_uri() for path in tmp_path.iterdir())
    assert len(emulator.purchases) == 2
