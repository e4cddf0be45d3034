"""An event loop whose time is turned by hand: it jumps to the next timer whenever nothing is under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_videos.api.transport import AsyncTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    import pytest

    from airflow_provider_videos.emulator import ManualClock


class TurnedLoop(asyncio.SelectorEventLoop):
    """
    A loop in which sleeping takes no time. Time stands still while a request or a thread is under way.

    :param clock: a server's clock, turned along with ours.
    """

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.moment = 0.0
        self.under_way = 0
        self.most_under_way = 0
        self.asked = asyncio.Event()
        self._clock = clock
        super().__init__()

    def time(self) -> float:
        return self.moment

    def run_in_executor(self, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        self.under_way += 1
        future = super().run_in_executor(*args)
        future.add_done_callback(self._is_over)
        return future

    @property
    def sockets(self) -> int:
        """How many sockets are open, but for the loop's own."""
        selector: Any = vars(self)["_selector"]
        return len(selector.get_map()) - 1

    def _run_once(self) -> None:
        loop: Any = vars(self)
        if not loop["_ready"] and not self.under_way:
            moments = [timer.when() for timer in loop["_scheduled"] if not timer.cancelled()]
            if moments and min(moments) > self.moment:
                if self._clock:
                    self._clock.advance(min(moments) - self.moment)
                self.moment = min(moments)
        super()._run_once()  # type: ignore[misc] # there is no other place to stop the clock

    def _is_over(self, _: object) -> None:
        self.under_way -= 1


class Body(httpx.AsyncByteStream):
    """An answer's body, which is under way until it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, loop: TurnedLoop) -> None:
        self._stream, self._loop = stream, loop

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        await self._stream.aclose()
        self._loop.under_way -= 1


def watch_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the loop know what is on the wire."""
    send: Callable[..., Awaitable[httpx.Response]] = AsyncTransport.send

    async def watched(self: AsyncTransport, request: httpx.Request, *, stream: bool) -> httpx.Response:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, TurnedLoop):
            return await send(self, request, stream=stream)
        loop.under_way += 1
        loop.most_under_way = max(loop.most_under_way, loop.under_way)
        loop.asked.set()
        try:
            response = await send(self, request, stream=stream)
        except BaseException:
            loop.under_way -= 1
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = Body(response.stream, loop)
        return response

    monkeypatch.setattr(AsyncTransport, "send", watched)


def run(main: Coroutine[Any, Any, Any], clock: ManualClock | None = None) -> Any:
    """
    Run a coroutine in a loop of its own and see that nothing is left of it.

    :param main: the coroutine.
    :param clock: a server's clock, turned along.
    """
    with asyncio.Runner(loop_factory=lambda: TurnedLoop(clock)) as runner:
        result = runner.run(main)
        loop = runner.get_loop()
        assert isinstance(loop, TurnedLoop)
        assert not asyncio.all_tasks(loop)
        assert not loop.sockets
        return result
