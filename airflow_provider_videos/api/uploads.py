"""Files to send along: images and videos that a request starts from."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_videos.api.containers import (
    AVI,
    ENOUGH_TO_TELL,
    JPEG,
    MKV,
    MOV,
    MP4,
    PNG,
    WEBM,
    WEBP,
    Container,
    sniff,
)
from airflow_provider_videos.api.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

__all__ = ["Reference", "Upload"]

# What servers take; what they hand out may be more.
_REFERENCES = frozenset({JPEG, PNG, WEBP})
_SOURCES = frozenset({MP4, MOV, WEBM, MKV, AVI})  # QuickTime and Matroska are what MP4 and WebM come from

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """
    A file to send along.

    :param filename: the name the server is told.
    :param content: the bytes, or a seekable binary file, which is streamed.
    :param content_type: the media type.
    """

    filename: str
    content: bytes | BinaryIO = field(repr=False)
    content_type: str

    @classmethod
    def image(cls, filename: str, content: bytes | BinaryIO) -> Upload:
        """
        Make an upload of a JPEG, PNG or WebP image, its type read from its first bytes.

        :param filename: the name the server is told.
        :param content: the bytes, or a seekable binary file.
        :raises InvalidRequest: if it is none of these.
        """
        return cls._of(filename, content, _REFERENCES, "a JPEG, PNG or WebP image")

    @classmethod
    def video(cls, filename: str, content: bytes | BinaryIO) -> Upload:
        """
        Make an upload of an MP4, WebM or AVI video, its type read from its first bytes.

        :param filename: the name the server is told.
        :param content: the bytes, or a seekable binary file.
        :raises InvalidRequest: if it is none of these.
        """
        return cls._of(filename, content, _SOURCES, "an MP4, WebM or AVI video")

    @classmethod
    def _of(
        cls, filename: str, content: bytes | BinaryIO, kinds: AbstractSet[Container], wanted: str
    ) -> Upload:
        head = content[:ENOUGH_TO_TELL] if isinstance(content, bytes) else content.read(ENOUGH_TO_TELL)
        container = sniff(head)
        if container is None or container not in kinds:
            raise InvalidRequest(f"{filename!r} must be {wanted}, and it is not")
        return cls(filename, content, container.content_type)

    def stream(self) -> BinaryIO:
        """Return the content as a file, at its beginning."""
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        self.content.seek(0)
        return self.content

    def part(self) -> tuple[str, BinaryIO, str]:
        """Return name, content and type, as a part of a multipart body has them."""
        # A file name whose bytes are no text has unpaired surrogates in Python.
        return self.filename.encode("utf-8", "replace").decode(), self.stream(), self.content_type

    def sha256(self) -> str:
        """Return the SHA-256 of the whole file, in hexadecimal."""
        digest, stream = hashlib.sha256(), self.stream()
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
        return digest.hexdigest()

    def data_url(self) -> str:
        """Return the whole file as a ``data:`` URL, for servers that take JSON only."""
        return f"data:{self.content_type};base64,{base64.b64encode(self.stream().read()).decode()}"


Reference = Upload | Mapping[str, Any]
"""An image: a file, or the contract's ``{"file_id": ...}`` or ``{"image_url": ...}``."""
