"""Metrics of a connection's waits; the README explains each name."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_videos.adapters import metrics
from airflow_provider_videos.api.errors import VideosError

if TYPE_CHECKING:
    from airflow_provider_videos.polling.subscription import Answer


class WaitMetrics:
    """
    Tell Airflow's metrics what waits cost.

    :param conn_id: the connection's id, a tag of each metric.
    """

    def __init__(self, conn_id: str) -> None:
        self._tags = {"conn_id": conn_id}
        self._waits = 0

    async def connection_read(self) -> None:
        """Count a reading of the connection."""
        # The first metric has Airflow read a file for a fifth of a second, in which a loop would stand still.
        await asyncio.to_thread(metrics.incr, "videos.connection_reads", tags=self._tags)

    def report(self, answers: list[Answer], waits: int) -> None:
        """
        Tell of the answers that waits were given, and how many waits there are if that has changed.

        :param answers: one for each wait and answer.
        :param waits: the number of waits.
        """
        if waits != self._waits:
            self._waits = waits
            metrics.gauge("videos.waits", waits, tags=self._tags)
        if answers:
            metrics.incr("videos.polls", len(answers), tags=self._tags)
        if listed := sum(answer.listed for answer in answers):
            metrics.incr("videos.polls_listed", listed, tags=self._tags)
        for answer in answers:
            if not answer.listed:
                self._tell_alone(answer)

    def _tell_alone(self, answer: Answer) -> None:
        value = answer.value
        if answer.seconds is not None:
            metrics.timing("videos.poll_duration", timedelta(seconds=answer.seconds), tags=self._tags)
        if isinstance(value, VideosError):
            metrics.incr("videos.poll_errors", tags=self._tags | {"error": type(value).__name__})
        elif value.has_ended and value.completed_at:
            late = max(0.0, time.time() - value.completed_at)
            metrics.timing("videos.notice_delay", timedelta(seconds=late), tags=self._tags)
