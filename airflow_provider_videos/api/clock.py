"""Clock that everything here reads and waits by; a test puts another one in its place."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["Clock", "default_clock", "use_clock"]


@dataclass(frozen=True, slots=True)
class Clock:
    """
    Time of day, elapsed time, and pauses for code that may block and for code on an event loop.

    :param now: returns the unix time.
    :param monotonic: returns seconds that only grow.
    :param sleep: blocks for so many seconds.
    :param async_sleep: returns what is awaited for so many seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    async_sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


_default = Clock()


def default_clock() -> Clock:
    """Return the clock of everything that is given none: the machine's, unless :func:`use_clock` says so."""
    return _default


@contextmanager
def use_clock(clock: Clock) -> Iterator[None]:
    """
    Make a clock the default of this process for a while, as a fixture does that turns time by hand.

    :param clock: the clock; what was made before keeps its own.
    """
    global _default  # noqa: PLW0603 - Airflow makes the operators and hooks, so nobody can hand them a clock
    before, _default = _default, clock
    try:
        yield
    finally:
        _default = before
