"""Delivery of a video's files: whole, checked and hashed in one pass, or an error and no file."""

from __future__ import annotations

from collections import deque
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from airflow_provider_videos.api.clock import default_clock
from airflow_provider_videos.api.containers import Container, bytes_to_tell, sniff, unnamed_image
from airflow_provider_videos.api.errors import (
    AnswerError,
    DeliveryError,
    Expired,
    NoSuchVariant,
    NotReady,
    Taken,
    TransportError,
    VideoFailed,
)
from airflow_provider_videos.api.failures import problem_of
from airflow_provider_videos.api.requests import DEFAULT_VARIANT
from airflow_provider_videos.delivery.decoding import DecodingCheck
from airflow_provider_videos.delivery.destinations import discard
from airflow_provider_videos.delivery.patience import PATIENT, Patience
from airflow_provider_videos.delivery.progress import Progress
from airflow_provider_videos.delivery.record import FileRecord
from airflow_provider_videos.delivery.sinks import Description
from airflow_provider_videos.delivery.source import StartOver, Stream, first_bytes, no_file
from airflow_provider_videos.delivery.stores import KIND, store_of_leftover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.clock import Clock
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.api.retry import Backoff
    from airflow_provider_videos.delivery.destinations import Destination, Stores
    from airflow_provider_videos.delivery.order import Order
    from airflow_provider_videos.delivery.patience import Log
    from airflow_provider_videos.delivery.record import Record
    from airflow_provider_videos.delivery.sinks import Sink, Standing, Trace
    from airflow_provider_videos.delivery.tally import Tally

