"""A job's life is a function of the time."""

from __future__ import annotations

import pytest

from airflow_provider_videos.emulator.jobs import Job, JobError, JobPlan, Jobs, Tokens, work_seconds


def job(identity: str = "video_1", plan: JobPlan | None = None, *, work: float = 100) -> Job:
    return Job(
        id=identity,
        model="m",
        prompt="p",
        size="720x1280",
        seconds=4,
        created=1000,
        work=work,
        plan=plan or JobPlan(),
    )


@pytest.mark.parametrize(
    ("after", "status", "progress"),
    [
        (0, "queued", 0),
        (14.9, "queued", 0),
        (15, "in_progress", 1),
        (58, "in_progress", 50),
        (99.99, "in_progress", 99),
        (100, "completed", 100),
        (100_000, "completed", 100),
        (-5, "queued", 0),
    ],
)
def test_a_good_life(after: float, status: str, progress: int) -> None:
    assert (job().status(1000 + after), job().progress(1000 + after)) == (status, progress)


def test_a_failure_comes_halfway_and_progress_stays_where_it_was() -> None:
    failing = job(plan=JobPlan(error=JobError("c", "m")))

    assert failing.status(1049) == "in_progress"
    assert failing.status(1050) == "failed"
    assert failing.progress(1050) == failing.progress(9999) == 41


def test_work_of_no_length_is_done_at_once() -> None:
    assert job(work=0).status(1000) == "completed"


def test_a_stuck_job_at_zero_is_in_progress() -> None:
    stuck = job(plan=JobPlan(stuck_at=0))

    assert (stuck.status(9999), stuck.progress(9999)) == ("in_progress", 0)


def test_tokens_follow_the_seed() -> None:
    def some(seed: int | None, purpose: str = "video") -> list[str]:
        tokens = Tokens(seed, purpose)
        return [tokens.next() for _ in range(3)]

    assert some(1) == some(1)
    assert len(set(some(1) + some(2) + some(1, "request") + some(None) + some(None))) == 15


def test_every_job_ends_within_the_most_it_may_take() -> None:
    tokens = Tokens(0, "video")
    lengths = [work_seconds(tokens.next(), 10) for _ in range(100)]

    assert 8 <= min(lengths) < 8.5
    assert 9.5 < max(lengths) <= 10


def test_a_page_after_nothing_known_is_none() -> None:
    jobs = Jobs()
    for number in range(3):
        jobs.add(job(f"video_{number}"))

    assert jobs.page(2000, after="video_9", limit=2, order="asc") is None
    page = jobs.page(2000, after="video_0", limit=2, order="asc")
    assert page
    assert ([item.id for item in page.jobs], page.has_more) == (["video_1", "video_2"], False)
