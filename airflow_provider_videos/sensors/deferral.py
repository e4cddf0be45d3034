"""Hand-over of a wait to the triggerer: by a worker that has begun it, or by the scheduler."""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_videos.sensors.videos import VideoSensor


def trigger_options(sensor: VideoSensor) -> dict[str, Any]:
    """
    Return those arguments of the trigger that are known when the DAG file is parsed.

    :param sensor: the sensor that waits.
    """
    return {
        "videos_conn_id": sensor.videos_conn_id,
        "poke_interval": sensor.poke_interval,
        "exponential_backoff": sensor.exponential_backoff,
        "max_wait": sensor.max_wait.total_seconds() if sensor.max_wait else None,
        "silent_fail": sensor.silent_fail,
        "cancel_on_kill": sensor.cancel_on_kill,
        "timeout": sensor.try_timeout,
        "end_from_trigger": sensor.end_from_trigger,
    }


def start_in_triggerer(sensor: VideoSensor) -> None:
    """
    Have the scheduler start the trigger; where it cannot, warn that a worker begins the wait.

    :param sensor: the sensor, while it is made.
    """
    from airflow_provider_videos.adapters.triggerer import NeedsWorkerError, start_args

    try:
        sensor.start_trigger_args = start_args(
            sensor,
            trigger="airflow_provider_videos.triggers.videos.VideoTrigger",
            reference=("video_id", sensor.video_id),
            kwargs=trigger_options(sensor),
            next_method="execute_complete",
            timeout=timedelta(seconds=sensor.try_timeout),
        )
    except NeedsWorkerError as reason:
        warnings.warn(f"{sensor.task_id}: {reason}. The wait starts on a worker.", stacklevel=4)
    else:
        sensor.start_from_trigger = True


def ends_in_triggerer(sensor: VideoSensor) -> bool:
    """
    Tell if a wait can end in the triggerer; where it cannot, warn that a worker ends it.

    :param sensor: the sensor, while it is made.
    """
    from airflow_provider_videos.adapters.triggerer import NeedsWorkerError, require_end_in_triggerer

    try:
        require_end_in_triggerer()
    except NeedsWorkerError as reason:
        warnings.warn(f"{sensor.task_id}: {reason}. The wait ends on a worker.", stacklevel=4)
        return False
    return True
