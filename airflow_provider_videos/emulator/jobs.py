"""The life of a job: a pure function of the time since its creation."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from math import inf
from typing import Literal

QUEUED_SHARE = 0.15
ORIGINAL_LIFETIME = 3600.0


class Status(StrEnum):
    """State of a job."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobError:
    """Reason why a job failed, in the job's own body."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """Future of a job; decided when it is created, like everything about it."""

    error: JobError | None = None
    stuck_at: int | None = None
    """The progress it never gets past."""
    lifetime: float = ORIGINAL_LIFETIME
    """Seconds from completion to expiry."""
    listed_after: float = 0.0
    lost_after: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A bought video. Every question about its state takes the present time."""

    id: str
    model: str
    prompt: str
    size: str
    seconds: int
    created: float
    work: float
    """Seconds from creation to completion."""
    remixed_from: str | None = None
    reference: bytes | None = field(default=None, repr=False)
    """The image that becomes the first frame."""
    plan: JobPlan = JobPlan()

    @property
    def finished(self) -> float:
        """When the work ends, well or badly; a job that fails does so halfway."""
        if self.plan.stuck_at is not None:
            return inf
        return self.created + self.work * (0.5 if self.plan.error else 1.0)

    @property
    def expires(self) -> float:
        """When the files can no longer be fetched."""
        return self.finished + self.plan.lifetime

    def status(self, now: float) -> Status:
        """Where it stands."""
        if now >= self.finished:
            return Status.FAILED if self.plan.error else Status.COMPLETED
        started = self.created + self.work * QUEUED_SHARE
        return Status.QUEUED if now < started else Status.IN_PROGRESS

    def progress(self, now: float) -> int:
        """Percent done: it rises while the job is in progress and reaches 100 with completion only."""
        status = self.status(now)
        if status is Status.COMPLETED:
            return 100
        if status is Status.QUEUED:
            return 0
        done = (min(now, self.finished) - self.created) / self.work if self.work else 0.0
        return min(max(1, int((done - QUEUED_SHARE) / (1 - QUEUED_SHARE) * 100)), self._ceiling)

    @property
    def _ceiling(self) -> int:
        return 99 if self.plan.stuck_at is None else self.plan.stuck_at

    def exists(self, now: float) -> bool:
        """Whether the server still knows it."""
        return now < self.created + self.plan.lost_after

    def listed(self, now: float) -> bool:
        """Whether the list shows it yet."""
        return self.exists(now) and now >= self.created + self.plan.listed_after


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the list."""

    jobs: list[Job]
    has_more: bool


class Jobs:
    """All jobs of a server, in the order they were bought."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """Take a job in."""
        self._jobs[job.id] = job

    def get(self, identity: str, now: float) -> Job | None:
        """The job of that id, as long as the server knows it."""
        job = self._jobs.get(identity)
        return job if job and job.exists(now) else None

    def unfinished(self, now: float) -> int:
        """How many are still in the works."""
        return sum(now < job.finished for job in list(self._jobs.values()))

    def remove(self, identity: str) -> None:
        """Delete a job for good."""
        self._jobs.pop(identity, None)

    def forget(self) -> None:
        """Lose all jobs, as a server that keeps them in memory does when it restarts."""
        self._jobs.clear()

    def page(
        self, now: float, *, after: str | None, limit: int, order: Literal["asc", "desc"]
    ) -> Page | None:
        """
        The jobs that follow `after`; None when there is no such job.

        :param now: the present time.
        :param after: the id the page starts behind.
        :param limit: how many at most.
        :param order: oldest or newest first.
        """
        jobs = [job for job in list(self._jobs.values()) if job.listed(now)]
        if order == "desc":
            jobs.reverse()
        start = 0
        if after is not None:
            start = next((place for place, job in enumerate(jobs, 1) if job.id == after), 0)
            if not start:
                return None
        return Page(jobs[start : start + limit], has_more=start + limit < len(jobs))


class Tokens:
    """
    Names without end: the same ones in the same order for the same seed.

    :param seed: where to begin; None begins somewhere new each time.
    :param purpose: keeps the names of one kind of thing apart from another's.
    """

    def __init__(self, seed: int | None, purpose: str) -> None:
        self._root = f"{secrets.token_hex(8) if seed is None else seed}/{purpose}"
        self._count = itertools.count(1)

    def next(self) -> str:
        """Thirty-two hexadecimal digits."""
        return blake2b(f"{self._root}/{next(self._count)}".encode(), digest_size=16).hexdigest()


def work_seconds(token: str, most: float) -> float:
    """
    How long a job takes: its own share, between four fifths and the whole, of the most it may take.

    :param token: the job's name, from which its share is drawn.
    :param most: the server's `job_seconds`; after that every job has ended.
    """
    return most * (1.0 - 0.2 * int(token[:8], 16) / 0xFFFFFFFF)
