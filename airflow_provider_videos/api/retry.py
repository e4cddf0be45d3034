"""
Retry rules: when to ask again, and how long to wait before it.

Pure: :func:`judge` is the table of the README, :class:`Backoff` the clock beside it. Both client shells are
driven by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_tz
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Backoff"]

_EMPTY_ACCOUNT = {"insufficient_quota", "billing_hard_limit_reached"}
# Words that say "not accepted". "Unavailable" is not one: proxies say it of a backend that died with the job.
_BUSY_WORDS = re.compile(
    r"\b(busy|overload|capacity|too many|concurren|limit of|limit reached|rate limit)", re.IGNORECASE
)
_GONE = {404, 410}
_SEE_THERE = {301, 302, 303}  # what follows a POST that was accepted, as well as one that was not
_MAY_SAY_BUSY = {409, 503}
_RETRY_AFTER_PREFIXES = ("", "llm_provider-")


class Call(Enum):
    """Kind of a request; what it costs to repeat depends on nothing else."""

    READ = "GET"
    DELETE = "DELETE"
    BUY = "POST that buys"


class Event(Enum):
    """End of an attempt."""

    NOT_SENT = "could not connect"
    LOST = "timed out or dropped"
    ANSWERED = "answered"
    UNREADABLE = "2xx that cannot be read"


class Verdict(Enum):
    """Consequence of an attempt that did not simply succeed."""

    RETRY = "retry"
    RAISE = "raise"
    GONE = "already gone: success"
    UNKNOWN = "unknown outcome: never repeated blindly"


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    Facts known of one attempt.

    :param event: how it ended.
    :param status_code: the HTTP status, where there was an answer.
    :param code: the server's error code.
    :param words: the server's own error text; empty where the body was not an error envelope.
    :param is_own: whether the body was an API's error envelope, not a page of a proxy that writes JSON.
    :param retry_after: the seconds the server asked to wait.
    """

    event: Event
    status_code: int = 0
    code: str | None = None
    words: str = ""
    is_own: bool = True
    retry_after: float | None = None

    @property
    def refused_for_now(self) -> bool:
        """Whether the server itself said "not now", and so surely did not accept the request."""
        if self.status_code in _MAY_SAY_BUSY:
            # A proxy's bare 503 says nothing of the server; only a word does, or that it is asked to wait.
            return self.retry_after is not None or bool(_BUSY_WORDS.search(self.words))
        return self.status_code == 429 and not self.account_is_empty

    @property
    def surely_not_accepted(self) -> bool:
        """Whether a purchase may be repeated: a proxy's page, or no body, can follow an accepted one."""
        has_said_so = self.is_own and bool(self.words.strip())
        return self.refused_for_now and (has_said_so or self.status_code not in _MAY_SAY_BUSY)

    @property
    def account_is_empty(self) -> bool:
        """Whether a 429 is about money rather than about pace."""
        return self.status_code == 429 and self.code in _EMPTY_ACCOUNT

    @property
    def server_failed(self) -> bool:
        """Whether nothing is known of what the server did with the request."""
        # 501 "not implemented" is an answer, not an accident.
        return self.status_code == 408 or (self.status_code >= 500 and self.status_code != 501)


def judge(call: Call, outcome: Outcome) -> Verdict:
    """
    Decide what follows from an attempt.

    :param call: the kind of request.
    :param outcome: how the attempt ended; not called for a success that could be read.
    """
    if outcome.event is Event.NOT_SENT or outcome.surely_not_accepted:
        return Verdict.RETRY
    if outcome.refused_for_now:
        return Verdict.UNKNOWN if call is Call.BUY else Verdict.RETRY
    if outcome.event is Event.UNREADABLE:
        return {Call.READ: Verdict.RAISE, Call.DELETE: Verdict.GONE, Call.BUY: Verdict.UNKNOWN}[call]
    if outcome.event is Event.LOST or outcome.server_failed:
        return Verdict.UNKNOWN if call is Call.BUY else Verdict.RETRY
    if call is Call.BUY and outcome.status_code in _SEE_THERE:
        return Verdict.UNKNOWN
    return Verdict.GONE if call is Call.DELETE and outcome.status_code in _GONE else Verdict.RAISE


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Limits and pauses of one call's attempts. All times are seconds.

    :param attempts: how often a request is sent at the most.
    :param total: how long all attempts and waits may take together.
    :param base: the first wait is drawn from zero to this; each further one from twice as much.
    :param cap: the longest such wait.
    :param longest_retry_after: the longest Retry-After that is obeyed within the call.
    """

    attempts: int = 5
    total: float = 120.0
    base: float = 0.5
    cap: float = 8.0
    longest_retry_after: float = 30.0

    def wait(self, attempt: int, elapsed: float, retry_after: float | None, chance: float) -> float | None:
        """
        Say how long to wait before the next attempt, or None to give up.

        :param attempt: how many attempts were made, from 1.
        :param elapsed: seconds since the first one began.
        :param retry_after: what the server asked for.
        :param chance: a random number from 0 to 1, for full jitter.
        """
        pause = chance * min(self.cap, self.base * 2 ** (attempt - 1))
        if retry_after is not None:
            if retry_after > self.longest_retry_after:
                return None
            pause += retry_after
        return pause if attempt < self.attempts and elapsed + pause < self.total else None


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """
    Read how many seconds a server asks to wait, from ``retry-after-ms`` or ``Retry-After``.

    Where a gateway says nothing of its own, what the service behind it said counts: some hand that on in
    headers of other names.

    :param headers: the answer's headers, with case-insensitive names.
    :param now: the present time in unix seconds; the answer's own Date goes before it.
    """
    for prefix in _RETRY_AFTER_PREFIXES:
        milliseconds = _number(headers.get(f"{prefix}retry-after-ms"))
        if milliseconds is not None:
            return milliseconds / 1000
        seconds = _seconds_until(headers.get(f"{prefix}retry-after"), headers.get("date"), now)
        if seconds is not None:
            return seconds
    return None


def _seconds_until(value: str | None, sent: str | None, now: float) -> float | None:
    seconds = _number(value)
    until = http_date(value)
    if seconds is not None or until is None:
        return seconds
    return max(0.0, until - (http_date(sent) or now))


def _number(text: str | None) -> float | None:
    match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*", text or "", re.ASCII)
    return float(match[1]) if match else None


def http_date(text: str | None) -> float | None:
    """
    Read a moment as HTTP headers write it, in unix seconds; None where it is none.

    All three forms are in GMT, also the one that does not say so.

    :param text: the header's value.
    """
    try:
        parsed = parsedate_tz(text or "")
        if parsed is None:
            return None
        year, month, day, hour, minute, second, _, _, _, offset = parsed
        # A leap second counts as the one before it.
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, IndexError):
        return None
    return moment.timestamp() - (offset or 0)