_ENOUGH_TO_QUOTE = 4096
_LONGEST_HEAD = 1024 * 1024
_NO_SUCH_VARIANT = {400, 404, 405, 422, 501}
_ACCEPTED = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """
    Description of a delivered file.

    :param video_id: the video it belongs to.
    :param variant: which of its files it is.
    :param uri: where it is.
    :param size_bytes: its length.
    :param sha256: its SHA-256, in hexadecimal; None if it stood there already and another task brought it.
    :param content_type: its media type, told by its first bytes.
    """

    video_id: str
    variant: str
    uri: str
    size_bytes: int
    sha256: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file whose first bytes have come, and where it is wanted."""

    order: Order
    target: Destination
    container: Container
    tally: Tally
    chunks: Iterator[bytes]

    def receipt(self, size: int, sha256: str | None) -> Receipt:
        return Receipt(
            video_id=self.order.video_id,
            variant=self.order.variant,
            uri=self.target.uri,
            size_bytes=size,
            sha256=sha256,
            content_type=self.container.content_type,
        )


class Courier:
    """
    Delivers the files of one video.

    :param client: the server.
    :param video: what the server says of the video; None if it did not.
    :param stores: the doors to where files go.
    :param record: what the task remembers.
    :param log: the task's log.
    :param backoff: how much trouble in a row is put up with.
    :param clock: the time.
    """

    def __init__(
        self,
        client: VideosClient,
        video: Video | None,
        stores: Stores,
        record: Record,
        log: Log,
        *,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._video = video
        self._stores = replace(stores, traits=record.stores)
        self._record = record
        self._log = log
        self._backoff = backoff or PATIENT
        self._clock = clock or default_clock()
        self._has_delivered = False
        self._begun: list[Trace] = []

    def tidy(self) -> None:
        """Take back what an earlier try has left behind because it was killed; forget only what is gone."""
        gone = [trace for trace in self._record.unfinished if self._discard(trace)]
        self._record.forget(gone)

    def _discard(self, trace: Trace) -> bool:
        if store_of_leftover(trace) is None:
            kind = repr(trace.get(KIND))[:100]
            self._log.warning(
                "An earlier try has left something of a kind unknown here, %s: left alone", kind
            )
            return False
        self._log.info("An earlier try was killed; discarding what it has left: %s", trace)
        is_gone = discard(trace, self._stores)
        if not is_gone:
            self._log.warning("It could not be taken back from here; the next try looks again: %s", trace)
        return is_gone

    def deliver(self, order: Order) -> Receipt:
        """
        Bring a file to where it is wanted.

        :param order: which, and where to.
        :raises NoSuchVariant: if the server does not have it.
        :raises VideosError: if it cannot be had, or what comes is no video or image, or not all of it, or it
            cannot be written; nothing is left behind.
        """
        receipt = self._delivered_before(order) or self._bring_whole(order)
        self._has_delivered = True
        return receipt

    def _delivered_before(self, order: Order) -> Receipt | None:
        """Find the file that an earlier try has delivered, if it still stands there."""
        known = self._record.file(order.variant)
        if known is None or order.if_exists == "overwrite":
            return None
        receipt = _receipt_of(known)
        container = Container.of(receipt.content_type)
        target = order.target(container)
        if (receipt.video_id, receipt.uri) != (order.video_id, target.uri):
            return None
        sink = self._sink(order, target, container)
        standing = sink.standing()
        if standing is None or not _is_same(order, receipt, known.version, standing, sink):
            return None
        self._log.info("%s stands there as an earlier try has delivered it", receipt.uri)
        self._record.delivered(replace(known, version=standing.version))
        return receipt

    def _bring_whole(self, order: Order) -> Receipt:
        patience = Patience(self._backoff, self._clock, self._log)
        came = ""
        while True:
            try:
                return self._bring(order, patience)
            except StartOver as why:
                if why.came == came:
                    raise why.error from None  # the same again: the server has nothing better
                came = why.came
                patience.bear(why.error)
            except AnswerError as error:
                if order.variant == DEFAULT_VARIANT or error.status_code not in _NO_SUCH_VARIANT:
                    raise
                raise NoSuchVariant(f"the server has no {order.variant}: {error}") from error
            except NotReady as error:
                if order.variant == DEFAULT_VARIANT:
                    raise
                raise NoSuchVariant(f"the server has no {order.variant}: {error}") from error

    def _bring(self, order: Order, patience: Patience) -> Receipt:
        stream = Stream(
            order.video_id,
            lambda offset, etag: self._client.download_content(
                order.video_id, variant=order.variant, offset=offset, etag=etag, attempts=1
            ),
            patience,
            lambda error: self._check(order, error),
        )
        with closing(stream.chunks()) as chunks:
            head = _head(chunks)
            container = (
                sniff(head)
                or unnamed_image(stream.content_type, head)
                or _no_video(order, head, chunks, stream)
            )
            order.check_format(container)
            order.check_size(stream.tally.total)
            arrival = _Arrival(order, order.target(container), container, stream.tally, chain([head], chunks))
            sink = self._sink(order, arrival.target, container)
            standing = sink.standing()
            if standing and order.if_exists == "overwrite":
                self._log.info("%s exists and is being replaced", arrival.target.uri)
            elif standing:
                return self._compare(arrival, standing, sink)
            with DecodingCheck(container) if order.is_to_be_decoded(container) else nullcontext() as decoding:
                receipt = self._pour(arrival, sink, decoding)
        self._remember(receipt, sink)
        return receipt

    def _compare(self, arrival: _Arrival, standing: Standing, sink: Sink) -> Receipt:
        """Let the wanted file stand, read to its end if nothing else tells it; another is an error."""
        order, tally, sha256 = arrival.order, arrival.tally, None
        is_met = order.if_exists == "skip" and order.is_met_by(standing, tally.total)
        if is_met is None:
            deque(arrival.chunks, maxlen=0)
            sha256 = tally.sha256.hexdigest()
            is_met = standing.size_bytes == tally.size and sink.sha256() == sha256
        if not is_met:
            reason = order.taken(standing)
            raise Taken(f"{arrival.target.uri} exists already: {reason}", video_id=order.video_id)
        self._log.info("%s stands there already, the same video", arrival.target.uri)
        return arrival.receipt(standing.size_bytes, sha256)

    def _pour(self, arrival: _Arrival, sink: Sink, decoding: DecodingCheck | None) -> Receipt:
        order, tally, progress = arrival.order, arrival.tally, Progress(self._clock, self._log)
        with sink:
            for chunk in arrival.chunks:
                sink.write(chunk)
                if decoding:
                    decoding.write(chunk)
                order.check_growth(tally.size)
                progress.at(tally.size, tally.total)
            order.check_size(tally.size)
            if decoding and (flaw := decoding.flaw()):
                broken = DeliveryError(f"the file came whole, but {flaw}", video_id=order.video_id)
                raise StartOver(broken, tally.sha256.hexdigest())
            receipt = arrival.receipt(tally.size, tally.sha256.hexdigest())
            self._record.committing(FileRecord(**asdict(receipt)))
            self._commit(order, receipt, sink)
        if sink.hint:
            self._log.warning("%s: %s", receipt.uri, sink.hint)
        return receipt

    def _commit(self, order: Order, receipt: Receipt, sink: Sink) -> None:
        try:
            sink.commit()
        except Taken as error:
            standing = sink.standing()
            if standing is None:
                raise
            if order.if_exists == "skip" and _is_same(order, receipt, None, standing, sink):
                self._log.info("%s stands there by now, the same video", receipt.uri)
                return
            raise Taken(f"{error.message}: {order.taken(standing)}", video_id=order.video_id) from error

    def _remember(self, receipt: Receipt, sink: Sink) -> None:
        standing = sink.standing()
        if standing:  # or somebody has taken it away by now
            file = FileRecord(**asdict(receipt), version=standing.version)
            self._record.delivered(file, self._begun)

    def _sink(self, order: Order, target: Destination, container: Container) -> Sink:
        description = Description(
            container.content_type, order.labels(self._video), replace=order.if_exists == "overwrite"
        )
        self._begun = []
        return target.sink(description, self._stores, self._leave)

    def _leave(self, trace: Trace) -> None:
        self._begun.append(trace)
        self._record.leave(trace)

    def _check(self, order: Order, error: AnswerError | NotReady) -> None:
        """Raise where waiting is no use: the server said that it does not hand the file out now."""
        if self._has_delivered and _means_absent(error):
            raise error  # the video is ready, so what the server does not have it will not get
        try:
            self._video = self._client.retrieve(order.video_id, attempts=1)
        except (AnswerError, TransportError):
            return
        if self._video.has_failed:
            problem = problem_of(self._video)
            raise VideoFailed(
                f"there is no file: the server says that the video is {self._video.known_status}: "
                f"{problem.message or error.message}",
                video_id=order.video_id,
                code=problem.code,
            )
        expired = self._video.expires_at
        if expired is not None and expired <= self._clock.now():
            raise Expired(
                f"the file expired at {moment(expired)}, and the server does not hand it out any more: "
                f"{error.message}",
                video_id=order.video_id,
            )


def _receipt_of(file: FileRecord) -> Receipt:
    return Receipt(**{one.name: getattr(file, one.name) for one in fields(Receipt)})


def _is_same(order: Order, receipt: Receipt, version: str | None, standing: Standing, sink: Sink) -> bool:
    """Compare a file that stands there with a receipt: by its version, its labels, or byte for byte."""
    if standing.size_bytes != receipt.size_bytes:
        return False
    if version is not None and standing.version == version:
        return True
    is_met = order.is_met_by(standing, receipt.size_bytes)
    return sink.sha256() == receipt.sha256 if is_met is None else is_met


def moment(seconds: float) -> str:
    """
    Write a time as people read it.

    :param seconds: unix seconds.
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} (unix seconds)"


def _means_absent(error: AnswerError | NotReady) -> bool:
    if isinstance(error, NotReady):
        return error.status_code != _ACCEPTED
    return error.status_code in _NO_SUCH_VARIANT


def _no_video(order: Order, head: bytes, chunks: Iterator[bytes], stream: Stream) -> Container:
    head += first_bytes(chunks, _ENOUGH_TO_QUOTE)
    raise DeliveryError(no_file(head, stream.content_type, stream.redactor), video_id=order.video_id)


def _head(chunks: Iterator[bytes]) -> bytes:
    """Read as much of a file as tells its format, within reason."""
    head = b""
    while len(head) < (enough := min(bytes_to_tell(head), _LONGEST_HEAD)):
        more = first_bytes(chunks, enough - len(head))
        if not more:
            break
        head += more
    return head
