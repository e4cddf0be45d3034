"""
State of one wait, updated by each answer. Pure, and the same whether a worker or a triggerer waits.

A wait ends with a video, with :class:`VideoFailed`, :class:`VideoLost` or :class:`VideoUnavailable`, or with
an error that waiting does not cure. Everything else is a reason to ask again: only the caller's deadline
bounds it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_videos.api.errors import (
    Busy,
    NotFound,
    NotSupported,
    ServerFault,
    TransportError,
    Unauthorized,
    Unreadable,
    VideoFailed,
    VideoLost,
    VideosError,
    VideoUnavailable,
)
from airflow_provider_videos.api.failures import problem_of
from airflow_provider_videos.api.models import Phase, is_same_id
from airflow_provider_videos.api.persisted import (
    Unknown,
    count,
    flag,
    number,
    stored,
    text,
    unknown_fields,
)
from airflow_provider_videos.api.redaction import redact

if TYPE_CHECKING:
    from airflow_provider_videos.api.models import Video, VideoDeleted

_TRANSIENT = (TransportError, Busy)
_FAULTS = (ServerFault, Unreadable)

# Replicas behind one address answer 404 for each other's jobs, so one 404 proves nothing, and on a connection
# that is kept a hundred prove no more. On fresh ones, where each replica answers as often as any other, 30 in
# a row come up in ten minutes of 120 questions with a chance of 4e-8 for two replicas, 2e-4 for three.
LOST_AFTER_ANSWERS = 30
LOST_AFTER_SECONDS = 120.0
LONGEST_INTERVAL_WHILE_MISSING = 10.0  # so that a server that has lost it is found out within five minutes

# What a triggerer was told, a task is not told at once where its question meets another replica. With answers
# that take up to a second, at least 24 looks fit in; all miss with a chance of 6e-8 for two replicas, 6e-5
# for three.
LOOKS = 30
LOOKS_SECONDS = 30.0  # within which the last one begins
_ANOTHER_REPLICA_SECONDS = 0.25
_TROUBLE_SECONDS = 2.0

# A server that restarts, loads its model or is deployed anew is back within minutes, and fails on all videos
# alike until then. What it fails on alone for a quarter of an hour, it fails on for ever.
UNAVAILABLE_AFTER_SECONDS = 900.0
_ACCIDENTS = 3  # how many faults in a row are not yet looked into

_CURES: tuple[tuple[type[VideosError], str], ...] = (
    (TransportError, "See whether the server runs and can be reached from the workers"),
    (ServerFault, "Find out from the server's own log why it fails"),
    (Unreadable, "See whether the base URL leads to the server itself, and not to a login or an error page"),
    (Busy, "Let fewer tasks ask at a time, or set requests_per_minute in the connection"),
    (Unauthorized, "Put a key that is allowed to see the video into the connection"),
    (VideosError, "Put that right"),
)

_AGAIN = "creating it again would buy a second one"

LONGEST_RETRY_AFTER = 600.0

REMIND_SECONDS = 60.0  # how often trouble that lasts is told again

_JITTER = 0.1


@dataclass(slots=True)
class WaitState:
    """
    State of a wait between two answers. Times are unix seconds.

    :param video_id: the video waited for.
    :param started_at: when the wait began.
    :param patient: keep asking on permanent errors, too.
    :param missing: how many times in a row the server did not know the video.
    :param missing_since: when it first did not.
    :param faults: how many times in a row the server failed when it was asked for the video.
    :param faulty_since: since when it did so while it served others; 0 if it is not known to.
    :param shown: the last status that was handed out to be logged.
    :param shown_at: when that was.
    """

    video_id: str = stored(text)
    started_at: float = stored(number)
    patient: bool = stored(flag, default=False)
    missing: int = stored(count, default=0)
    missing_since: float = stored(number, default=0.0)
    faults: int = stored(count, default=0)
    faulty_since: float = stored(number, default=0.0)
    shown: str = stored(text, default="")
    shown_at: float = stored(number, default=0.0)
    unknown: Unknown = unknown_fields()

    @property
    def is_missing(self) -> bool:
        """Whether the server did not know the video; a fresh connection may lead to a replica that does."""
        return self.missing > 0

    @property
    def is_faulty(self) -> bool:
        """Whether the server fails on the video so often that it matters whether it serves others."""
        return self.faults >= _ACCIDENTS

    def update(self, answer: Video | VideosError, now: float, *, serves_others: bool | None = None) -> bool:
        """
        Take in an answer and say whether the video is there.

        :param answer: the video, or the error that came instead of it.
        :param now: the present time.
        :param serves_others: whether the server answers for other videos, or lists its models; None if nobody
            knows.
        :raises VideoFailed: if the job ended without a video.
        :raises VideoLost: if the server has not known it many times in a row, over some time.
        :raises VideoUnavailable: if it has failed on this video alone, over some time.
        :raises VideosError: if something is wrong that waiting does not cure.
        """
        if isinstance(answer, _TRANSIENT):
            return False  # which says nothing of the video
        if isinstance(answer, NotFound):
            return self._miss(now)
        self.missing = 0
        if isinstance(answer, _FAULTS):
            return self._fault(answer, now, serves_others)
        self.faults, self.faulty_since = 0, 0.0
        if isinstance(answer, VideosError):
            if not self.patient:
                raise answer
            return False
        if not answer.has_ended:
            return False
        if answer.has_failed and self._is_ours(answer):
            raise failure(answer, self.video_id)
        return answer.phase is Phase.SUCCEEDED

    def _is_ours(self, video: Video) -> bool:
        # A gateway's envelope may have an id and a status of its own.
        return is_same_id(video.id, self.video_id) or (video.model_extra or {}).get("object") == "video"

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

    def _fault(self, error: VideosError, now: float, serves_others: bool | None) -> bool:  # noqa: FBT001 - a fact
        self.faults += 1
        if serves_others is False:
            self.faulty_since = 0.0  # an outage, which is waited out
        elif serves_others and not self.faulty_since:
            self.faulty_since = now
        lasted = now - self.faulty_since if self.faulty_since else 0.0
        if not serves_others or lasted < UNAVAILABLE_AFTER_SECONDS or self.patient:
            return False
        raise unavailable(error, self.video_id)

    def log_line(self, answer: Video | VideosError, now: float) -> str | None:
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
        return f"Video {self.video_id}: {_in_its_words(answer, status)}, {now - self.started_at:.0f} s waited"


def _status(answer: Video | VideosError) -> str:
    if isinstance(answer, VideosError):
        return f"no news but {type(answer).__name__}, asking again"
    status = answer.known_status or "no status"
    return status if answer.progress is None else f"{status}, {answer.progress:.0f} %"


def _in_its_words(answer: Video | VideosError, status: str) -> str:
    if isinstance(answer, VideosError):
        return f"{status} ({answer.message})"
    if answer.phase is not Phase.UNKNOWN:
        return status
    word = (
        f"{redact(answer.status or '') or 'no status'} (unknown to this provider: asking until the deadline)"
    )
    return word if answer.progress is None else f"{word}, {answer.progress:.0f} %"


def failure(video: Video, video_id: str) -> VideoFailed:
    """
    Return the error for a job that ended without a video, in the server's own words.

    :param video: the job as the server describes it.
    :param video_id: the id it was asked for with.
    """
    problem = problem_of(video)
    reason = problem.message or "the server gave no reason"
    return VideoFailed(
        f"the video ended as {video.known_status}: {reason}", video_id=video_id, code=problem.code
    )


def unavailable(error: VideosError, video_id: str) -> VideoUnavailable:
    """
    Return the error for a video that the server fails on each time, in the server's own words.

    :param error: what it answered last.
    :param video_id: the video.
    """
    minutes = UNAVAILABLE_AFTER_SECONDS / 60
    return VideoUnavailable(
        f"the server serves others and has failed on this video for {minutes:.0f} minutes. The last error: "
        f"{error}. Ask who runs the server, then clear this task to go on waiting; {_AGAIN}",
        video_id=video_id,
    )


def needs_another_look(answer: Video | VideosError | None, status: str) -> bool:
    """
    Say whether an answer leaves open what has become of a video that a triggerer no longer asks for.

    :param answer: what the server said when the task that resumed asked it.
    :param status: why the triggerer stopped.
    """
    if status == "timeout":
        return isinstance(answer, NotFound)  # the time is up: what a call has waited out is enough
    if isinstance(answer, _FAULTS):
        return status != "unavailable"
    if isinstance(answer, VideosError):
        return True
    return status == "ended" and answer is not None and not answer.has_ended


def pause_before_look(answer: Video | VideosError | None, retry_after: float) -> float:
    """
    Return how many seconds a task that resumed waits before it looks again.

    :param answer: what the server said last.
    :param retry_after: what it asked to wait.
    """
    pause = _ANOTHER_REPLICA_SECONDS if isinstance(answer, NotFound) else _TROUBLE_SECONDS
    return max(retry_after, pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter


def untold(answer: Video | VideosError | None, video_id: str) -> TransportError:
    """
    Return the error for a video that has ended, as a triggerer was told, and a task was not.

    :param answer: what the server said last.
    :param video_id: the video.
    """
    last = f"The last error: {answer}" if isinstance(answer, VideosError) else "It is still under way there"
    return TransportError(
        "the triggerer was told that the video has ended, and this task was not, however often it looked: "
        f"behind one address, servers differ or fail. {last}. A retry looks again; {_AGAIN}",
        video_id=video_id,
    )


def is_sound(error: VideosError) -> bool | None:
    """
    Say whether a server serves others; None if that does not follow.

    :param error: what came when it was asked for something else than a certain video.
    """
    return False if isinstance(error, TransportError | ServerFault | Busy | Unreadable) else None


def late_because(answer: Video | VideosError | None, *, kept: bool = True) -> str:
    """
    Return how a message goes on that says that a video was not there in time: the last error, and what to do.

    :param answer: what the server said last, or the error that came instead; None if it was not asked.
    :param kept: whether the video lives on at the server.
    """
    if isinstance(answer, NotFound):
        return f", and the server does not know it: is it the server it is from? The last error: {answer}"
    error = f". The last error: {answer}" if isinstance(answer, VideosError) else ""
    if not kept:
        return f", and is given up on the server, too{error}"
    if not error:
        return (
            f". It lives on at the server: clear this task to go on waiting, or raise its timeout; {_AGAIN}"
        )
    cure = next(cure for kind, cure in _CURES if isinstance(answer, kind))
    return f"{error}. {cure}, then clear this task to go on waiting; {_AGAIN}"


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


def capped_retry_after(retry_after: float | None) -> float:
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
