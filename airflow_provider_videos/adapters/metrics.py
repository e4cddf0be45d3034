"""Airflow's metrics: counters, gauges and timings."""

from __future__ import annotations

from airflow.observability.stats import gauge, incr, timing

__all__ = ["gauge", "incr", "timing"]
