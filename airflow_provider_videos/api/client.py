"""Two thin shells around one protocol: :class:`VideosClient` blocks, :class:`AsyncVideosClient` awaits."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.clock import default_clock
from airflow_provider_videos.api.content import Content, async_content_of, content_of
from airflow_provider_videos.api.environment import tls_context
from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.api.exchange import Cursor, Done, Pause, Reply, Send, Step, advance, exchange
from airflow_provider_videos.api.reading import async_read, is_file, is_long, read, streaming_timeouts
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.api.transport import needs_tls
from airflow_provider_videos.api.transport_adapter import async_senders, senders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence

    from airflow_provider_videos.api.clock import Clock
    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import Character, Video, VideoDeleted, VideoPage
    from airflow_provider_videos.api.operations import Operation
    from airflow_provider_videos.api.uploads import Reference, Upload

__all__ = ["AsyncVideosClient", "Content", "VideosClient", "prepare"]

T = TypeVar("T")

_TOO_LATE = "the answer was not complete in time"


async def prepare(endpoint: Endpoint) -> None:
    """
    Do the slow part of making a client in a thread, for whoever makes one on an event loop.

    :param endpoint: the server the client is for.
    """
    if needs_tls(endpoint):
        await asyncio.to_thread(tls_context, verify=endpoint.verify)


def _without_history(error: VideosError) -> VideosError:
    """Return an error without what led to it: frames and causes hold the answer, and the request's key."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _patience(endpoint: Endpoint, backoff: Backoff | None) -> Backoff:
    return backoff or Backoff(total=endpoint.timeout.total)


def _limited(backoff: Backoff, attempts: int | None) -> Backoff:
    return backoff if attempts is None else replace(backoff, attempts=attempts)


