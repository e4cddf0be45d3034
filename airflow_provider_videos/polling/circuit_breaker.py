"""Circuit breaker of a connection: its waits hold still when the server asks for it or is away. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_videos.api.errors import Busy, ServerFault, TransportError, VideosError
from airflow_provider_videos.polling.wait_state import capped_retry_after

# One lost answer is an accident; several in a row, with nothing heard in between, are an outage.
OUTAGE_AFTER_FAILURES = 3


@dataclass(slots=True)
class CircuitBreaker:
    """
    Circuit breaker of one connection. All times are by the event loop's clock.

    While it is open, who wants to send is told why instead. It closes with an answer; to get one, a single
    request is let through when what the server asked for is over, and then once in an interval.

    :param reason: why it is open; None while it is closed and anything may be sent.
    :param until: until when the server asked us to wait.
    :param tried_at: when a request was last let through, or failed.
    :param failures: how many requests in a row no answer came to.
    """

    reason: VideosError | None = None
    until: float = 0.0
    tried_at: float = 0.0
    failures: int = 0

    def check(self, now: float, interval: float) -> VideosError | None:
        """
        Say why nothing may be sent now; None lets one request through.

        :param now: the present time.
        :param interval: how often whoever asks would like to send.
        """
        if self.reason is None or now < max(self.until, self.tried_at + interval):
            return self.reason
        self.tried_at = now
        return None

    def record_result(self, error: VideosError | None, now: float) -> None:
        """
        Take note of how a request ended.

        :param error: what came instead of an answer; None if one came.
        :param now: the present time.
        """
        if isinstance(error, TransportError):
            self.failures += 1
            if self.failures >= OUTAGE_AFTER_FAILURES:
                self._open(error, now)
            return
        self.failures = 0
        if isinstance(error, Busy) or (isinstance(error, ServerFault) and error.retry_after):
            # An answer that was on its way meanwhile does not shorten what another one asked for.
            self.until = max(self.until, now + capped_retry_after(error.retry_after))
            self._open(error, now)
        elif now >= self.until:
            self.reason = None

    def _open(self, error: VideosError, now: float) -> None:
        # The waits of other videos are told, too; the id is not theirs.
        self.reason = type(error)(error.message)
        self.tried_at = now
