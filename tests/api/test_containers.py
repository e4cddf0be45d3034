from __future__ import annotations

import pytest

from airflow_provider_videos.api.containers import (
    AVI,
    BY_CONTENT_TYPE,
    ENOUGH_TO_TELL,
    IMAGES,
    JPEG,
    MP4,
    PNG,
    VIDEOS,
    WEBM,
    WEBP,
    sniff,
)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypisom", MP4),
        (b"RIFF\0\0\0\0AVI ", AVI),
        (b"\x1a\x45\xdf\xa3\1\0\0\0\0\0\0\0", WEBM),
        (b"RIFF\0\0\0\0WEBP", WEBP),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", JPEG),
        (b"\x89PNG\r\n\x1a\n", PNG),
        (b'{"error": "no"}', None),
        (b"<!doctype html>", None),
        (b"ftyp", None),
        (b"\0\0\0\0\0ftyp", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_a_file_is_told_by_its_first_bytes(head, kind):
    assert sniff(head) is kind
    assert sniff(head[:ENOUGH_TO_TELL]) is kind


@pytest.mark.parametrize(
    ("kind", "content_type", "extension", "family"),
    [
        (MP4, "video/mp4", "mp4", VIDEOS),
        (AVI, "video/x-msvideo", "avi", VIDEOS),
        (WEBM, "video/webm", "webm", VIDEOS),
        (WEBP, "image/webp", "webp", IMAGES),
        (JPEG, "image/jpeg", "jpg", IMAGES),
        (PNG, "image/png", "png", IMAGES),
    ],
)
def test_a_format_has_its_names_and_its_family(kind, content_type, extension, family):
    assert (kind.content_type, kind.extension) == (content_type, extension)
    assert BY_CONTENT_TYPE[content_type] is kind
    assert {kind in VIDEOS: VIDEOS, kind in IMAGES: IMAGES}[True] is family
    assert len(BY_CONTENT_TYPE) == len(VIDEOS) + len(IMAGES)
