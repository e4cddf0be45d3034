"""Every door of a server that repeats everything, once for each form."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator

from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.delivery import deliver
from airflow_provider_videos.hooks.videos import VideosHook
from airflow_provider_videos.operators.videos import (
    VideoCreateOperator,
    VideoDeleteOperator,
    VideoDownloadOperator,
    VideoEditOperator,
    VideoExtendOperator,
    VideoListOperator,
    VideoRemixOperator,
)
from airflow_provider_videos.sensors.videos import VideoSensor
from tests.leaks.forms import FORMS, PROMPT

if TYPE_CHECKING:
    from airflow.sdk import Context

deliver.PATIENT = Backoff(attempts=1)  # type: ignore[attr-defined] # what is not ready is not waited for: only the words count
FOLDER = os.environ["LEAKS_FOLDER"]


class Doors(BaseOperator):
    """Goes through doors one after the other in one process; what comes out goes to the log and XCom."""

    def execute(self, context: Context) -> list[Any]:
        return [self._tried(door, name, context) for name in FORMS for door in DOORS]

    def _tried(self, door: str, name: str, context: Context) -> Any:
        try:
            return DOORS[door](f"{door}.{name}", context)
        except Exception as error:
            self.log.exception("%s, %s", door, name)
            return str(error)


def _run(operator: BaseOperator, context: Context) -> Any:
    return operator.execute(context)


def _bought(kind: type, aim: str, context: Context, **fields: Any) -> Any:
    fields |= {"prompt": PROMPT, "durable": False, "extra_body": {"aim": aim}}
    return _run(kind(task_id="t", **fields), context)


def _download(aim: str, context: Context) -> Any:
    return _run(VideoDownloadOperator(task_id="t", video_id=aim, destination=f"{FOLDER}/{aim}.mp4"), context)


DOORS: dict[str, Any] = {
    "create": lambda aim, context: _bought(VideoCreateOperator, aim, context),
    "bought": lambda aim, context: _bought(VideoCreateOperator, aim, context),
    "id": lambda aim, context: _bought(VideoCreateOperator, aim, context),
    "remix": lambda aim, context: _bought(VideoRemixOperator, aim, context, video_id=aim),
    "edit": lambda aim, context: _bought(VideoEditOperator, aim, context, video_id=aim),
    "extend": lambda aim, context: _bought(VideoExtendOperator, aim, context, video_id=aim, seconds=4),
    "delete": lambda aim, context: _run(VideoDeleteOperator(task_id="t", video_id=aim), context),
    "content": _download,
    "redirect": _download,
    "file": _download,
    "failed": lambda aim, context: _run(VideoSensor(task_id="t", video_id=aim, mode="poke"), context),
    "done": lambda aim, context: _run(VideoSensor(task_id="t", video_id=aim, mode="poke"), context),
    "retrieve": lambda aim, context: VideosHook().retrieve(aim).contract(),
    "test": lambda aim, context: VideosHook().test_connection()[1],
    "poll": lambda aim, context: _run(
        VideoSensor(task_id="t", video_id=aim, mode="poke", timeout=0.1, poke_interval=0.05), context
    ),
}

with DAG("leaks", schedule=None, max_active_tasks=4):
    Doors(task_id="doors")
    VideoListOperator(task_id="list")
    VideoSensor.partial(
        task_id="wait", deferrable=True, poke_interval=1, timeout=8, max_active_tis_per_dag=8
    ).expand(video_id=[f"{door}.{name}" for name in list(FORMS)[::4] for door in ("failed", "bought")])
