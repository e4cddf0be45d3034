"""A purchase that outlives the task that made it: its id is recorded, and a retry takes it up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_videos.api.models import Video

KEY = "videos_submission"
"""The record's key in the task state store."""

_TRIES = 5
_SECONDS_BETWEEN_TRIES = 1.0


class Store(Protocol):
    """What survives a retry of a task. Airflow's task state store is one."""

    def get(self, key: str) -> Any:
        """Return the value recorded under a key, or None."""

    def set(self, key: str, value: Any) -> None:
        """Record a value that can be written as JSON."""


class Log(Protocol):
    """Where the task's log lines go."""

    def info(self, message: str, /, *args: object) -> object:
        """Tell."""

    def warning(self, message: str, /, *args: object) -> object:
        """Warn."""


def submit(store: Store, buy: Callable[[], Video], log: Log) -> tuple[str, Video | None]:
    """
    Buy a video, or take up the one that an earlier try of this task has bought.

    :param store: the task's memory.
    :param buy: makes the purchase.
    :param log: where the id is named before anything else can go wrong.
    :return: the video's id, and the server's answer if the purchase was made just now.
    """
    record = store.get(KEY)
    if isinstance(record, dict) and record.get("video_id"):
        video_id = str(record["video_id"])
        log.info("An earlier try of this task has bought video %s; taking it up", video_id)
        return video_id, None
    video = buy()
    log.info("Bought video %s (%s)", video.id, video.status)
    _remember(store, video.id, log)
    return video.id, video


def _remember(store: Store, video_id: str, log: Log) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            return store.set(KEY, {"video_id": video_id})
        except Exception as error:
            if not tries_left:
                raise
            log.warning("Could not record video %s (%s); trying again", video_id, error)
            time.sleep(_SECONDS_BETWEEN_TRIES)
    return None
