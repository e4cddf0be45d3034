from __future__ import annotations

import pytest

from airflow_provider_videos.api.containers import AVI, ENOUGH_TO_TELL, JPEG, MP4, PNG, WEBM, WEBP, sniff


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
