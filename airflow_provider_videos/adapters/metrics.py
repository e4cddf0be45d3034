"""Airflow's metrics: counters, gauges and timings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.release import is_before

__all__ = ["gauge", "incr", "timing"]

if TYPE_CHECKING or not is_before(3, 3):
    from airflow.observability.stats import gauge, incr, timing
else:
    if is_before(3, 2):
        from airflow.stats import Stats
    else:
        from airflow.observability.stats import Stats

    # The class makes its client when it is first asked for a method.
    def gauge(name: str, value: float, **options: Any) -> None:
        """Set a gauge."""
        Stats.gauge(name, value, **options)

    def incr(name: str, count: int = 1, **options: Any) -> None:
        """Count up."""
        Stats.incr(name, count, **options)

    def timing(name: str, duration: Any, **options: Any) -> None:
        """Tell how long something took."""
        Stats.timing(name, duration, **options)