class VideosClient:
    """
    A Videos server, seen from code that may block.

    :param endpoint: the server and how to talk to it.
    :param backoff: how patient each call is.
    :param transport: what everything is sent through, as :class:`httpx.Client` takes it: an
        ``httpx.MockTransport`` in a test, say. A purchase goes out on a fresh connection only if the
        transport makes one. By default connections by way of the proxy and with the certificates that the
        environment names.
    :param clock: what its calls are measured by and wait by.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        backoff: Backoff | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._clock = clock or default_clock()
        self._backoff = _patience(endpoint, backoff)
        self._pooled, self._fresh = senders(endpoint, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for sender in {self._pooled, self._fresh}:
            sender.close()

    def create(
        self,
        prompt: str,
        *,
        model: str | None = None,
        seconds: str | int | None = None,
        size: str | None = None,
        input_reference: Reference | None = None,
        characters: Sequence[str] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Video:
        """
        Buy a video.

        :param prompt: what it shows.
        :param model: the model that makes it; the endpoint's own by default.
        :param seconds: its length.
        :param size: width x height in pixels, such as ``1280x720``.
        :param input_reference: the image it starts from.
        :param characters: the ids of the characters in it, at most two in the contract.
        :param extra_body: further fields of any name; they override the others.
        :raises OutcomeUnknown: if the video may have been bought but the answer is lost.
        """
        return self.perform(
            requests.create(
                self.endpoint,
                prompt,
                model=model,
                seconds=seconds,
                size=size,
                input_reference=input_reference,
                characters=characters,
                extra_body=extra_body,
            )
        )

    def remix(self, video_id: str, prompt: str, *, extra_body: Mapping[str, Any] | None = None) -> Video:
        """
        Buy a variation of a video.

        :param video_id: the completed video to start from.
        :param prompt: what shall be different.
        :param extra_body: further fields of any name; they override the others.
        :raises OutcomeUnknown: if the video may have been bought but the answer is lost.
        """
        return self.perform(requests.remix(video_id, prompt, extra_body=extra_body))

    def edit(self, video: str | Upload, prompt: str, *, extra_body: Mapping[str, Any] | None = None) -> Video:
        """
        Buy a changed version of a video.

        :param video: the completed video's id, or a file.
        :param prompt: what shall be different.
        :param extra_body: further fields of any name; they override the others.
        :raises OutcomeUnknown: if the video may have been bought but the answer is lost.
        """
        return self.perform(requests.edit(video, prompt, extra_body=extra_body))

    def extend(
        self,
        video: str | Upload,
        prompt: str,
        *,
        seconds: str | int,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Video:
        """
        Buy a longer version of a video.

        :param video: the completed video's id, or a file.
        :param prompt: what happens next.
        :param seconds: how much is added; the new video's own ``seconds`` is the total.
        :param extra_body: further fields of any name; they override the others.
        :raises OutcomeUnknown: if the video may have been bought but the answer is lost.
        """
        operation = requests.extend(self.endpoint, video, prompt, seconds=seconds, extra_body=extra_body)
        return self.perform(operation)

    def create_character(self, name: str, video: Upload) -> Character:
        """
        Make a character that videos can share.

        :param name: what to call it, 1 to 80 characters in the contract.
        :param video: a clip that shows it.
        :raises OutcomeUnknown: if it may have been made but the answer is lost.
        """
        return self.perform(requests.create_character(name, video))

    def get_character(self, character_id: str) -> Character:
        """
        Ask for a character.

        :param character_id: the id it was given when it was made.
        """
        return self.perform(requests.get_character(character_id))

    def retrieve(self, video_id: str, *, attempts: int | None = None) -> Video:
        """
        Ask for a video's state. A failed video is an answer, not an error.

        :param video_id: the id its purchase returned.
        :param attempts: see :meth:`perform`.
        """
        return self.perform(requests.retrieve(video_id), attempts=attempts)

    def list(
        self, *, after: str | None = None, limit: int | None = None, order: str | None = None
    ) -> Iterator[Video]:
        """
        Go through the server's videos, fetching pages as they are needed.

        :param after: begin behind this id.
        :param limit: how many videos a page holds; the server's own default if None.
        :param order: ``asc`` or ``desc``, by creation.
        """
        for page in self.pages(after=after, limit=limit, order=order):
            yield from page.data

    def pages(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: str | None = None,
        fresh: bool = False,
        attempts: int | None = None,
    ) -> Iterator[VideoPage]:
        """
        Go through the server's videos page by page. The other parameters are those of :meth:`list`.

        A video that two pages repeat is handed on once.

        :param fresh: whether each page is asked for past caches, and on a connection of its own.
        :param attempts: see :meth:`perform`; of each page.
        """
        cursor = Cursor(after, limit, order)
        while not cursor.done:
            operation = cursor.operation()
            page = self.perform(requests.uncached(operation) if fresh else operation, attempts=attempts)
            yield page.model_copy(update={"data": cursor.take(page)})

    def delete(self, video_id: str) -> VideoDeleted:
        """
        Delete a video; one that is already gone is no error.

        :param video_id: the id its purchase returned.
        """
        return self.perform(requests.delete(video_id))

    @contextmanager
    def download_content(
        self,
        video_id: str,
        *,
        variant: str = requests.DEFAULT_VARIANT,
        offset: int = 0,
        etag: str | None = None,
        attempts: int | None = None,
    ) -> Iterator[Content[Iterator[bytes]]]:
        """
        Open a completed video's file as a stream.

        :param video_id: the id its purchase returned.
        :param variant: ``video``, ``thumbnail`` or ``spritesheet``.
        :param offset: the byte to begin with. A server may send the whole file all the same, see
            ``Content.start``.
        :param etag: the ``Content.etag`` of the file that is gone on with; needed with an offset.
        :param attempts: see :meth:`perform`.
        """
        operation = requests.download_content(video_id, variant=variant, offset=offset, etag=etag)
        response = self.perform(operation, attempts=attempts)
        with closing(response):
            yield content_of(response, video_id, self.endpoint, self._clock.now())

    def list_models(self) -> Sequence[str]:
        """Return the names of the server's models, where it lists them."""
        return self.perform(requests.list_models())

    def perform(
        self,
        operation: Operation[T],
        *,
        before_send: Callable[[], None] | None = None,
        attempts: int | None = None,
    ) -> T:
        """
        Carry out an operation that was built beforehand.

        :param operation: one of those that :mod:`airflow_provider_videos.api.requests` builds.
        :param before_send: called each time right before a request goes out; what it raises ends the call.
        :param attempts: how often it is sent at the most, 1 for whoever repeats it by itself; as often as the
            client's backoff says by default.
        """
        backoff = _limited(self._backoff, attempts)
        try:
            return self._run(exchange(operation, self.endpoint, backoff, self._clock), before_send)
        except VideosError as error:
            raise _without_history(error) from None

    def _run(self, flow: Generator[Step, Reply, T], before_send: Callable[[], None] | None) -> T:
        step = advance(flow, None)
        while not isinstance(step, Done):
            if before_send and isinstance(step, Send):
                before_send()
            step = advance(flow, self._take(step))
        return step.value

    def _take(self, step: Step) -> Reply:
        if isinstance(step, Pause):
            self._clock.sleep(step.seconds)
            return None
        http = self._fresh if step.buys else self._pooled
        try:
            with streaming_timeouts(step, self.endpoint, step.until - self._clock.monotonic()):
                response = http.send(step.request, stream=True)
            if is_file(step, response):
                return response
            with closing(response):
                return read(response, step)
        except httpx.RequestError as error:
            return error


