"""Names of Airflow that tests alone need, from where the installed release has them, and what came when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_videos.adapters.release import is_before

if TYPE_CHECKING or not is_before(3, 2):
    from airflow.sdk.exceptions import AirflowException, TaskDeferralError, TaskDeferred
else:
    from airflow.exceptions import AirflowException, TaskDeferralError, TaskDeferred
if TYPE_CHECKING or not is_before(3, 0):
    from airflow.sdk.io import attach
else:
    from airflow.io.store import attach

__all__ = ["AirflowException", "TaskDeferralError", "TaskDeferred", "attach", "since"]


def since(major: int, minor: int, what: str) -> pytest.MarkDecorator:
    """Skip a test on releases that do not have what it is about; the release notes name it."""
    return pytest.mark.skipif(is_before(major, minor), reason=f"new in Airflow {major}.{minor}: {what}")
