"""
The operators: submit, fetch, delete.

Submitting never waits: :class:`~airflow_provider_videos.sensors.videos.VideoSensor` does. So a retry of the
wait, or of the download, can never buy a second video.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.names import AirflowFailException, AirflowSkipException
from airflow_provider_videos.adapters.retries import (
    ServerPacedRetryPolicy,
    retry_options,
    seconds_to_next_try,
    unheeded_wait,
)
from airflow_provider_videos.adapters.state import tidy_after_success
from airflow_provider_videos.adapters.task_states import call_after_success
from airflow_provider_videos.adapters.templates import PlainMappedData
from airflow_provider_videos.api.errors import (
    AnswerError,
    Busy,
    DeliveryError,
    Expired,
    InvalidRequest,
    NoSuchVariant,
    NotSupported,
    OutcomeUnknown,
    Refused,
    RequestChanged,
    Taken,
    TransportError,
    VideoFailed,
    VideosError,
)
from airflow_provider_videos.operators.documentation import with_parameters
from airflow_provider_videos.operators.records import delivery_keys, ledger_of, mark_completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from airflow_provider_videos.adapters.names import BaseOperator, Context, OperatorLineage, RetryPolicy
    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import Phase, Video
    from airflow_provider_videos.api.operations import Operation
    from airflow_provider_videos.api.uploads import Upload
    from airflow_provider_videos.delivery.deliver import Receipt
    from airflow_provider_videos.delivery.order import IfExists, Order, Verify
    from airflow_provider_videos.submission.decision import Facts, OnChanged, OnUnknown

__all__ = [
    "ServerPacedRetryPolicy",
    "VideoCreateOperator",
    "VideoDeleteOperator",
    "VideoDownloadOperator",
    "VideoEditOperator",
    "VideoExtendOperator",
    "VideoListOperator",
    "VideoPreflightOperator",
    "VideoRemixOperator",
]


@contextmanager
def _never_retried(*kinds: type[VideosError]) -> Iterator[None]:
    """Fail for good on errors that a retry would meet again, or must not risk."""
    try:
        yield
    except kinds as error:
        raise AirflowFailException(str(error)) from error


def _read_texts(operator: BaseOperator, *required: str, optional: Sequence[str] = ()) -> None:
    """Hold rendered fields to be strings: native rendering makes Python values of what looks like one."""
    from airflow_provider_videos.api.requests import as_text

    given = [name for name in optional if getattr(operator, name) is not None]
    for name in (*required, *given):
        setattr(operator, name, as_text(name, getattr(operator, name)))


class _VideosOperator(PlainMappedData):
    """Base of the operators that talk to a server."""

    def __init__(self, *, videos_conn_id: str = "videos_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.videos_conn_id = videos_conn_id

    def _connect(self) -> VideosClient:
        from airflow_provider_videos.hooks.videos import VideosHook

        return VideosHook(self.videos_conn_id).get_conn()


class _SubmitOperator(_VideosOperator, ABC):
    """
    Base of the operators that buy: once, recorded, and handing on the id.

    Its parameters are documented here for all of them.

    :param videos_conn_id: the connection to the server. (templated)
    :param durable: whether the purchase is recorded so that no retry makes it again.
    :param on_unknown: what to do when an earlier try may have bought a video whose id never arrived:
        ``adopt`` the one video of the server's list that can only be it, or buy if there surely is none, else
        fail; ``fail`` at once; or ``resubmit``, which may buy a second one.
    :param on_changed: what to do when the request changed between tries: ``fail`` or ``resubmit``.
    :param retry_policy: Airflow's own; :class:`ServerPacedRetryPolicy` by default.
    :raises AirflowFailException: if the request is wrong or the server refuses it; this is not retried.
    :raises InDoubt: if the video may have been bought and nobody can say which it is; a retry looks again.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__doc__ = with_parameters(cls.__doc__, _SubmitOperator)

    def __init__(
        self,
        *,
        durable: bool = True,
        on_unknown: OnUnknown = "adopt",
        on_changed: OnChanged = "fail",
        retry_policy: RetryPolicy | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**retry_options(retry_policy), **kwargs)
        call_after_success(self, mark_completed)
        _check_choice("on_unknown", on_unknown, "adopt", "fail", "resubmit")
        _check_choice("on_changed", on_changed, "fail", "resubmit")
        self.durable = durable
        self.on_unknown = on_unknown
        self.on_changed = on_changed

    @abstractmethod
    def _order(self, endpoint: Endpoint) -> AbstractContextManager[Operation[Video]]:
        """Build the purchase; files it needs stay open inside the ``with`` block."""

    def execute(self, context: Context) -> str:
        """Buy the video, or take up the one that an earlier try has bought, and return its id."""
        with _never_retried(InvalidRequest, Refused, RequestChanged, *self._final_doubts()):
            try:
                video = self._bought(context)
            except Busy as error:
                if notice := unheeded_wait(self, error, context["ti"].try_number):
                    self.log.warning(notice)
                raise
            context["ti"].xcom_push("video", video.contract())
            return video.id

    def _final_doubts(self) -> tuple[type[VideosError], ...]:
        # Only a retry that looks before it buys, or that was told to buy, may follow a lost answer.
        retried = self.on_unknown == "resubmit" or (self.on_unknown == "adopt" and self.durable)
        return () if retried else (OutcomeUnknown,)

    def _bought(self, context: Context) -> Video:
        """Buy the video, or take up the one that an earlier try has bought."""
        if not self.durable:
            with self._connect() as client, self._order(client.endpoint) as operation:
                return client.perform(operation)
        from airflow_provider_videos.adapters.state import TaskStore
        from airflow_provider_videos.submission.durable import KEY, Submission, salvage
        from airflow_provider_videos.submission.server import SubmissionServer

        store, task_instance = TaskStore(context), context["ti"]
        owner = {name: getattr(task_instance, name) for name in ("dag_id", "run_id", "task_id", "map_index")}
        try:
            with self._connect() as client, self._order(client.endpoint) as operation:
                return Submission(
                    store=store,
                    ledger=ledger_of(client.endpoint.base_url, owner),
                    facts=self._facts(task_instance, operation.fingerprint(client.endpoint)),
                    server=SubmissionServer(client, operation),
                    log=self.log,
                    handwork=store.handwork(KEY),
                ).submit()
        except InvalidRequest as problem:
            tries = task_instance.max_tries
            return salvage(store, owner, tries, problem, self.log, handwork=store.handwork(KEY))

    def _facts(self, task_instance: Any, fingerprint: str) -> Facts:
        from airflow_provider_videos.submission.decision import Facts

        return Facts(
            fingerprint,
            task_instance.max_tries,
            on_unknown=self.on_unknown,
            on_changed=self.on_changed,
            tries_left=max(0, task_instance.max_tries + 1 - task_instance.try_number),
            next_try=seconds_to_next_try(self, task_instance.try_number),
        )


