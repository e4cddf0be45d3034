"""A short fault campaign: twelve faults out of the catalogue of `make chaos`."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.chaos.campaign import conduct
from tests.chaos.faults import DOWNLOADING, Fault, draw
from tests.chaos.report import row, totals

pytestmark = pytest.mark.system

SEED = 257
FAULTS = 12
OUTAGE_SECONDS = 10.0


def drawn() -> list[Fault]:
    """Faults of the seed; jobs are lost while a file is fetched, since a wait bears that for two minutes."""
    return [
        replace(fault, moment=DOWNLOADING) if fault.kind.strike == "lose_jobs" else fault
        for fault in draw(SEED, FAULTS)
    ]


def test_no_fault_buys_twice_or_loses_a_video() -> None:
    # Not in pytest's own folder, which each pytest that begins closes to the database's user.
    home = Path(mkdtemp(prefix="videos-chaos-"))
    results = conduct(drawn(), home, outage=OUTAGE_SECONDS, tell=lambda _: None)
    breaches = [row(result) for result in results if result.verdict.breaches]
    assert breaches == [], f"seed {SEED}: {totals(results)}"
    assert len(results) == FAULTS
    assert sum(result.verdict.delivered for result in results) > 0
    shutil.rmtree(home)
