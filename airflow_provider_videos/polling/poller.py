"""
One poller for all waits of a connection in an event loop.

A wait subscribes to a video and is told news; how the poller comes to hear is the poller's business. Where
many are due, pages of the list answer them. What the list does not answer, and whatever ends a wait, is asked
for video by video, by a few workers that live as long as there is something to ask. So a handful of
connections serves any number of waits, and nothing outlives the last of them.

The poller never logs: each answer goes to the wait that it concerns, and nothing of the poller runs in the
context of the wait that happened to be the first.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from itertools import chain
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.polling.listing import Listing
from airflow_provider_videos.polling.session import CONNECTIONS, Session
from airflow_provider_videos.polling.subscription import Answer, Subscription
from airflow_provider_videos.polling.timers import Timers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.polling.session import Connect
    from airflow_provider_videos.polling.wait_state import WaitState

    Report = Callable[[list[Answer], int], None]

_WORKERS = CONNECTIONS - 1  # one connection is the list's

# How long reading the list is put off for others to come due, as a part of an interval.
_BATCH_WINDOW = 0.08

# How long an answer out of the list is waited for, as a part of an interval: no wait hears less often than
# every other interval.
_LIST_TIMEOUT = 0.7

# How far apart timers go off, as a part of an interval: one for each wait, nearly all of which the list sets
# anew before, would cost as much as the answers.
_TIMER_GRANULARITY = 0.04
_SHORTEST_GRANULARITY = 0.001


class Poller:
    """
    Ask one server about many videos. Use it through :func:`poller_of`.

    :param connect: reads the connection.
    :param report: called with the answers that waits were given, one for each wait and answer, and with the
        number of waits.
    """

    def __init__(self, connect: Connect, report: Report) -> None:
        self.waits = 0
        self._report = report
        self._answers: list[Answer] = []
        self._loop = asyncio.get_running_loop()
        self._session = Session(connect)
        self._listing = Listing(self._session)
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._timers = Timers(self._on_timer)
        self._queue: deque[str] = deque()
        self._pending: set[str] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None

    @contextmanager
    def subscribe(self, state: WaitState, interval: Callable[[float], float]) -> Iterator[Subscription]:
        """
        Have a wait told what is new of its video.

        :param state: what is known of the wait; each answer updates it.
        :param interval: returns about how many seconds pass between two answers, at some unix time.
        """
        subscription = Subscription(state, interval)
        same = self._subscriptions.setdefault(state.video_id, [])
        same.append(subscription)
        self._set_timer(subscription, subscription.due)
        try:
            yield subscription
        finally:
            self._timers.cancel(subscription)
            same.remove(subscription)
            if not same:
                del self._subscriptions[state.video_id]

    def flush(self) -> None:
        """Report what has not been reported."""
        answers, self._answers = self._answers, []
        self._report(answers, self.waits)

    async def aclose(self) -> None:
        """End all that is under way."""
        tasks = {*self._workers, *filter(None, [self._reader])}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.aclose()

    # When answers are due.

    def _set_timer(self, subscription: Subscription, at: float) -> None:
        granularity = max(subscription.interval * _TIMER_GRANULARITY, _SHORTEST_GRANULARITY)
        self._timers.set(subscription, at, granularity)

    def _on_timer(self, subscription: Subscription) -> None:
        if subscription.is_due:
            # The list is waited for no longer, however long it takes.
            self._listing.stop_looking_for(subscription.state.video_id)
            self._ask_alone(subscription)
            return
        subscription.is_due = True
        if not self._refuse(subscription):
            self._leave_to_list_or_enqueue(subscription)

    def _leave_to_list_or_enqueue(self, subscription: Subscription) -> None:
        if not self._may_be_listed(subscription.state):
            self._enqueue(subscription.state.video_id)
            return
        self._start_list_read(subscription.interval * _BATCH_WINDOW)
        if not self._session.paced:
            self._set_timer(subscription, subscription.due + subscription.interval * _LIST_TIMEOUT)

    def _ask_alone(self, subscription: Subscription) -> None:
        if not self._refuse(subscription):
            self._enqueue(subscription.state.video_id)

    def _refuse(self, subscription: Subscription) -> bool:
        """Tell a wait why nothing may be sent now, and say whether that is so."""
        reason = self._session.breaker.check(self._loop.time(), subscription.interval)
        if reason:
            self._resolve(subscription, Answer(reason), self._loop.time())
        return reason is not None

    # Telling answers.

    def _resolve(self, subscription: Subscription, answer: Answer, now: float) -> None:
        if not self._answers:
            self._loop.call_soon(self.flush, context=Context())
        self._answers.append(answer)
        state = subscription.state
        serves_others = self._session.serves_others(state.video_id) if state.is_faulty else None
        subscription.update(answer.value, now, serves_others=serves_others)
        if subscription.has_ended:
            self._timers.cancel(subscription)
        else:
            self._set_timer(subscription, subscription.due)

    def _resolve_all(self, video_id: str, answer: Answer) -> None:
        now = self._loop.time()
        for subscription in self._welcoming(video_id, now):
            self._resolve(subscription, answer, now)

    def _welcoming(self, video_id: str, now: float) -> list[Subscription]:
        return [one for one in self._subscriptions.get(video_id, ()) if one.welcomes_answer(now)]

    # One by one.

    def _enqueue(self, video_id: str) -> None:
        if video_id in self._pending:
            return
        self._pending.add(video_id)
        self._queue.append(video_id)
        if len(self._workers) < _WORKERS:
            worker = self._start(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        while self._queue:
            video_id = self._queue.popleft()
            if self._welcoming(video_id, self._loop.time()):
                await self._ask(video_id)
            self._pending.discard(video_id)

    async def _ask(self, video_id: str) -> None:
        try:
            await self._retrieve(video_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this video's and no other's
            for subscription in self._welcoming(video_id, self._loop.time()):
                subscription.end(error)
            return
        if reason := self._session.breaker.reason:
            while self._queue:
                video_id = self._queue.popleft()
                self._pending.discard(video_id)
                self._resolve_all(video_id, Answer(reason))

    async def _retrieve(self, video_id: str) -> Video | VideosError:
        began = self._loop.time()
        states = [subscription.state for subscription in self._subscriptions.get(video_id, ())]
        is_missing = any(state.is_missing for state in states)
        try:
            value: Video | VideosError = await self._session.perform(
                requests.retrieve(video_id, fresh=is_missing)
            )
        except VideosError as error:
            value = error
        answer = Answer(value, seconds=self._loop.time() - began)
        if any(state.is_faulty for state in states):
            await self._session.check_models(video_id)
        self._resolve_all(video_id, answer)
        return value

    def _start(self, job: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return self._loop.create_task(job, context=Context())

    # Many at once.

    def _may_be_listed(self, state: WaitState) -> bool:
        if state.is_missing or self._listing.lacks(state.video_id):
            return False
        return self._reader is not None or self._listing.is_cheaper(self._subscriptions)

    def _start_list_read(self, delay: float) -> None:
        if self._reader is None:
            self._reader = self._start(self._read_list(delay))

    async def _read_list(self, delay: float) -> None:
        await asyncio.sleep(delay)
        now = self._loop.time()
        wanted = [video_id for video_id in self._subscriptions if self._welcoming(video_id, now)]
        try:
            if self._listing.is_cheaper(wanted):
                # One video is asked for itself, so that a list that is behind does not go unnoticed.
                checked = await self._retrieve(random.choice(wanted))  # noqa: S311 - any of them
                async for page in self._listing.read(wanted, checked):
                    self._on_page(page)
        finally:
            self._reader = None
            self._ask_alone_what_is_due()

    def _on_page(self, page: list[Video]) -> None:
        now = self._loop.time()
        for video in page:
            for subscription in self._subscriptions.get(video.id, ()):
                if not subscription.welcomes_answer(now):
                    continue
                if video.has_ended:
                    # The list is only a hint of an end: the video itself has the last word.
                    self._ask_alone(subscription)
                else:
                    self._resolve(subscription, Answer(video, listed=True), now)

    def _ask_alone_what_is_due(self) -> None:
        for subscription in chain.from_iterable(self._subscriptions.values()):
            if subscription.is_due:
                self._ask_alone(subscription)


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


@asynccontextmanager
async def poller_of(conn_id: str, connect: Connect, report: Report) -> AsyncIterator[Poller]:
    """
    Join the waits of a connection in this event loop; the last one to leave ends their poller.

    :param conn_id: the connection's id.
    :param connect: reads the connection; every wait's does the same.
    :param report: as :class:`Poller` takes it; every wait's does the same.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.get(conn_id) or pollers.setdefault(conn_id, Poller(connect, report))
    poller.waits += 1
    try:
        yield poller
    finally:
        poller.waits -= 1
        poller.flush()
        if not poller.waits:
            del pollers[conn_id]
            # A wait that is cancelled once more while it leaves does not keep this from being done.
            await asyncio.shield(asyncio.create_task(poller.aclose(), context=Context()))
