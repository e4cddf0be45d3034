"""Airflow 2.11's REST API, with the doors of :mod:`demo.rest`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import httpx

from demo.rest import AirflowRest

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINE = re.compile(
    r"\[(?P<timestamp>[^]]+)\] \{(?P<place>[^}]+)\} (?P<level>[A-Z]+) - (?P<event>.*)", re.DOTALL
)
_BEGINS = re.compile(r"(?m)^(?=\[\d{4}-\d\d-\d\dT)")
# A line of 2.11's task logs names the file it comes from, and not the logger.
_OURS = {"videos.py", "durable.py", "status.py", "connection.py", "deliver.py", "patience.py", "preflight.py"}


class AirflowRestV1(AirflowRest):
    """The doors of one Airflow 2.11 that lets everybody in as an administrator."""

    clear_options: Mapping[str, Any] = {"reset_dag_runs": True}
    mark_options: Mapping[str, Any] = {"dry_run": False}
    xcom_options: Mapping[str, Any] = {"stringify": False}

    def _connect(self, base_url: str) -> httpx.Client:
        # Without the header a log comes as plain text.
        headers = {"Accept": "application/json"}
        return httpx.Client(base_url=f"{base_url}/api/v1", headers=headers, timeout=30, trust_env=False)

    def run_body(self, conf: Mapping[str, Any]) -> dict[str, Any]:
        """What starts a run."""
        return {"conf": dict(conf)}

    def log_lines(self, content: Any) -> list[dict[str, Any]]:
        """Take a log apart, which comes as one text for each host."""
        text = "\n".join(part for _, part in ast.literal_eval(content))
        return [_line(one.rstrip()) for one in _BEGINS.split(text) if one.strip()]


def _line(text: str) -> dict[str, Any]:
    found = _LINE.match(text)
    if not found:
        return {"event": text}
    is_ours = found["place"].partition(":")[0] in _OURS
    logger = "airflow_provider_videos" if is_ours else found["place"]
    return {"event": found["event"], "level": found["level"].lower(), "logger": logger}
