"""The formats that are not made of boxes: AVI, WebP, WebM and Matroska."""

from __future__ import annotations

import pytest

from airflow_provider_videos.delivery.ebml import Elements
from airflow_provider_videos.delivery.riff import Chunks
from tests.delivery.films import avi, chunk, element, webm

EBML, SEGMENT, CLUSTER, BLOCK, VOID = (
    b"\x1a\x45\xdf\xa3",
    b"\x18\x53\x80\x67",
    b"\x1f\x43\xb6\x75",
    b"\xa3",
    b"\xec",
)
LIVE = element(EBML, b"") + element(SEGMENT, b"", has_size=False)
LIVE_CLUSTER = element(CLUSTER, b"", has_size=False) + element(BLOCK, b"x" * 20) * 3


def walked(walker, data: bytes, piece: int = 7):
    for at in range(0, len(data), piece):
        walker.feed(data[at : at + piece])
    return walker


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize(
    ("walker", "data"),
    [
        (Chunks, avi(300)),
        (Chunks, chunk(b"RIFF", b"AVI " + b"x" * 50)),
        (Chunks, chunk(b"RIFF", b"WEBP" + b"x" * 50)),
        (Chunks, avi(300) + bytes(12)),
        (Chunks, avi(300) + chunk(b"JUNK", b"")),
        (Elements, webm(300)),
        (Elements, webm(300) + bytes(12)),
        (Elements, element(VOID, b"x") + webm(300)),
        (Elements, EBML + b"\x80" + SEGMENT + b"\x41\x00" + bytes(256)),
        (Elements, LIVE + LIVE_CLUSTER * 2),
        (Elements, LIVE + element(CLUSTER, b"x" * 99) * 2),
    ],
)
def test_a_whole_file_misses_nothing(walker, data, piece):
    whole = walked(walker(), data, piece)
    assert (whole.missing(), whole.damage, whole.flaw()) == (None, None, None)


@pytest.mark.parametrize(
    ("walker", "data", "boundaries"),
    [
        (Chunks, avi(300), {8 + 4 + 138}),
        (Elements, webm(300), set()),
        # Where a live recording ends, nobody can tell between two of its parts.
        (Elements, LIVE + element(CLUSTER, b"x" * 99) * 2, {24, 24 + 111}),
    ],
    ids=["AVI", "WebM", "live WebM"],
)
def test_a_cut_is_found_wherever_it_can_be_told(walker, data, boundaries):
    unseen = {at for at in range(1, len(data)) if walked(walker(), data[:at]).missing() is None}
    assert unseen == boundaries


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_an_avi_that_does_not_know_its_length_is_not_taken_for_whole(size):
    found = walked(Chunks(), b"RIFF" + size + b"AVI LIST").missing()
    assert found == "a chunk has no end of its own, and the server does not say how long it is"


@pytest.mark.parametrize(
    ("walker", "data", "message"),
    [
        (Chunks, avi(300) + b"\xff\xff\xff\xff\xff\xff\xff\xff", "behind its end stands something else"),
        (Elements, webm(300) + b"\x0f\xff", "behind its end stands something else"),
        (Elements, element(EBML, b""), "it has no segment"),
        (Elements, element(EBML, b"") + b"\x0f\x81", "where an element should begin stands something else"),
        (Elements, element(EBML, b"") + b"\xa3\x00", "where an element should begin stands something else"),
        (Chunks, avi(300)[:-1], "it ends in the middle of a chunk"),
        (Elements, webm(300)[:-1], "it ends in the middle of an element"),
    ],
)
def test_it_says_what_is_wrong(walker, data, message):
    assert walked(walker(), data).missing() == message
