"""The file to download, and checks that a response or an existing file matches it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote

from airflow_provider_videos.api.errors import DeliveryError, NoSuchVariant
from airflow_provider_videos.api.requests import DEFAULT_VARIANT

if TYPE_CHECKING:
    from airflow_provider_videos.api.containers import Container
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.delivery.destinations import Destination
    from airflow_provider_videos.delivery.sinks import Standing

IfExists = Literal["skip", "overwrite", "fail"]
Verify = Literal["decode"]

_FAMILIES = {DEFAULT_VARIANT: "video/", "thumbnail": "image/", "spritesheet": "image/"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    A file to deliver.

    :param video_id: the video it belongs to.
    :param destination: where it is wanted.
    :param variant: which of the video's files it is.
    :param if_exists: what becomes of a file that stands there. ``skip`` lets it stand if it is the one that
        is wanted, and fails otherwise; ``fail`` fails; only ``overwrite`` replaces it.
    :param min_bytes: fewer are an error.
    :param max_bytes: more are an error.
    :param verify: ``decode`` to have a video's first and last frames decoded before it is committed.
    :param expected_content_type: what its format must be, such as ``video/mp4`` or ``video/*``.
    :param one_of_several: whether the video's other files go to the same folder.
    """

    video_id: str
    destination: Destination
    variant: str = DEFAULT_VARIANT
    if_exists: IfExists = "skip"
    min_bytes: int = 0
    max_bytes: int | None = None
    verify: Verify | None = None
    expected_content_type: str | None = None
    one_of_several: bool = False

    def target(self, container: Container) -> Destination:
        """Return the file's own address."""
        middle = self.variant if self.one_of_several and self.variant != DEFAULT_VARIANT else ""
        return self.destination.file_for(self.video_id, container, middle)

    def labels(self, video: Video | None) -> dict[str, str]:
        """Return what a store is told of the file, in ASCII."""
        facts = {
            "video-id": self.video_id,
            "video-variant": self.variant,
            "video-model": video and video.model,
            "video-created-at": video and video.created_at,
        }
        return {
            name: quote(str(fact), safe=_PLAIN, errors="replace")
            for name, fact in facts.items()
            if fact is not None
        }

    def check_format(self, container: Container) -> None:
        """
        See that a file is what was ordered.

        :param container: its format.
        :raises NoSuchVariant: if the server sends something else for a variant that it does not have.
        :raises DeliveryError: if it is not of the expected content type.
        """
        if not container.content_type.startswith(_FAMILIES.get(self.variant, "")):
            raise NoSuchVariant(
                f"the server sent {container.name} where the {self.variant} was asked for",
                video_id=self.video_id,
            )
        expected = self.expected_content_type or "*"
        if not fnmatch(container.content_type, expected):
            raise DeliveryError(
                f"{expected} was expected and {container.content_type} came", video_id=self.video_id
            )

    def is_to_be_decoded(self, container: Container) -> bool:
        """
        Say whether a file is to be decoded; an image may be of a kind that the decoder does not know.

        :param container: its format.
        """
        return self.verify == "decode" and container.content_type.startswith("video/")

    def check_size(self, size: int | None) -> None:
        """
        See that a file is neither too short nor too long.

        :param size: its length, where it is known.
        :raises DeliveryError: if it is.
        """
        self.check_growth(size or 0)
        if size is not None and size < self.min_bytes:
            raise DeliveryError(
                f"at least {self.min_bytes} bytes were expected and there are {size}", video_id=self.video_id
            )

    def check_growth(self, size: int) -> None:
        """
        See that a file which may still grow is not too long.

        :param size: how much of it has come.
        :raises DeliveryError: if it is.
        """
        if self.max_bytes is not None and size > self.max_bytes:
            raise DeliveryError(
                f"at most {self.max_bytes} bytes were expected and there are {size} or more",
                video_id=self.video_id,
            )

    def is_met_by(self, standing: Standing, size: int | None) -> bool | None:
        """
        Say whether a file that stands there is the one that is wanted; None if only its bytes can tell.

        :param standing: the file.
        :param size: how long the wanted one is, where that is known.
        """
        if size is not None and standing.size_bytes != size:
            return False
        wanted = {"video-id": self.video_id, "video-variant": self.variant}
        said = {name: unquote(standing.labels[name]) for name in wanted if name in standing.labels}
        if said and said != wanted:
            return False
        return True if said and size is not None else None

    def taken(self, standing: Standing) -> str:
        """
        Name the file that is in the way and the one that is wanted, and the ways out.

        :param standing: the file.
        """
        there = standing.labels.get("video-id")
        holds = f"video {unquote(there)}" if there else "a file"
        return (
            f"there is {holds} of {standing.size_bytes} bytes, which is not surely the {self.variant} of "
            f"video {self.video_id}; set if_exists to overwrite to replace it, or give each video a key of "
            "its own, such as {video_id} in the destination"
        )


# All of ASCII that can stand in a header; the percent sign has to be told from those that quoting adds.
_PLAIN = "".join(chr(code) for code in range(33, 127) if chr(code) != "%")
