"""Record of a wait between two pokes in reschedule mode, each of which is a new process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_videos.adapters.state import TaskStore
from airflow_provider_videos.api.persisted import (
    Unknown,
    count,
    decode,
    encode,
    record_of,
    stored,
    unknown_fields,
)
from airflow_provider_videos.polling.wait_state import WaitState

if TYPE_CHECKING:
    from airflow_provider_videos.adapters.names import Context

KEY = "videos_wait"


@dataclass(slots=True)
class WaitRecord:
    """
    State of a wait, and the try that it belongs to.

    :param try_number: the try; another one begins its own count.
    :param watch: the state.
    """

    try_number: int = stored(count, default=0)
    watch: WaitState | None = stored(record_of(WaitState), default=None)
    unknown: Unknown = unknown_fields()


def load(context: Context, video_id: str) -> WaitRecord:
    """
    Return the record of a task's try, with no state if an earlier poke has kept none of this video.

    :param context: Airflow's context of the task.
    :param video_id: the video waited for.
    """
    try_number = context["ti"].try_number
    record = decode(WaitRecord, TaskStore(context).get(KEY))
    if record.watch and (record.try_number, record.watch.video_id) == (try_number, video_id):
        return record
    return WaitRecord(try_number, unknown=record.unknown)


def save(context: Context, record: WaitRecord) -> None:
    """
    Keep a record for the try's next poke.

    :param context: Airflow's context of the task.
    :param record: the record.
    """
    TaskStore(context).set_for_now(KEY, encode(record))
