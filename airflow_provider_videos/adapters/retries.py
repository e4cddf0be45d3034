"""Retries of a task: when Airflow makes them, and how a busy server is given more time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.names import RetryDecision, RetryPolicy
from airflow_provider_videos.adapters.release import is_before
from airflow_provider_videos.api.errors import Busy

if TYPE_CHECKING:
    from airflow_provider_videos.adapters.names import BaseOperator, Context

_MAX_DELAY = 24 * 3600.0


class ServerPacedRetryPolicy(RetryPolicy):
    """
    Retry a busy server when it asked to be, however long that is; else as the task's own settings say.

    The buying operators have it unless they are given a ``retry_policy`` of their own.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002 - Airflow's signature
        max_tries: int,  # noqa: ARG002 - Airflow's signature
        context: Context | None = None,  # noqa: ARG002 - Airflow's signature
    ) -> RetryDecision:
        """
        Decide when a failed task is retried.

        :param exception: what failed it.
        :param try_number: the try that failed.
        :param max_tries: the most tries there are.
        :param context: Airflow's context.
        """
        if not isinstance(exception, Busy) or exception.retry_after is None:
            return RetryDecision.default()
        wait = timedelta(seconds=min(exception.retry_after, _MAX_DELAY))
        return RetryDecision.retry(delay=wait, reason=f"the server asked to wait {wait}")


def retry_options(policy: RetryPolicy | None) -> dict[str, Any]:
    """
    Return the arguments with which an operator retries as the server asks.

    :param policy: the user's own; a mapped task says None where nobody has chosen.
    """
    if not is_before(3, 3):
        return {"retry_policy": policy or ServerPacedRetryPolicy()}
    if policy is not None:
        raise ValueError("retry_policy needs Airflow 3.3 or later; leave it out, and set retry_delay instead")
    return {}


def unheeded_wait(operator: BaseOperator, error: Busy, try_number: int) -> str | None:
    """
    Return a warning where a busy server asked for a longer wait than Airflow makes; None where there is none.

    :param operator: the task.
    :param error: what the server said.
    :param try_number: the try that runs.
    """
    delay = seconds_to_next_try(operator, try_number)
    if not is_before(3, 3) or error.retry_after is None or error.retry_after <= delay:
        return None
    return (
        f"The server asked to wait {error.retry_after:g} s. Airflow has no retry policy before 3.3, so the "
        f"next try comes by the task's own retry_delay, after {delay:g} s; it costs nothing if the server is "
        "still busy"
    )


def seconds_to_next_try(operator: BaseOperator, try_number: int) -> float:
    """
    Return after how many seconds Airflow retries a task, jitter left aside.

    :param operator: the task.
    :param try_number: the try that runs.
    """
    delay, longest = operator.retry_delay, operator.max_retry_delay
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
    if operator.retry_exponential_backoff:
        factor = max(2.0, float(operator.retry_exponential_backoff))
        seconds = min(seconds * factor ** min(try_number - 1, 64), _MAX_DELAY)
    bound = longest.total_seconds() if isinstance(longest, timedelta) else longest
    return min(seconds, float(bound)) if bound else seconds