def _check_choice(name: str, value: str, *choices: str) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}; got {value!r}")


class VideoCreateOperator(_SubmitOperator):
    """
    Buy a video from a prompt and return its id; nothing is waited for.

    A retry of the task returns the id that its first try has bought.

    :param prompt: what the video shows. (templated)
    :param model: the model that makes it; the connection's own, then the server's, by default. (templated)
    :param seconds: its length in seconds; which lengths there are is the server's affair. (templated)
    :param size: width x height in pixels, such as ``1280x720``. (templated)
    :param input_reference: the image the video starts from: a local path, a URI that Airflow's object storage
        can open, or the contract's ``{"file_id": ...}`` or ``{"image_url": ...}``. (templated)
    :param characters: the ids of the characters in it. (templated)
    :param extra_body: further fields of any name, such as ``{"seed": 7}``; they override the others.
        (templated)
    """

    template_fields: Sequence[str] = (
        "prompt",
        "model",
        "seconds",
        "size",
        "input_reference",
        "characters",
        "extra_body",
        "videos_conn_id",
    )

    def __init__(
        self,
        *,
        prompt: str,
        model: str | None = None,
        seconds: str | int | None = None,
        size: str | None = None,
        input_reference: str | Mapping[str, Any] | None = None,
        characters: Sequence[str] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.seconds = seconds
        self.size = size
        self.input_reference = input_reference
        self.characters = characters
        self.extra_body = extra_body

    @contextmanager
    def _order(self, endpoint: Endpoint) -> Iterator[Operation[Video]]:
        from airflow_provider_videos.api import requests
        from airflow_provider_videos.operators.uploads import open_reference

        with open_reference(self.input_reference) as reference:
            yield requests.create(
                endpoint,
                self.prompt,
                model=self.model,
                seconds=self.seconds,
                size=self.size,
                input_reference=reference,
                characters=self.characters,
                extra_body=self.extra_body,
            )


class VideoRemixOperator(_SubmitOperator):
    """
    Buy a variation of a completed video and return its id; nothing is waited for.

    A retry of the task returns the id that its first try has bought.

    :param video_id: the video to start from. (templated)
    :param prompt: what shall be different. (templated)
    :param extra_body: further fields of any name; they override the others. (templated)
    """

    template_fields: Sequence[str] = ("video_id", "prompt", "extra_body", "videos_conn_id")

    def __init__(
        self, *, video_id: str, prompt: str, extra_body: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.video_id = video_id
        self.prompt = prompt
        self.extra_body = extra_body

    @contextmanager
    def _order(self, endpoint: Endpoint) -> Iterator[Operation[Video]]:  # noqa: ARG002 - one signature for all
        from airflow_provider_videos.api import requests

        yield requests.remix(self.video_id, self.prompt, extra_body=self.extra_body)


class _DeriveOperator(_SubmitOperator, ABC):
    """Base of edit and extend: they start from one of the server's videos, or from a file."""

    def __init__(
        self,
        *,
        prompt: str,
        video_id: str | None = None,
        video: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.video_id = video_id
        self.video = video
        self.extra_body = extra_body

    def _source(self) -> AbstractContextManager[str | Upload]:
        from airflow_provider_videos.operators.uploads import open_source

        return open_source(self.video_id, self.video)


class VideoEditOperator(_DeriveOperator):
    """
    Buy a changed version of a video and return its id; nothing is waited for.

    A retry of the task returns the id that its first try has bought.

    :param prompt: what shall be different. (templated)
    :param video_id: the completed video to start from. (templated)
    :param video: a file to start from instead: a local path or a URI that Airflow's object storage can open.
        (templated)
    :param extra_body: further fields of any name; they override the others. (templated)
    """

    template_fields: Sequence[str] = ("prompt", "video_id", "video", "extra_body", "videos_conn_id")

    @contextmanager
    def _order(self, endpoint: Endpoint) -> Iterator[Operation[Video]]:  # noqa: ARG002 - one signature for all
        from airflow_provider_videos.api import requests

        with self._source() as source:
            yield requests.edit(source, self.prompt, extra_body=self.extra_body)


class VideoExtendOperator(_DeriveOperator):
    """
    Buy a longer version of a video and return its id; nothing is waited for.

    A retry of the task returns the id that its first try has bought.

    :param prompt: what happens next. (templated)
    :param seconds: how many seconds are added; the new video's own ``seconds`` is the total. (templated)
    :param video_id: the completed video to start from. (templated)
    :param video: a file to start from instead: a local path or a URI that Airflow's object storage can open.
        (templated)
    :param extra_body: further fields of any name; they override the others. (templated)
    """

    template_fields: Sequence[str] = (
        "prompt",
        "seconds",
        "video_id",
        "video",
        "extra_body",
        "videos_conn_id",
    )

    def __init__(self, *, seconds: str | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    @contextmanager
    def _order(self, endpoint: Endpoint) -> Iterator[Operation[Video]]:
        from airflow_provider_videos.api import requests

        with self._source() as source:
            yield requests.extend(
                endpoint, source, self.prompt, seconds=self.seconds, extra_body=self.extra_body
            )


class VideoDownloadOperator(_VideosOperator):
    """
    Bring a completed video to a file, whole or not at all.

    Returns ``{video_id, variant, uri, size_bytes, sha256, content_type}``, or a list of those if ``variant``
    is a list. An outlet's asset event carries them with model and seconds; an ``AssetAlias`` as outlet
    becomes an asset with the file's URI. The next try aborts an upload to S3 that a ``kill -9`` has left.

    :param video_id: the video. (templated)
    :param destination: where it goes: a path, a ``file://``, an ``s3://bucket/key`` or another store's URI,
        as Airflow's object storage knows it. One that ends in ``/`` is a folder and gets
        ``{video_id}.{extension}``, the id made safe as a file name; in any other, ``{ext}`` becomes the
        extension of what came and ``{video_id}`` the id. (templated)
    :param variant: ``video``, ``thumbnail`` or ``spritesheet``, or a list of them, which needs a folder:
        all but the video are named ``{video_id}.{variant}.{extension}`` there. (templated)
    :param require_all: whether a variant of a list that the server does not have is an error; else it is
        logged and left out.
    :param if_exists: what becomes of a file that stands there: ``skip`` lets it stand if it is this video's,
        told by what the task has delivered, by its labels and size, or by its bytes, and fails otherwise;
        ``fail`` fails, unless this task has delivered it; only ``overwrite`` replaces it.
    :param min_bytes: a shorter file, of any variant, is an error.
    :param max_bytes: a longer file, of any variant, is an error, and is not read to its end.
    :param verify: ``decode`` to have each video opened and its first and last frames decoded before it is
        committed, so that one that is whole but broken is found while it can be had; it is asked for once
        more, and then an error. Costs a temporary copy on the worker's disk, and the time to decode from the
        last key frame on, in a short video often all of it. Needs PyAV, of the extra ``emulator``. Images,
        and files that are left standing, are not opened.
    :param expected_content_type: what each file must be, told by its first bytes, such as ``video/mp4`` or
        ``video/*``; anything else is an error. (templated)
    :param aws_conn_id: the Amazon connection for ``s3://``; needs the extra ``amazon``. Without one boto3
        finds credentials and endpoint by itself. (templated)
    :param videos_conn_id: the connection to the server. (templated)
    """

    template_fields: Sequence[str] = (
        "video_id",
        "destination",
        "variant",
        "expected_content_type",
        "aws_conn_id",
        "videos_conn_id",
    )

    def __init__(
        self,
        *,
        video_id: str,
        destination: str,
        variant: str | Sequence[str] = "video",
        require_all: bool = False,
        if_exists: IfExists = "skip",
        min_bytes: int = 0,
        max_bytes: int | None = None,
        verify: Verify | None = None,
        expected_content_type: str | None = None,
        aws_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        tidy_after_success(self, delivery_keys)
        _check_choice("if_exists", if_exists, "skip", "overwrite", "fail")
        if verify not in {None, "decode"}:
            raise ValueError(f"verify must be None or 'decode'; got {verify!r}")
        self.video_id = video_id
        self.destination = destination
        self.variant = variant
        self.require_all = require_all
        self.if_exists = if_exists
        self.min_bytes = min_bytes
        self.max_bytes = max_bytes
        self.verify = verify
        self.expected_content_type = expected_content_type
        self.aws_conn_id = aws_conn_id
        self._is_delivering = False
        self._files: list[dict[str, Any]] = []

    def execute(self, context: Context) -> dict[str, Any] | list[dict[str, Any]]:
        """Deliver the file, or the files, and return what became of them."""
        from airflow_provider_videos.operators.download import check_assets

        with _never_retried(InvalidRequest, VideoFailed, Expired, NoSuchVariant, Taken):
            orders = self._orders()
            check_assets(self.outlets, orders)
            if self.verify:
                from airflow_provider_videos.delivery.decoding import require_decoder

                require_decoder()
            with self._connect() as client:
                video = self._facts(client)
                self._is_delivering = True
                try:
                    receipts = self._deliver(context, client, video, orders)
                finally:
                    self._is_delivering = False
        self._tell(context, video, receipts)
        results = [asdict(receipt) for receipt in receipts]
        return results[0] if isinstance(self.variant, str) else results

    def on_kill(self) -> None:
        """Stop where it is; what was begun is taken back on the way out."""
        if self._is_delivering:
            raise DeliveryError("the task was killed; nothing of the file is left behind")

    def get_openlineage_facets_on_complete(
        self,
        task_instance: Any,  # noqa: ARG002 - OpenLineage's signature
    ) -> OperatorLineage[Any, Any]:
        """Tell OpenLineage where the files are."""
        from airflow_provider_videos.operators.download import openlineage

        return openlineage(self._files)

    def _orders(self) -> list[Order]:
        from airflow_provider_videos.delivery.destinations import Destination
        from airflow_provider_videos.delivery.order import Order

        _read_texts(self, "video_id", "destination", optional=("expected_content_type", "aws_conn_id"))
        variants: list[Any] = list(self.variant) if isinstance(self.variant, list | tuple) else [self.variant]
        destination = Destination.parse(self.destination)
        if not variants or not all(isinstance(variant, str) and variant for variant in variants):
            raise InvalidRequest(f"variant must be a name such as video, or a list of names; got {variants}")
        if not isinstance(self.variant, str) and not destination.is_folder:
            raise InvalidRequest(
                f"a list of variants needs a folder: destination {self.destination} must end with /"
            )
        return [
            Order(
                video_id=self.video_id,
                destination=destination,
                variant=variant,
                if_exists=self.if_exists,
                min_bytes=self.min_bytes,
                max_bytes=self.max_bytes,
                verify=self.verify,
                expected_content_type=self.expected_content_type,
                one_of_several=not isinstance(self.variant, str),
            )
            for variant in dict.fromkeys(variants)
        ]

    def _facts(self, client: VideosClient) -> Video | None:
        """Ask what the server knows of the video; a download does not depend on it."""
        from airflow_provider_videos.delivery.deliver import moment

        try:
            video = client.retrieve(self.video_id)
        except (AnswerError, TransportError) as error:
            self.log.info("The server says nothing of the video: %s", error)
            return None
        if video.expires_at is not None:
            minutes = (video.expires_at - time.time()) / 60
            self.log.info(
                "It can be downloaded until %s, %.0f minutes from now", moment(video.expires_at), minutes
            )
        return video

    def _deliver(
        self, context: Context, client: VideosClient, video: Video | None, orders: list[Order]
    ) -> list[Receipt]:
        from airflow_provider_videos.adapters.state import TaskStore
        from airflow_provider_videos.delivery.deliver import Courier
        from airflow_provider_videos.delivery.record import Record
        from airflow_provider_videos.operators.download import stores_of

        stores = stores_of(self.aws_conn_id)
        record = Record(TaskStore(context))
        courier = Courier(client, video, stores, record, self.log)
        orders[0].destination.reach(stores)
        courier.tidy()
        receipts = []
        for order in orders:
            try:
                receipts.append(courier.deliver(order))
            except NoSuchVariant as error:
                if self.require_all or len(orders) == 1:
                    raise
                self.log.warning("%s is left out: %s", order.variant, error)
        if not receipts:
            raise NoSuchVariant("the server has none of these files", video_id=self.video_id)
        return receipts

    def _tell(self, context: Context, video: Video | None, receipts: list[Receipt]) -> None:
        from airflow_provider_videos.adapters.lineage import emit_asset_events, report_hook_lineage
        from airflow_provider_videos.hooks.videos import VideosHook
        from airflow_provider_videos.operators.download import facts_of

        for receipt in receipts:
            self.log.info(
                "There are %s bytes of %s at %s", receipt.size_bytes, receipt.content_type, receipt.uri
            )
        self._files = [facts_of(receipt, video) for receipt in receipts]
        emit_asset_events(context, self.outlets, self._files)
        report_hook_lineage(VideosHook(self.videos_conn_id), self._files)


class VideoPreflightOperator(PlainMappedData):
    """
    Prove that a destination can be written to, and is free, before a video is bought for it.

    A few bytes are written where the file will be, under a name or in an upload that nobody sees, and taken
    back; missing folders are made. A destination that ends in ``/`` is a folder.

    A destination that is the same for each video, and taken, fails for good. What appears there after the
    task's first try may be this run's own file, so when the task is cleared only the download can judge it.

    :param destination: where the file will go, as :class:`VideoDownloadOperator` takes it. (templated)
    :param if_exists: what the download is told; with ``overwrite`` the destination may be taken.
    :param aws_conn_id: the Amazon connection for ``s3://``; needs the extra ``amazon``. Without one boto3
        finds credentials and endpoint by itself. (templated)
    :raises AirflowFailException: if the destination is none, or taken.
    :raises DeliveryError: if it cannot be written to.
    """

    template_fields: Sequence[str] = ("destination", "aws_conn_id")

    def __init__(
        self,
        *,
        destination: str,
        if_exists: IfExists = "skip",
        aws_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        tidy_after_success(self, delivery_keys)
        _check_choice("if_exists", if_exists, "skip", "overwrite", "fail")
        self.destination = destination
        self.if_exists = if_exists
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        """Look what stands there, write and take back."""
        from airflow_provider_videos.adapters.state import TaskStore
        from airflow_provider_videos.delivery.destinations import Destination
        from airflow_provider_videos.delivery.preflight import Preflight
        from airflow_provider_videos.operators.download import stores_of

        with _never_retried(InvalidRequest, Taken):
            _read_texts(self, "destination", optional=("aws_conn_id",))
            destination = Destination.parse(self.destination)
            preflight = Preflight(destination, stores_of(self.aws_conn_id), TaskStore(context), self.log)
            preflight.check(may_replace=self.if_exists == "overwrite")
        self.log.info("%s can be written to", self.destination)


class VideoDeleteOperator(_VideosOperator):
    """
    Delete a video on the server; one that is already gone is no error.

    Returns ``{video_id, deleted}``; ``deleted`` is False where the video was already gone. Do not count on it
    to cancel a running job: many servers go on with it.

    :param video_id: the video. (templated)
    :param on_unsupported: what to do on a server that cannot delete: ``fail``, or ``skip`` the task.
    :param videos_conn_id: the connection to the server. (templated)
    """

    template_fields: Sequence[str] = ("video_id", "videos_conn_id")

    def __init__(self, *, video_id: str, on_unsupported: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _check_choice("on_unsupported", on_unsupported, "fail", "skip")
        self.video_id = video_id
        self.on_unsupported = on_unsupported

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Delete the video and say whether it was still there."""
        with _never_retried(InvalidRequest, NotSupported), self._connect() as client:
            _read_texts(self, "video_id")
            try:
                answer = client.delete(self.video_id)
            except NotSupported as error:
                if self.on_unsupported == "skip":
                    raise AirflowSkipException(str(error)) from error
                raise
        self.log.info("Video %s %s", self.video_id, "is deleted" if answer.deleted else "was already gone")
        return {"video_id": self.video_id, "deleted": answer.deleted}


class VideoListOperator(_VideosOperator):
    """
    List the server's videos, for mapped tasks.

    Returns a list of dicts with the contract's fields, as the server orders them.

    :param status: only videos whose status means the same as this word, such as ``completed`` or ``failed``,
        or as one of a list of them. (templated)
    :param model: only videos of this model. (templated)
    :param older_than: only videos created longer ago than this, a ``timedelta`` or seconds.
    :param newer_than: only videos created less long ago than this, a ``timedelta`` or seconds.
    :param order: ``asc`` or ``desc``, by creation; the server's own order if not given. (templated)
    :param max_videos: the most videos to return; all of them if not given. They travel as one XCom.
    :param videos_conn_id: the connection to the server. (templated)
    """

    template_fields: Sequence[str] = ("status", "model", "order", "videos_conn_id")

    def __init__(
        self,
        *,
        status: str | Sequence[str] | None = None,
        model: str | None = None,
        older_than: timedelta | float | None = None,
        newer_than: timedelta | float | None = None,
        order: str | None = None,
        max_videos: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.status = status
        self.model = model
        self.older_than = older_than
        self.newer_than = newer_than
        self.order = order
        self.max_videos = max_videos

    def execute(self, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002 - Airflow's signature
        """Go through the list and return what was asked for."""
        with _never_retried(InvalidRequest, NotSupported), self._connect() as client:
            _read_texts(self, optional=("model", "order"))
            chosen = filter(self._filter(), client.list(order=self.order or None))
            return [video.contract() for video in islice(chosen, self.max_videos)]

    def _filter(self) -> Callable[[Video], bool]:
        phases = self._phases()
        newest, oldest = _ago(self.older_than, 0), _ago(self.newer_than, float("inf"))

        def wanted(video: Video) -> bool:
            in_time = (self.older_than, self.newer_than) == (None, None) or (
                video.created_at is not None and oldest < video.created_at <= newest
            )
            return (
                in_time
                and (phases is None or video.phase in phases)
                and self.model in {None, "", video.model}
            )

        return wanted

    def _phases(self) -> set[Phase] | None:
        from airflow_provider_videos.api.models import Phase, phase_of

        if not self.status:
            return None
        words: Any = self.status if isinstance(self.status, list | tuple | set) else [self.status]
        strange = [word for word in words if not isinstance(word, str) or phase_of(word) is Phase.UNKNOWN]
        if strange:
            raise InvalidRequest(
                f"status must be a word such as queued or completed; got {', '.join(map(str, strange))}"
            )
        return {phase_of(word) for word in words}


def _ago(age: timedelta | float | None, default: float) -> float:
    seconds = age.total_seconds() if isinstance(age, timedelta) else age
    return time.time() - (default if seconds is None else seconds)
