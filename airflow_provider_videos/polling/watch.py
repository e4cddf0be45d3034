"""
What one wait makes of each answer. Pure, and the same whether a worker or a triggerer waits.

A wait ends with a video, with :class:`VideoFailed`, with :class:`VideoLost` or with an error that waiting
does not cure. Everything else is a reason to ask again: only the caller's deadline bounds it.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.api.errors import (
    Busy,
    NotFound,
    NotSupported,
    ServerFault,
    TransportError,
    Unreadable,
    VideoFailed,
    VideoLost,
    VideosError,
)
from airflow_provider_videos.api.models import Phase
from airflow_provider_videos.api.responses import problem_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_videos.api.models import Video, VideoDeleted

_TRANSIENT = (TransportError, ServerFault, Busy, Unreadable)

# Replicas behind one address answer 404 for each other's jobs, so one 404 proves nothing.
LOST_AFTER_ANSWERS = 3
LOST_AFTER_SECONDS = 30.0

LONGEST_RETRY_AFTER = 600.0

REMIND_SECONDS = 60.0  # how often trouble that lasts is told again

_JITTER = 0.1


@dataclass(slots=True)
class Watch:
    """
    What is remembered of a wait between two answers. Times are unix seconds.

    :param video_id: the video waited for.
    :param started_at: when the wait began.
    :param patient: whether errors that waiting does not cure are waited out as well.
    :param missing: how many times in a row the server did not know the video.
    :param missing_since: when it first did not.
    :param shown: the last status that was handed out to be logged.
    :param shown_at: when that was.
    """

    video_id: str
    started_at: float
    patient: bool = False
    missing: int = 0
    missing_since: float = 0.0
    shown: str = ""
    shown_at: float = 0.0

    def record(self) -> dict[str, str | float]:
        """Return all of it as plain JSON."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Watch:
        """
        Read what :meth:`record` returned, in this release or another one.

        :param record: what was kept of it.
        """
        return cls(**{name: record[name] for name in cls.__dataclass_fields__ if name in record})

    def take(self, answer: Video | VideosError, now: float) -> bool:
        """
        Take in an answer and say whether the video is there.

        :param answer: the video, or the error that came instead of it.
        :param now: the present time.
        :raises VideoFailed: if the job ended without a video.
        :raises VideoLost: if the server has not known it several times in a row, over some time.
        :raises VideosError: if something is wrong that waiting does not cure.
        """
        if isinstance(answer, NotFound):
            return self._miss(now)
        self.missing = 0
        if isinstance(answer, VideosError):
            if not self.patient and not isinstance(answer, _TRANSIENT):
                raise answer
            return False
        if answer.has_failed:
            raise failure(answer, self.video_id)
        return answer.phase is Phase.SUCCEEDED

    def _miss(self, now: float) -> bool:
        self.missing += 1
        if self.missing == 1:
            self.missing_since = now
        absent = now - self.missing_since
        if self.missing < LOST_AFTER_ANSWERS or absent < LOST_AFTER_SECONDS:
            return False
        raise VideoLost(
            f"the video is lost: the server did not know it {self.missing} times in a row, over "
            f"{absent:.0f} s. Servers forget their jobs when they restart, and finished ones when they "
            "expire",
            video_id=self.video_id,
        )

    def news(self, answer: Video | VideosError, now: float) -> str | None:
        """
        Return a line for the task's log if an answer says something new, or has said nothing for a minute.

        :param answer: the video, or the error that came instead of it.
        :param now: the present time.
        """
        status = _status(answer)
        in_trouble = isinstance(answer, VideosError)
        if status == self.shown and not (in_trouble and now >= self.shown_at + REMIND_SECONDS):
            return None
        self.shown, self.shown_at = status, now
        # The server's words are for the log alone: what is remembered may be stored.
        reason = f" ({answer.message})" if isinstance(answer, VideosError) else ""
        return f"Video {self.video_id}: {status}{reason}, {now - self.started_at:.0f} s waited"


def _status(answer: Video | VideosError) -> str:
    if isinstance(answer, VideosError):
        return f"no news but {type(answer).__name__}, asking again"
    status = answer.status or "no status"
    if answer.phase is Phase.UNKNOWN:
        status += " (unknown to this provider: asking until the deadline)"
    return status if answer.progress is None else f"{status}, {answer.progress:.0f} %"


def failure(video: Video, video_id: str) -> VideoFailed:
    """
    Return the error for a job that ended without a video, in the server's own words.

    :param video: the job as the server describes it.
    :param video_id: the id it was asked for with.
    """
    problem = problem_of(video)
    reason = problem.message or "the server gave no reason"
    return VideoFailed(f"the video ended as {video.status}: {reason}", video_id=video_id, code=problem.code)


def next_interval(
    poke_interval: float,
    waited: float,
    *,
    exponential_backoff: bool = False,
    max_wait: float | None = None,
) -> float:
    """
    Return how many seconds to wait before the next question.

    With exponential backoff each interval is about as long as everything waited before it, as those of
    Airflow's own sensors are; counting time rather than questions makes it survive a restart.

    :param poke_interval: seconds between two questions.
    :param waited: seconds waited so far.
    :param exponential_backoff: whether intervals grow.
    :param max_wait: the longest interval that they grow to.
    """
    if not exponential_backoff:
        return poke_interval
    interval = max(1.0, poke_interval / 2, waited) * random.uniform(2 / 3, 4 / 3)  # noqa: S311 - jitter
    return min(interval, max_wait or interval)


def first_due(now: float, interval: float) -> float:
    """
    Return when a wait that begins, or goes on in another triggerer, asks first: any time within an interval.

    :param now: the present time.
    :param interval: seconds between two questions.
    """
    return now + interval * random.uniform(_JITTER, 1)  # noqa: S311 - jitter


def next_due(now: float, due: float, interval: float) -> float:
    """
    Return when a wait asks again: an interval after the last time, more or less, so that no two stay in step.

    :param now: the present time.
    :param due: when it was to hear last; hearing late does not make the next time later.
    :param interval: seconds between two questions.
    """
    jittered = interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - jitter
    return max(min(due, now) + jittered, now + interval / 2)


def obeyed(retry_after: float | None) -> float:
    """
    Return how much of what a server asks to wait is waited, in seconds.

    :param retry_after: what it asked for.
    """
    return min(retry_after or 0.0, LONGEST_RETRY_AFTER)


def cancellation(video_id: str, server: str, answer: VideoDeleted | VideosError) -> str:
    """
    Return a line for the task's log about a video that was deleted because nobody waits for it any more.

    :param video_id: the video.
    :param server: the base URL of the server.
    :param answer: what came of it.
    """
    if isinstance(answer, NotSupported):
        return f"Video {video_id} goes on: {server} cannot cancel by delete ({answer})"
    if isinstance(answer, VideosError):
        return f"Video {video_id} could not be deleted on {server}, and may go on: {answer}"
    return f"Deleted video {video_id} on {server}; some servers finish a running job all the same"
