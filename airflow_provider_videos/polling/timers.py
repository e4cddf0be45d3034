"""Timers that go off together: many that are set anew all the time cost little more than a few."""

from __future__ import annotations

import asyncio
from contextvars import Context
from math import ceil
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Timers(Generic[T]):
    """
    One timer for each of many items, of which those of a tick share one of the event loop's.

    :param on_timer: called with each item when its time has come.
    """

    def __init__(self, on_timer: Callable[[T], None]) -> None:
        self._on_timer = on_timer
        self._loop = asyncio.get_running_loop()
        self._ticks: dict[float, tuple[asyncio.TimerHandle, set[T]]] = {}
        self._tick_of: dict[T, float] = {}

    def set(self, item: T, at: float, granularity: float) -> None:
        """
        Set an item's timer, instead of the one that it has.

        :param item: the item.
        :param at: when it goes off at the earliest, by the event loop's clock.
        :param granularity: how many seconds later it goes off at the latest.
        """
        self.cancel(item)
        tick = ceil(at / granularity) * granularity
        if tick not in self._ticks:
            handle = self._loop.call_at(tick, self._on_tick, tick, context=Context())
            self._ticks[tick] = handle, set()
        self._ticks[tick][1].add(item)
        self._tick_of[item] = tick

    def cancel(self, item: T) -> None:
        """
        Cancel an item's timer if it has one.

        :param item: the item.
        """
        tick = self._tick_of.pop(item, None)
        if tick is None:
            return
        handle, items = self._ticks[tick]
        items.discard(item)
        if not items:
            handle.cancel()
            del self._ticks[tick]

    def _on_tick(self, tick: float) -> None:
        _, items = self._ticks.pop(tick)
        for item in items:
            del self._tick_of[item]
        for item in items:
            self._on_timer(item)
