"""What a file is, told by its first bytes: servers name the wrong content type too often to be believed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Container:
    """
    A file format.

    :param name: what people call it.
    :param content_type: its media type.
    :param extension: its usual file name extension.
    """

    name: str
    content_type: str
    extension: str


MP4 = Container("MP4", "video/mp4", "mp4")
AVI = Container("AVI", "video/x-msvideo", "avi")
WEBM = Container("WebM", "video/webm", "webm")
WEBP = Container("WebP", "image/webp", "webp")
JPEG = Container("JPEG", "image/jpeg", "jpg")
PNG = Container("PNG", "image/png", "png")

IMAGES = frozenset({WEBP, JPEG, PNG})
VIDEOS = frozenset({MP4, AVI, WEBM})

BY_CONTENT_TYPE = {container.content_type: container for container in (*VIDEOS, *IMAGES)}

ENOUGH_TO_TELL = 12
"""How many bytes :func:`sniff` needs."""

# Where the mark stands, the mark, and what bears it.
_MARKS = (
    (4, b"ftyp", MP4),
    (8, b"AVI ", AVI),
    (0, b"\x1a\x45\xdf\xa3", WEBM),
    (8, b"WEBP", WEBP),
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"\x89PNG", PNG),
)


def sniff(head: bytes) -> Container | None:
    """
    Tell a file's format.

    :param head: its first bytes, at least :data:`ENOUGH_TO_TELL` unless it has fewer.
    """
    return next((kind for at, mark, kind in _MARKS if head[at : at + len(mark)] == mark), None)
