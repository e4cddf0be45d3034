"""The source of a download: a server's file, read to its end over as many connections as that takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_videos.api.client import Content
from airflow_provider_videos.api.containers import is_text, sniff
from airflow_provider_videos.api.errors import (
    AnswerError,
    Busy,
    DeliveryError,
    NotReady,
    ServerFault,
    TransportError,
)
from airflow_provider_videos.api.failures import words_of
from airflow_provider_videos.delivery.tally import Tally

if TYPE_CHECKING:
    from airflow_provider_videos.api.redaction import Redactor
    from airflow_provider_videos.delivery.patience import Patience

Body = Content[Iterator[bytes]]
Open = Callable[[int, str | None], AbstractContextManager[Body]]
"""Opens the file at a byte, if it still has a tag; the server may begin elsewhere, and the body says so."""

_NOT_READY = {400, 404, 409, 425}
_NOTHING_THERE = 416
_NO_FILE_YET = {202, 204, 205}
_ENOUGH_TO_TELL_TEXT = 512
_ENOUGH_TO_QUOTE = 4096


class StartOver(Exception):  # noqa: N818 - it is named after what has to be done
    """
    The bytes so far are worth nothing; the file has to be read anew.

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
        self,
        video_id: str,
        open_at: Open,
        patience: Patience,
        check: Callable[[AnswerError | NotReady], None],
    ) -> None:
        self.tally = Tally()
        self.content_type: str | None = None
        self.redactor: Redactor | None = None
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
                self.redactor = body.redactor
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
                    with ExitStack() as attempt:
                        body = self._begun(attempt.enter_context(self._open_at(offset, self._etag)))
                        stack.push(attempt.pop_all())
                except (AnswerError, NotReady) as error:
                    self._wait_until_ready(error)
            yield body

    def _begun(self, body: Body) -> Body:
        """Read the first bytes of an answer: a success does not mean that there is a file."""
        if body.start != 0:
            return body
        head, chunks = _peeked(iter(body.chunks), _ENOUGH_TO_TELL_TEXT)
        if _says_not_yet(body, head):
            head += first_bytes(chunks, _ENOUGH_TO_QUOTE)
            raise NotReady(
                no_file(head, body.content_type, body.redactor),
                video_id=self._video_id,
                status_code=body.status_code,
                retry_after=body.retry_after,
            )
        return replace(body, chunks=chain([head] if head else [], chunks))

    def _wait_until_ready(self, error: AnswerError | NotReady) -> None:
        if error.status_code == _NOTHING_THERE and self.tally.size:
            missing = self.tally.missing() or "its end is missing"
            raise self._start_over(f"the server has nothing behind what came: {missing}")
        may_come = isinstance(error, Busy | ServerFault | NotReady) or error.status_code in _NOT_READY
        if not may_come:
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


def first_bytes(chunks: Iterator[bytes], enough: int) -> bytes:
    """
    Read a body's next bytes.

    :param chunks: the body.
    :param enough: how many bytes will do; there may be more, or fewer where it ends.
    """
    read: list[bytes] = []
    while sum(map(len, read)) < enough and (chunk := next(chunks, None)) is not None:
        read.append(chunk)
    return b"".join(read)


def no_file(head: bytes, content_type: str | None, redactor: Redactor | None) -> str:
    """
    Describe what came instead of a file.

    :param head: its first bytes.
    :param content_type: what the server calls it.
    :param redactor: takes secrets out of its words; None where none of them is repeated.
    """
    if redactor is None:
        return "the place where the server says that the file is did not send a video or an image"
    kind = redactor.redact(content_type or "no content type")
    came = f"{kind}: {words_of(head, redactor)!r}" if head else f"{kind}: an empty body"
    return f"the server did not send a video or an image but {came}"


def _peeked(chunks: Iterator[bytes], enough: int) -> tuple[bytes, Iterator[bytes]]:
    """Read a body's first bytes; return them and the rest, which breaks off where the first bytes did."""
    read: list[bytes] = []
    try:
        while sum(map(len, read)) < enough:
            read.append(next(chunks))
    except StopIteration:
        pass
    except TransportError as error:
        chunks = _broken(error)
    return b"".join(read), chunks


def _broken(error: TransportError) -> Iterator[bytes]:
    yield b""
    raise error


def _says_not_yet(body: Body, head: bytes) -> bool:
    """Say whether a success stands for "not yet": it is empty, JSON or other words where a file should be."""
    if sniff(head):
        return False
    # A page is a proxy's, or a login: waiting does not change it.
    is_page = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    return body.status_code in _NO_FILE_YET or (is_text(head) and not is_page)
