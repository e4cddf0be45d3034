"""
The operators: submit, fetch, delete.

Submitting never waits: :class:`~airflow_provider_videos.sensors.videos.VideoSensor` does. So a retry of the
wait, or of the download, can never buy a second video.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_videos.api.errors import InvalidRequest, OutcomeUnknown

if TYPE_CHECKING:
    from airflow.sdk import Context
    from mypy_boto3_s3 import S3Client

    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.api.requests import Reference
    from airflow_provider_videos.delivery.containers import Container
    from airflow_provider_videos.delivery.sinks import Sink


class _VideosOperator(BaseOperator):
    """What all operators share: the connection."""

    def __init__(self, *, videos_conn_id: str = "videos_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.videos_conn_id = videos_conn_id

    def _connect(self) -> VideosClient:
        from airflow_provider_videos.hooks.videos import VideosHook

        return VideosHook(self.videos_conn_id).get_conn()


class _SubmitOperator(_VideosOperator, ABC):
    """What all purchases share: they are made once, recorded, and hand on the id."""

    @abstractmethod
    def _buy(self, client: VideosClient) -> Video: ...

    def execute(self, context: Context) -> str:
        """Buy the video, or take up the one that an earlier try has bought, and return its id."""
        from airflow_provider_videos.submission.durable import submit

        with self._connect() as client:
            try:
                video_id, video = submit(context["task_state_store"], lambda: self._buy(client), self.log)
            except (InvalidRequest, OutcomeUnknown) as error:
                # A retry would send the same request: in vain, or for the second time.
                raise AirflowFailException(str(error)) from error
            video = video or client.retrieve(video_id)
        context["ti"].xcom_push("video", video.contract())
        return video_id


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
    :param extra_body: further fields of any name, such as ``{"seed": 7}``; they override the others.
        (templated)
    :param videos_conn_id: the connection to the server. (templated)
    :raises AirflowFailException: if the request is wrong, or if the video may have been bought but the answer
        was lost: neither is retried.
    """

    template_fields: Sequence[str] = (
        "prompt",
        "model",
        "seconds",
        "size",
        "input_reference",
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
        extra_body: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.seconds = seconds
        self.size = size
        self.input_reference = input_reference
        self.extra_body = extra_body

    def _buy(self, client: VideosClient) -> Video:
        return client.create(
            self.prompt,
            model=self.model,
            seconds=self.seconds,
            size=self.size,
            input_reference=_opened(self.input_reference),
            extra_body=self.extra_body,
        )


class VideoRemixOperator(_SubmitOperator):
    """
    Buy a variation of a completed video and return its id; nothing is waited for.

    A retry of the task returns the id that its first try has bought.

    :param video_id: the video to start from. (templated)
    :param prompt: what shall be different. (templated)
    :param extra_body: further fields of any name; they override the others. (templated)
    :param videos_conn_id: the connection to the server. (templated)
    :raises AirflowFailException: if the request is wrong, or if the video may have been bought but the answer
        was lost: neither is retried.
    """

    template_fields: Sequence[str] = ("video_id", "prompt", "extra_body", "videos_conn_id")

    def __init__(
        self, *, video_id: str, prompt: str, extra_body: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.video_id = video_id
        self.prompt = prompt
        self.extra_body = extra_body

    def _buy(self, client: VideosClient) -> Video:
        return client.remix(self.video_id, self.prompt, extra_body=self.extra_body)


class VideoDownloadOperator(_VideosOperator):
    """
    Bring a completed video to a file, whole or not at all.

    Returns ``{video_id, variant, uri, size_bytes, sha256, content_type}``.

    :param video_id: the video. (templated)
    :param destination: where it goes: a path, a ``file://`` or an ``s3://bucket/key`` URI. One that ends in
        ``/`` is a folder and gets ``{video_id}.{extension}``, the id made safe as a file name. (templated)
    :param variant: ``video``, ``thumbnail`` or ``spritesheet``. (templated)
    :param aws_conn_id: the Amazon connection for ``s3://``; needs the extra ``amazon``. Without one boto3
        finds credentials and endpoint by itself. (templated)
    :param videos_conn_id: the connection to the server. (templated)
    """

    template_fields: Sequence[str] = ("video_id", "destination", "variant", "aws_conn_id", "videos_conn_id")

    def __init__(
        self,
        *,
        video_id: str,
        destination: str,
        variant: str = "video",
        aws_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.video_id = video_id
        self.destination = destination
        self.variant = variant
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Download the file and return what became of it."""
        from airflow_provider_videos.delivery.deliver import deliver
        from airflow_provider_videos.delivery.destinations import Destination

        destination = Destination.parse(self.destination)
        uris: list[str] = []

        def sink_for(container: Container) -> Sink:
            target = destination.file_for(self.video_id, container)
            uris.append(target.uri)
            return target.sink(container, self._s3_client)

        with (
            self._connect() as client,
            client.download_content(self.video_id, variant=self.variant) as content,
        ):
            receipt = deliver(self.video_id, content, sink_for)
        self.log.info("Delivered %s bytes of %s to %s", receipt.size_bytes, receipt.container.name, uris[0])
        return {
            "video_id": self.video_id,
            "variant": self.variant,
            "uri": uris[0],
            "size_bytes": receipt.size_bytes,
            "sha256": receipt.sha256,
            "content_type": receipt.container.content_type,
        }

    def _s3_client(self) -> S3Client:
        if not self.aws_conn_id:
            import boto3

            return boto3.client("s3")
        try:
            from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        except ImportError:
            raise AirflowFailException(
                "aws_conn_id needs the Amazon provider: pip install 'airflow-provider-videos[amazon]'"
            ) from None
        client: S3Client = S3Hook(self.aws_conn_id).get_conn()
        return client


class VideoDeleteOperator(_VideosOperator):
    """
    Delete a video on the server; one that is already gone is no error.

    Returns ``{video_id, deleted}``; ``deleted`` is False where the video was already gone. Do not count on it
    to cancel a running job: many servers go on with it.

    :param video_id: the video. (templated)
    :param videos_conn_id: the connection to the server. (templated)
    """

    template_fields: Sequence[str] = ("video_id", "videos_conn_id")

    def __init__(self, *, video_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.video_id = video_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Delete the video and say whether it was still there."""
        with self._connect() as client:
            answer = client.delete(self.video_id)
        self.log.info("Video %s %s", self.video_id, "is deleted" if answer.deleted else "was already gone")
        return {"video_id": self.video_id, "deleted": answer.deleted}


def _opened(reference: str | Mapping[str, Any] | None) -> Reference | None:
    if not reference or isinstance(reference, Mapping):
        return reference or None
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_videos.api.requests import Upload

    path = ObjectStoragePath(reference)
    try:
        return Upload.image(path.name, path.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"input_reference {reference!r} cannot be read: {error}") from error
