"""The check that the http provider's trigger calls with each response."""

from __future__ import annotations

from typing import Any


async def not_yet(response: Any) -> bool:
    """Look at the status, as ours does."""
    return bool(response.json()["status"] != "in_progress")
