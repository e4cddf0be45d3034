"""
A Videos API server to develop and test DAGs against: no GPU, no bill.

In a test, `with Emulator() as emulator:`; on the command line, `python -m airflow_provider_videos.emulator`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.emulator.clock import Clock, ManualClock
from airflow_provider_videos.emulator.faults import (
    AddHeaders,
    AlterPrompts,
    Answer,
    Cached,
    Corrupt,
    Cut,
    Drop,
    Expires,
    Failed,
    Fault,
    Latency,
    ListedLate,
    Lost,
    Moderated,
    SecondsAs,
    ShiftTimes,
    Stall,
    Stuck,
)
from airflow_provider_videos.emulator.profiles import PROFILES, Profile

if TYPE_CHECKING:
    from airflow_provider_videos.emulator.server import Emulator

__all__ = [
    "PROFILES",
    "AddHeaders",
    "AlterPrompts",
    "Answer",
    "Cached",
    "Clock",
    "Corrupt",
    "Cut",
    "Drop",
    "Emulator",
    "Expires",
    "Failed",
    "Fault",
    "Latency",
    "ListedLate",
    "Lost",
    "ManualClock",
    "Moderated",
    "Profile",
    "SecondsAs",
    "ShiftTimes",
    "Stall",
    "Stuck",
]

EXTRA = ("av", "PIL", "python_multipart", "starlette", "uvicorn")


def __getattr__(name: str) -> Any:
    """Import the server when it is asked for: whoever only describes faults needs no extra."""
    if name != "Emulator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not all(find_spec(module) for module in EXTRA):
        raise ImportError("the emulator needs the extra: pip install 'airflow-provider-videos[emulator]'")
    from airflow_provider_videos.emulator.server import Emulator

    return Emulator
