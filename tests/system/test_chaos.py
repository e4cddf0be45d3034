"""A short fault campaign: twelve faults out of the catalogue of `make chaos`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.campaign import conduct
from tests.chaos.faults import draw
from tests.chaos.report import row, totals

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

SEED = 1
FAULTS = 12
OUTAGE_SECONDS = 10.0


def test_no_fault_buys_twice_or_loses_a_video(tmp_path: Path) -> None:
    results = conduct(draw(SEED, FAULTS), tmp_path, outage=OUTAGE_SECONDS, tell=lambda _: None)
    breaches = [row(result) for result in results if result.verdict.breaches]
    assert breaches == [], f"seed {SEED}: {totals(results)}"
    assert len(results) == FAULTS
    assert sum(result.verdict.delivered for result in results) > 0
