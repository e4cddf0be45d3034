"""`make chaos SEED=7`: draw faults from a seed, do them to a real Airflow, and judge what they leave."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.campaign import conduct
from tests.chaos.faults import draw
from tests.chaos.report import HEAD, row, totals

OUTAGE_SECONDS = 60.0


def main() -> int:
    """Run a campaign; 0 means that every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="what decides faults and moments")
    parser.add_argument("--faults", type=int, default=40, help="how many (%(default)s)")
    parser.add_argument("--only", type=int, nargs="+", help="of those, only these numbers")
    parser.add_argument(
        "--outage", type=float, default=OUTAGE_SECONDS, help="of the API server (%(default)s s)"
    )
    parser.add_argument("--draw", action="store_true", help="show what is drawn and stop")
    given = parser.parse_args()
    faults = [one for one in draw(given.seed, given.faults) if one.number in (given.only or [one.number])]
    if given.draw:
        say("\n".join(f"{fault.number:>3}  {fault}, {fault.delay} s" for fault in faults))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    begun, home = time.monotonic(), Path(tempfile.mkdtemp(prefix="videos-chaos-"))
    say(f"seed {given.seed}, {len(faults)} faults, in {home}")
    results = conduct(faults, home, outage=given.outage, tell=lambda result: say(row(result)))
    say("\n".join(["", HEAD, *map(row, results), "", totals(results)]))
    say(f"seed {given.seed}: {time.monotonic() - begun:.0f} s")
    if any(result.verdict.breaches for result in results):
        say(f"BREACH with seed {given.seed}; everything is kept in {home}")
        return 1
    shutil.rmtree(home, ignore_errors=True)
    return 0


def say(text: str) -> None:
    """Tell the reader."""
    print(text, flush=True)  # noqa: T201 - what a campaign is for


if __name__ == "__main__":
    sys.exit(main())
