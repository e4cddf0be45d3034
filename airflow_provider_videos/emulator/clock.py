"""The emulator's time: jobs ask it, nothing waits for it."""

from __future__ import annotations

import threading
import time


class Clock:
    """
    The real time, which can be put forward.

    :param offset: seconds this clock is ahead of the machine's (behind it, when negative).
    """

    def __init__(self, offset: float = 0.0) -> None:
        self._ahead = offset
        self._lock = threading.Lock()

    def now(self) -> float:
        """Unix seconds."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """
        Put the clock forward; a negative number makes it run behind from now on.

        :param seconds: how far.
        """
        with self._lock:
            self._ahead += seconds

    def tick(self) -> None:
        """Take note of a request; the real time passes by itself."""


class ManualClock(Clock):
    """
    A clock that stands still until it is turned by hand, or by requests.

    :param start: the unix time it shows at first; by default the present second.
    :param per_request: by how many seconds each request turns it, before it is looked at.
    """

    def __init__(self, start: float | None = None, *, per_request: float = 0.0) -> None:
        super().__init__(float(int(time.time())) if start is None else start)
        self.per_request = per_request

    def tick(self) -> None:
        """Turn by what a request is worth."""
        self.advance(self.per_request)

    def now(self) -> float:
        """Unix seconds."""
        return self._ahead
