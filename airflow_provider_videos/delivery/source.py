"""Where bytes come from: a file of a server, read from end to end over as many connections as that takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_videos.api.client import Content
from airflow_provider_videos.api.errors import (
    AnswerError,
    Busy,
    DeliveryError,
    ServerFault,
    TransportError,
)
from airflow_provider_videos.delivery.tally import Tally

if TYPE_CHECKING:
    from airflow_provider_videos.delivery.patience import Patience

Body = Content[Iterator[bytes]]
Open = Callable[[int, str | None], AbstractContextManager[Body]]
"""Opens the file at a byte, if it still has a tag; the server may begin elsewhere, and the body says so."""

_NOT_READY = {400, 404, 409, 425}
_NOTHING_THERE = 416


class StartOver(Exception):  # noqa: N818 - it is named after what has to be done
    """
    What has come is worth nothing; the file has to be read anew.

    :param error: why.
    :param came: the hash of what came: the same again would mean that the server has nothing better.
    """

    def __init__(self, error: DeliveryError, came: str) -> None:
        super().__init__(error, came)
        self.error = error
        self.came = came


class Stream:
    """
    The bytes of one file.

    A connection that drops is gone on with by a Range where the server honours it and it is surely the same
    file; else the file is read from the beginning again, and what has come before is compared, not handed on.

    :param video_id: the video it belongs to, for messages.
    :param open_at: opens the file.
    :param patience: how much trouble is put up with.
    :param check: is told that the server does not hand the file out; raises if it never will.
    """

    def __init__(
        self, video_id: str, open_at: Open, patience: Patience, check: Callable[[AnswerError], None]
    ) -> None:
        self.tally = Tally()
        self.content_type: str | None = None
        self._video_id = video_id
        self._open_at = open_at
        self._patience = patience
        self._check = check
        self._etag: str | None = None

    def chunks(self) -> Generator[bytes]:
        """
        Read the file; to be called once, and closed.

        :raises StartOver: if what has come so far is not the beginning of the file.
        """
        while True:
            try:
                with self._opened() as body:
                    yield from self._counted(body)
                missing = self.tally.missing()
                if missing is None:
                    break
                trouble = self._broken_off(f"the answer ended too early: {missing}")
            except TransportError as error:
                trouble = error
            self._patience.bear(trouble)
        if flaw := self.tally.flaw():
            raise self._start_over(flaw)

    def _counted(self, body: Body) -> Iterator[bytes]:
        for chunk in body.chunks:
            self.tally.add(chunk)
            if damage := self.tally.damage():
                raise self._start_over(damage)
            self._patience.reached(self.tally.size)
            yield chunk

    @contextmanager
    def _opened(self) -> Iterator[Body]:
        """Open the file where the next byte is."""
        have = self.tally.size
        with self._answered(have if self._etag else 0) as body:
            if body.start == have == 0:
                self.content_type, self._etag = body.content_type, body.etag
                self.tally.expect(body)
                yield body
            elif body.start == 0:
                yield self._behind(body, have)
            else:
                self._check_part(body, have)
                yield body

    @contextmanager
    def _answered(self, offset: int) -> Iterator[Body]:
        with ExitStack() as stack:
            body: Body | None = None
            while body is None:
                try:
                    body = stack.enter_context(self._open_at(offset, self._etag))
                except AnswerError as error:
                    self._wait_until_ready(error)
            yield body

    def _wait_until_ready(self, error: AnswerError) -> None:
        if error.status_code == _NOTHING_THERE and self.tally.size:
            missing = self.tally.missing() or "its end is missing"
            raise self._start_over(f"the server has nothing behind what came: {missing}")
        if not isinstance(error, Busy | ServerFault) and error.status_code not in _NOT_READY:
            raise error
        self._check(error)
        self._patience.bear(error)

    def _check_part(self, body: Body, have: int) -> None:
        total = self.tally.total or body.total
        if body.start == have and body.etag == self._etag and body.total in {None, total}:
            self.tally.total = total
            return
        # Whatever it is: reading the whole file and comparing settles it.
        self._etag = None
        raise self._broken_off("the server went on with another part or another file")

    def _behind(self, body: Body, have: int) -> Body:
        """Skip what has come before, and see that it is the same."""
        digest, left, rest = hashlib.sha256(), have, b""
        chunks = iter(body.chunks)
        while left:
            chunk = next(chunks, None)
            if chunk is None:
                raise self._broken_off("the answer ended before where the last one broke off")
            digest.update(chunk[:left])
            left, rest = max(left - len(chunk), 0), chunk[left:]
        if digest.digest() != self.tally.sha256.digest():
            raise self._start_over("the server sends another file than before")
        return replace(body, chunks=chain([rest] if rest else [], chunks))

    def _start_over(self, why: str) -> StartOver:
        return StartOver(DeliveryError(why, video_id=self._video_id), self.tally.sha256.hexdigest())

    def _broken_off(self, why: str) -> TransportError:
        return TransportError(f"download: {why}", video_id=self._video_id)
