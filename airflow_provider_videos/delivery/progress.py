"""Progress of a download, told at a pace people can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_videos.api.clock import Clock
    from airflow_provider_videos.delivery.patience import Log

_MIB = 1024 * 1024
_SECONDS_BETWEEN = 10.0


class Progress:
    """
    Writes a line every ten seconds: percent, rate and what remains.

    :param clock: the time.
    :param log: where it is written.
    """

    def __init__(self, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log
        self._began = self._last = clock.monotonic()

    def at(self, size: int, total: int | None) -> None:
        """
        Say how far it is, if it is time to.

        :param size: the bytes that have come.
        :param total: how many there will be, where that is known.
        """
        now = self._clock.monotonic()
        if now - self._last < _SECONDS_BETWEEN:
            return
        self._last = now
        rate = size / (now - self._began)
        pace = f"{size / _MIB:.0f} MiB at {rate / _MIB:.1f} MiB/s"
        if total:
            self._log.info(
                "%d %%: %s, %s left", 100 * size // total, pace, _spoken((total - size) / max(rate, 1))
            )
        else:
            self._log.info("%s, of a length that the server does not say", pace)


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
