from __future__ import annotations

import tracemalloc

import pytest

from airflow_provider_videos.delivery.boxes import Boxes
from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.delivery.films import FTYP, box, film, fragmented, mov


def walked(data: bytes, piece: int = 7) -> Boxes:
    boxes = Boxes()
    for at in range(0, len(data), piece):
        boxes.feed(data[at : at + piece])
    return boxes


@pytest.mark.parametrize("piece", [1, 7, 8, 1000])
@pytest.mark.parametrize(
    "data",
    [
        film(100),
        FTYP + box(b"moov", b"x" * 50) + box(b"free", b"") + box(b"mdat", b"y" * 500),
        FTYP + box(b"moov", b"") + b"\0\0\0\1mdat" + (16 + 30).to_bytes(8, "big") + bytes(30),
        fragmented(200),
        mov(100),
        box(b"free", b"x" * 99) + film(100),
        box(b"pnot", b"x" * 12) + box(b"mdat", b"y" * 50) + box(b"moov", b""),
        box(b"styp", b"msdh") + box(b"sidx", b"x" * 20) + box(b"moof", b"") + box(b"mdat", b"y"),
        film(100) + bytes(8),
        film(100) + bytes(9999),
        film(100) + film(100),
        film(100) + box(b"uuid", b"x" * 30),
    ],
)
def test_a_whole_file_misses_nothing(data, piece):
    boxes = walked(data, piece)
    assert (boxes.missing(), boxes.damage, boxes.flaw()) == (None, None, None)


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize(
    "data",
    [
        FTYP + box(b"moov", b"") + b"\0\0\0\0mdat" + bytes(30),
        FTYP + box(b"moov", b""),
        FTYP + box(b"moov", b"") + box(b"mdat", b"y") + box(b"moof", b""),
        FTYP + box(b"moov", b"") + box(b"moof", b"") * 2 + box(b"mdat", b"y"),
        film(100) + bytes(3),
        film(100) + b"TAG and so on, as players of music write it",
        film(100) + b"<html>502 Bad Gateway</html>",
        film(100) + b"\xff\xff\xff\xff\xff\xff\xff\xff and more",
        film(100) + bytes(100) + b"x",
        film(100) + bytes(7) + b"x",
        film(100) + box(b"free", bytes(40))[:-1],
    ],
)
def test_what_nobody_can_tell_without_a_length_is_whole_once_its_length_is_met(data, piece):
    boxes = walked(data, piece)
    assert boxes.missing()
    assert (boxes.damage, boxes.flaw()) == (None, None)


@pytest.mark.parametrize(
    "data",
    [
        film(300)[:-1],
        film(300)[:-8],
        film(300)[:250],
        mov(300)[:-1],
        mov(300)[:-8],
        fragmented(300)[:-1],
        fragmented(300)[:56],
        FTYP + box(b"moov", b"") + box(b"mdat", b"y" * 50)[:-1],
        FTYP + box(b"moov", b"") + box(b"mdat", b"y" * 50)[:7],
        FTYP + b"\0\0\0\0mdat" + bytes(30),
        FTYP + box(b"mdat", b"") + bytes(30),
    ],
)
def test_what_is_cut_short_is_not_whole_though_its_length_is_met(data):
    boxes = walked(data)
    assert boxes.missing()
    assert boxes.flaw()


def test_memory_does_not_grow_with_the_number_of_boxes():
    boxes = walked(film(100), 4096)
    many = box(b"free", b"") * 20_000
    boxes.feed(many)
    tracemalloc.start()
    boxes.feed(many)
    assert tracemalloc.get_traced_memory()[0] < 2000
    tracemalloc.stop()
    assert boxes.missing() is None


def test_a_cut_is_found_wherever_it_is():
    data = film(300)
    assert [at for at in range(1, len(data)) if walked(data[:at]).missing() is None] == []


def test_it_says_where_the_cut_is():
    data = film(300)
    assert walked(data[:100]).missing() == "it ends in the middle of its box mdat"
    assert walked(data[:23]).missing() == "it ends in the middle of the header of a box"
    assert walked(data[:-8]).missing() == "it has no index (moov)"
    endless = walked(FTYP + box(b"moov", b"") + b"\0\0\0\0mdat")
    assert endless.missing() == (
        "its box mdat has no end of its own, and the server does not say how long it is"
    )
    assert walked(FTYP + box(b"moov", b"")).missing() == "it has an index and no data (mdat)"


def test_what_is_no_box_is_damage():
    assert walked(FTYP + b"\0\0\0\x10\xff\xd8\xff\xe0" + bytes(8)).damage
    assert walked(FTYP + b"\0\0\0\x04mdat").damage == "its box mdat claims to be smaller than its own header"
    assert walked(film(100) + b"<html>502 Bad Gateway</html>").missing()


def test_a_rendered_video_is_whole_and_each_part_of_it_is_not():
    with Emulator(clock=ManualClock()) as emulator:
        import httpx

        headers = {"Authorization": "Bearer test-key"}
        http = httpx.Client(base_url=emulator.base_url, headers=headers, timeout=60)
        video_id = http.post("/videos", json={"prompt": "A boat"}).json()["id"]
        emulator.clock.advance(60)
        data = http.get(f"/videos/{video_id}/content").content
        http.close()
    assert walked(data, 4096).missing() is None
    assert all(walked(data[:at], 4096).missing() for at in range(1, len(data), 997))
