"""
One poller for all waits of a connection in an event loop.

A wait asks for a video and says when it would like to hear; how it comes to hear is the poller's business.
Where many are due, pages of the list answer them. What the list does not answer, and whatever ends a wait, is
asked for video by video, by a few workers that live as long as there is something to ask. So a handful of
connections serves any number of waits, and nothing outlives the last of them.

The poller never logs: each answer goes to the wait that it concerns, and nothing of the poller runs in the
context of the wait that happened to be the first.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from contextlib import asynccontextmanager
from contextvars import Context
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.polling.listing import Listing
from airflow_provider_videos.polling.session import CONNECTIONS, Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.polling.session import Connect

_WORKERS = CONNECTIONS - 1  # one connection is the list's

# How long reading the list is put off for others to come due, as a part of an interval.
_GATHERING = 0.08

# How long an answer out of the list is waited for, as a part of an interval: no wait hears less often than
# every other interval.
_PATIENCE = 0.7

# Questions become due on ticks, this part of an interval apart: an alarm for each, nearly all of which the
# list puts out again, would cost as much as what they are about.
_TICK = 0.04
_SHORTEST_TICK = 0.001


class Heard(NamedTuple):
    """What a wait hears."""

    answer: Video | VideosError
    """The video, or the error that came instead of it."""

    listed: bool = False
    """Whether it was read in the list."""

    seconds: float | None = None
    """How long the request took, where one was made for this wait."""


class _Question(asyncio.Future[Heard]):
    """What a wait asks, and the future that it awaits: one object, for there are thousands a minute."""

    __slots__ = ("alarm", "due", "fresh", "in_line", "interval", "left_to_list", "video_id", "welcome")

    def __init__(self, video_id: str, *, due: float, interval: float, welcome: float, fresh: bool) -> None:
        super().__init__()
        self.video_id = video_id
        self.fresh = fresh
        self.due = due
        self.interval = interval
        self.welcome = welcome
        self.alarm = due
        self.left_to_list = False
        self.in_line = False


class Poller:
    """
    Ask one server about many videos. Use it through :func:`poller_of`.

    :param connect: reads the connection.
    """

    def __init__(self, connect: Connect) -> None:
        self.waits = 0
        self._told = Counter[str]()
        self._loop = asyncio.get_running_loop()
        self._session = Session(connect)
        self._listing = Listing(self._session)
        self._asked: dict[str, list[_Question]] = {}
        self._alarms: dict[float, tuple[asyncio.TimerHandle, set[str]]] = {}
        self._line: deque[_Question] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None

    async def ask(
        self,
        video_id: str,
        *,
        due: float,
        interval: float,
        heard_at: float | None = None,
        fresh: bool = False,
    ) -> Heard:
        """
        Return what the server says of a video.

        :param video_id: the video.
        :param due: when to ask, by the event loop's clock. The answer may come half an interval early.
        :param interval: about how many seconds pass between two questions of this wait.
        :param heard_at: when it last heard.
        :param fresh: whether to ask for the video itself, on a connection of its own.
        """
        welcome = 0.0 if heard_at is None else heard_at + interval / 2
        question = _Question(video_id, due=due, interval=interval, welcome=welcome, fresh=fresh)
        self._asked.setdefault(video_id, []).append(question)
        self._set_alarm(question, due)
        try:
            return await question
        finally:
            self._forget(question)

    async def serves_others(self, video_id: str) -> bool | None:
        """
        Say whether the server answers for other videos, or lists its models; None if nobody knows.

        :param video_id: the video that it fails on.
        """
        return await self._session.serves_others(video_id)

    def counts(self) -> Counter[str]:
        """Return how many answers waits were given since the last call, and how many out of the list."""
        told, self._told = self._told, Counter()
        return told

    async def aclose(self) -> None:
        """End all that is under way."""
        tasks = {*self._workers, *filter(None, [self._reader])}
        for timer, _ in self._alarms.values():
            timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.aclose()

    def _set_alarm(self, question: _Question, at: float) -> None:
        tick = max(question.interval * _TICK, _SHORTEST_TICK)
        question.alarm = ceil(at / tick) * tick
        if question.alarm not in self._alarms:
            timer = self._loop.call_at(question.alarm, self._go_off, question.alarm, context=Context())
            self._alarms[question.alarm] = timer, set()
        # By its video's id, so that what is answered before is not kept until then.
        _, video_ids = self._alarms[question.alarm]
        video_ids.add(question.video_id)

    def _go_off(self, moment: float) -> None:
        _, video_ids = self._alarms.pop(moment)
        for question in chain.from_iterable(self._asked.get(video_id, ()) for video_id in video_ids):
            if question.alarm != moment or question.done():
                continue
            if question.left_to_list:
                self._is_late(question)
            else:
                self._is_due(question)

    def _forget(self, question: _Question) -> None:
        same = self._asked[question.video_id]
        same.remove(question)
        if not same:
            del self._asked[question.video_id]

    def _is_due(self, question: _Question) -> None:
        if self._is_refused(question):
            return
        if not self._is_list_read(question):
            self._line_up(question)
        elif not self._session.paced:
            question.left_to_list = True
            self._set_alarm(question, question.due + question.interval * _PATIENCE)

    def _is_late(self, question: _Question) -> None:
        """Wait for the list no longer, however long it takes."""
        self._listing.stop_looking_for(question.video_id)
        self._ask_alone(question)

    def _ask_alone(self, question: _Question) -> None:
        if not self._is_refused(question):
            self._line_up(question)

    def _is_refused(self, question: _Question) -> bool:
        refusal = self._session.gate.refusal(self._loop.time(), question.interval)
        if refusal:
            self._tell(question, Heard(refusal))
        return refusal is not None

    def _tell(self, question: _Question, heard: Heard) -> None:
        if not question.done():
            question.set_result(heard)
            self._told["polls"] += 1
            if heard.listed:
                self._told["polls_listed"] += 1

    def _start(self, job: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return self._loop.create_task(job, context=Context())

    # One by one.

    def _line_up(self, question: _Question) -> None:
        if question.in_line:
            return
        question.in_line = True
        self._line.append(question)
        if len(self._workers) < _WORKERS:
            worker = self._start(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        while self._line:
            question = self._line.popleft()
            if not question.done():
                await self._answer(question)

    async def _answer(self, question: _Question) -> None:
        try:
            heard = await self._retrieve(question.video_id)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this wait's and no other's
            if not question.done():
                question.set_exception(error)
            return
        self._tell(question, heard)
        if reason := self._session.gate.reason:
            while self._line:
                self._tell(self._line.popleft(), Heard(reason))

    async def _retrieve(self, video_id: str) -> Heard:
        began = self._loop.time()
        fresh = any(question.fresh for question in self._asked.get(video_id, ()))
        try:
            answer: Video | VideosError = await self._session.perform(
                requests.retrieve(video_id, fresh=fresh)
            )
        except VideosError as error:
            answer = error
        heard = Heard(answer, seconds=self._loop.time() - began)
        for question in self._welcoming(video_id):
            self._tell(question, heard)
        return heard

    def _welcoming(self, video_id: str) -> Iterator[_Question]:
        """The questions about a video that an answer does not come too early for."""
        now = self._loop.time()
        return (one for one in self._asked.get(video_id, ()) if one.welcome <= now)

    # Many at once.

    def _is_list_read(self, question: _Question) -> bool:
        """Say whether the list may answer, and have it read if that pays."""
        if question.fresh or self._listing.lacks(question.video_id):
            return False
        if self._reader is None and self._listing.pays(self._asked):
            self._reader = self._start(self._read_list(question.interval * _GATHERING))
        return self._reader is not None

    async def _read_list(self, gathering: float) -> None:
        await asyncio.sleep(gathering)
        wanted = [video_id for video_id in self._asked if any(self._welcoming(video_id))]
        try:
            if self._listing.pays(wanted):
                # One video is asked for itself, so that a list that is behind does not go unnoticed.
                checked = await self._retrieve(random.choice(wanted))  # noqa: S311 - any of them
                async for video in self._listing.read(wanted, checked.answer):
                    self._hear_listed(video)
        finally:
            self._reader = None
            self._ask_alone_what_is_due()

    def _hear_listed(self, video: Video) -> None:
        for question in self._welcoming(video.id):
            if video.has_ended:
                # The list is only a hint of an end: the video itself has the last word.
                self._ask_alone(question)
            else:
                self._tell(question, Heard(video, listed=True))

    def _ask_alone_what_is_due(self) -> None:
        now = self._loop.time()
        for question in chain.from_iterable(self._asked.values()):
            if question.due <= now and not question.done():
                self._ask_alone(question)


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


@asynccontextmanager
async def poller_of(conn_id: str, connect: Connect) -> AsyncIterator[Poller]:
    """
    Join the waits of a connection in this event loop; the last one to leave ends their poller.

    :param conn_id: the connection's id.
    :param connect: reads the connection; every wait's does the same.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.get(conn_id) or pollers.setdefault(conn_id, Poller(connect))
    poller.waits += 1
    try:
        yield poller
    finally:
        poller.waits -= 1
        if not poller.waits:
            del pollers[conn_id]
            # A wait that is cancelled once more while it leaves does not keep this from being done.
            await asyncio.shield(asyncio.create_task(poller.aclose(), context=Context()))
