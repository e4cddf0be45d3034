"""
Peak memory of 300 waits under each kind of answer, in a process that does nothing else.

Reads ``{"base_url": ..., "answers": [...]}``, writes the bytes that each answer took it above where it idles.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
from pathlib import Path

from tests.api.anything import Anything
from tests.api.test_fuzz_wire import endpoint_of, waits

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK_OF_MEMORY = "5"


def resident(field: str) -> int:
    match = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    assert match, f"no {field} in {_STATUS}"
    return int(match[1]) * 1024


def peak_of(base_url: str, answer: Anything) -> int:
    gc.collect()
    gc.disable()  # what is kept until the collector comes by is kept for long in a process of few objects
    try:
        _FORGET.write_text(_PEAK_OF_MEMORY)
        asyncio.run(waits(endpoint_of(base_url, answer)))
        return resident("VmHWM")
    finally:
        gc.enable()


def main() -> None:
    given = json.load(sys.stdin)
    peak_of(given["base_url"], Anything())
    gc.collect()
    idle = resident("VmRSS")
    peaks = [peak_of(given["base_url"], Anything(**answer)) - idle for answer in given["answers"]]
    json.dump(peaks, sys.stdout)


if __name__ == "__main__":
    main()
