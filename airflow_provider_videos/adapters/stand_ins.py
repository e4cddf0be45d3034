"""Stand-ins for names that an old Airflow lacks, so that what is built on them can be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta


class RetryPolicy:
    """Policy of retries, which Airflow asks from 3.3 on; before that nobody does."""


class RetryDecision:
    """Answer of a policy."""

    @classmethod
    def default(cls) -> Any:
        """Leave it to the task's own settings."""
        return None

    @classmethod
    def retry(cls, delay: timedelta, reason: str) -> Any:  # noqa: ARG003 - Airflow's signature
        """Retry after a while."""
        return delay


class TaskDeferralTimeout(Exception):  # noqa: N818 - Airflow's name
    """End of a wait in the triggerer by Airflow's own clock, which 2.11 tells by words alone."""
