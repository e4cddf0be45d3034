"""
A video that is made again when its job fails, within bounds: an engine out of memory wakes nobody.

Each attempt is a purchase. The next one is made only if the job of the last one has failed on the server: not
while a purchase is in doubt, not when a wait ran out of time (its video lives on), and not when the server
refuses what the video shows. It needs a connection ``videos_default``.
"""

from __future__ import annotations

from typing import Any

# As of airflow.sdk, which Airflow 2.11 does not have.
from airflow_provider_videos.adapters.names import (
    DAG,
    AirflowFailException,
    Param,
    TriggerRule,
    task,
    task_group,
)
from airflow_provider_videos.operators.videos import VideoCreateOperator, VideoDownloadOperator
from airflow_provider_videos.sensors.videos import VideoSensor

MOST_ATTEMPTS = 3
REFUSALS = {"moderation_blocked", "content_policy_violation", "content_filter"}
"""Codes of jobs that would fail again."""


def attempt(number: int) -> VideoSensor:
    """Buy a video and wait for it; returns the wait."""
    create = VideoCreateOperator(task_id=f"create_{number}", prompt="{{ params.prompt }}", retries=2)
    return VideoSensor(
        task_id=f"wait_{number}",
        video_id=create.output,
        poke_interval=5,
        timeout=3600,
        deferrable=True,
        retries=2,
    )


with DAG(
    dag_id="example_make_again",
    schedule=None,
    catchup=False,
    tags=["example", "videos"],
    doc_md=__doc__,
    params={
        "prompt": Param("A paper boat on a quiet lake", type="string", minLength=1, title="Prompt"),
        "purchases": Param(
            2,
            type="integer",
            minimum=1,
            maximum=MOST_ATTEMPTS,
            title="Purchases",
            description="How many videos may be bought at the most to get one.",
        ),
        "destination": Param(
            "/tmp/videos/",  # noqa: S108 - a default to be overridden
            type="string",
            title="Destination",
            description="A path, file:///path/ or s3://bucket/key; one that ends in / is a folder.",
        ),
    },
) as dag:

    @task_group
    def make() -> Any:
        """Make attempts until one gives a video; returns its id."""

        # Each task below runs whatever became of the one before, and looks at what it left.
        @task.short_circuit(trigger_rule=TriggerRule.ALL_DONE, ignore_downstream_trigger_rules=False)
        def is_to_be_made_again(number: int, waited: str, **context: Any) -> bool:
            """Say whether an attempt's job has failed in a way that another one may not."""
            video: Any = context["ti"].xcom_pull(task_ids=waited, key="video")
            failure = video and video["error"]
            return (
                bool(failure) and failure["code"] not in REFUSALS and number <= context["params"]["purchases"]
            )

        @task(trigger_rule=TriggerRule.ALL_DONE)
        def made(waits: list[str], **context: Any) -> str:
            """Return the id of the video that one of the attempts has given."""
            videos: Any = context["ti"].xcom_pull(task_ids=waits)
            for video_id in videos:
                if video_id:
                    return str(video_id)
            raise AirflowFailException("no attempt gave a video; their logs say why")

        waits = [attempt(1)]
        for number in range(2, MOST_ATTEMPTS + 1):
            again = is_to_be_made_again.override(task_id=f"is_{number}_to_be_made")(number, waits[-1].task_id)
            following = attempt(number)
            waits[-1] >> again >> following.upstream_list
            waits.append(following)
        result = made([wait.task_id for wait in waits])
        waits >> result
        return result

    VideoDownloadOperator(
        task_id="download_video",
        video_id=make(),
        destination="{{ params.destination }}",
        retries=3,
    )