class AsyncVideosClient:
    """
    A Videos server, seen from an event loop. Each method is its twin's of :class:`VideosClient`.

    :param endpoint: the server and how to talk to it.
    :param backoff: how patient each call is.
    :param connections: how many connections there are at most, kept for many small questions; by default as
        many as are needed.
    :param transport: as :class:`httpx.AsyncClient` takes it; see :class:`VideosClient`. It makes as many
        connections as it likes.
    :param clock: what its calls are measured by and wait by.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        backoff: Backoff | None = None,
        connections: int | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._clock = clock or default_clock()
        self._backoff = _patience(endpoint, backoff)
        self._pooled, self._fresh = async_senders(endpoint, transport, connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for sender in {self._pooled, self._fresh}:
            await sender.aclose()

    async def create(
        self,
        prompt: str,
        *,
        model: str | None = None,
        seconds: str | int | None = None,
        size: str | None = None,
        input_reference: Reference | None = None,
        characters: Sequence[str] | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Video:
        """Buy a video, as :meth:`VideosClient.create` does."""
        return await self.perform(
            requests.create(
                self.endpoint,
                prompt,
                model=model,
                seconds=seconds,
                size=size,
                input_reference=input_reference,
                characters=characters,
                extra_body=extra_body,
            )
        )

    async def remix(
        self, video_id: str, prompt: str, *, extra_body: Mapping[str, Any] | None = None
    ) -> Video:
        """Buy a variation of a video, as :meth:`VideosClient.remix` does."""
        return await self.perform(requests.remix(video_id, prompt, extra_body=extra_body))

    async def edit(
        self, video: str | Upload, prompt: str, *, extra_body: Mapping[str, Any] | None = None
    ) -> Video:
        """Buy a changed version of a video, as :meth:`VideosClient.edit` does."""
        return await self.perform(requests.edit(video, prompt, extra_body=extra_body))

    async def extend(
        self,
        video: str | Upload,
        prompt: str,
        *,
        seconds: str | int,
        extra_body: Mapping[str, Any] | None = None,
    ) -> Video:
        """Buy a longer version of a video, as :meth:`VideosClient.extend` does."""
        operation = requests.extend(self.endpoint, video, prompt, seconds=seconds, extra_body=extra_body)
        return await self.perform(operation)

    async def create_character(self, name: str, video: Upload) -> Character:
        """Make a character that videos can share, as :meth:`VideosClient.create_character` does."""
        return await self.perform(requests.create_character(name, video))

    async def get_character(self, character_id: str) -> Character:
        """Ask for a character, as :meth:`VideosClient.get_character` does."""
        return await self.perform(requests.get_character(character_id))

    async def retrieve(self, video_id: str, *, attempts: int | None = None) -> Video:
        """Ask for a video's state, as :meth:`VideosClient.retrieve` does."""
        return await self.perform(requests.retrieve(video_id), attempts=attempts)

    async def list(
        self, *, after: str | None = None, limit: int | None = None, order: str | None = None
    ) -> AsyncIterator[Video]:
        """Go through the server's videos, as :meth:`VideosClient.list` does."""
        cursor = Cursor(after, limit, order)
        while not cursor.done:
            for video in cursor.take(await self.perform(cursor.operation())):
                yield video

    async def delete(self, video_id: str) -> VideoDeleted:
        """Delete a video, as :meth:`VideosClient.delete` does."""
        return await self.perform(requests.delete(video_id))

    @asynccontextmanager
    async def download_content(
        self,
        video_id: str,
        *,
        variant: str = requests.DEFAULT_VARIANT,
        offset: int = 0,
        etag: str | None = None,
        attempts: int | None = None,
    ) -> AsyncIterator[Content[AsyncIterator[bytes]]]:
        """Open a completed video's file as a stream, as :meth:`VideosClient.download_content` does."""
        operation = requests.download_content(video_id, variant=variant, offset=offset, etag=etag)
        response = await self.perform(operation, attempts=attempts)
        async with aclosing(response):
            yield async_content_of(response, video_id, self.endpoint, self._clock.now())

    async def list_models(self) -> Sequence[str]:
        """Return the names of the server's models, where it lists them."""
        return await self.perform(requests.list_models())

    async def perform(self, operation: Operation[T], *, attempts: int | None = None) -> T:
        """Carry out an operation that was built beforehand, as :meth:`VideosClient.perform` does."""
        backoff = _limited(self._backoff, attempts)
        try:
            return await self._run(exchange(operation, self.endpoint, backoff, self._clock))
        except VideosError as error:
            raise _without_history(error) from None

    async def _run(self, flow: Generator[Step, Reply, T]) -> T:
        step = advance(flow, None)
        while not isinstance(step, Done):
            reply = await self._take(step)
            step = await asyncio.to_thread(advance, flow, reply) if is_long(reply) else advance(flow, reply)
        return step.value

    async def _take(self, step: Step) -> Reply:
        if isinstance(step, Pause):
            await self._clock.async_sleep(step.seconds)
            return None
        http = self._fresh if step.buys else self._pooled
        left = step.until - self._clock.monotonic()
        try:
            async with asyncio.timeout(max(0.0, left)):
                with streaming_timeouts(step, self.endpoint, left):
                    response = await http.send(step.request, stream=True)
                if is_file(step, response):
                    return response
                async with aclosing(response):
                    return await async_read(response, step)
        except TimeoutError:
            return httpx.ReadTimeout(_TOO_LATE, request=step.request)
        except httpx.RequestError as error:
            return error
