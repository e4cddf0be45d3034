from __future__ import annotations

import pytest

from airflow_provider_videos.delivery.boxes import Boxes
from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.delivery.films import FTYP, box, film


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
        FTYP + box(b"moov", b"") + b"\0\0\0\0mdat" + bytes(30),
    ],
    ids=["index last", "index first", "64-bit size", "box to the end"],
)
def test_a_whole_file_misses_nothing(data, piece):
    boxes = walked(data, piece)
    assert (boxes.missing(), boxes.damage) == (None, None)


def test_a_cut_is_found_wherever_it_is():
    data = film(300)
    assert [at for at in range(1, len(data)) if walked(data[:at]).missing() is None] == []


def test_it_says_where_the_cut_is():
    data = film(300)
    assert walked(data[:100]).missing() == "it ends in the middle of its box mdat"
    assert walked(data[:23]).missing() == "it ends in the middle of the header of a box"
    assert walked(data[:-8]).missing() == "it has no index (moov)"


def test_what_is_no_box_is_damage():
    assert walked(FTYP + b"\0\0\0\x10\xff\xd8\xff\xe0" + bytes(8)).damage
    assert walked(FTYP + b"\0\0\0\x04mdat").damage == "its box mdat claims to be smaller than its own header"
    assert walked(film(100) + b"<html>502 Bad Gateway</html>").missing()


def test_a_rendered_video_is_whole_and_each_part_of_it_is_not():
    with Emulator(clock=ManualClock()) as emulator:
        import httpx

        http = httpx.Client(base_url=emulator.base_url, headers={"Authorization": "Bearer test-key"})
        video_id = http.post("/videos", json={"prompt": "A boat"}).json()["id"]
        emulator.clock.advance(60)
        data = http.get(f"/videos/{video_id}/content").content
        http.close()
    assert walked(data, 4096).missing() is None
    assert all(walked(data[:at], 4096).missing() for at in range(1, len(data), 997))
