"""
Random trouble from random servers: what stands at the destination is the whole file, or nothing new.

Each run is made from its seed. ``make fuzz-delivery`` makes 2,000 of them; ``FUZZ_RUNS`` says how many.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from airflow_provider_videos.api.errors import VideosError
from airflow_provider_videos.delivery.s3 import S3Object
from airflow_provider_videos.emulator import Answer, Corrupt, Cut, Drop, Fault, Latency, Stall
from tests.delivery.conftest import BUCKETS, PLACES, Waits, place_at
from tests.delivery.films import avi, film, fragmented, mov, served, webm

RUNS = int(os.environ.get("FUZZ_RUNS", "50"))
STATUSES = (200, 400, 401, 404, 409, 425, 429, 500, 502, 503)
BODIES = (None, {"error": {"message": "The video is no longer available."}}, "<html>502 Bad Gateway</html>")
NOT_YET = (202, 204)
HIDDEN = (b"content-length", b"etag", b"accept-ranges")
WHERE = list(dict.fromkeys((*PLACES, *BUCKETS)))
FORMATS = {film: 36, mov: 36, fragmented: 80, avi: 36, webm: 40}
"""Formats, and how short each can be."""


@dataclass
class Storm:
    """Events of one run."""

    seed: int
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.size = self.random.choice([36, 100, 4096, 65_536, 400_000, 1_500_000]) + self.random.randrange(
            99
        )
        self.make = self.random.choice(list(FORMATS))
        self.size = max(self.size, FORMATS[self.make])
        self.tail = self.random.choice([*[b""] * 4, bytes(self.random.randrange(1, 64)), b"TAG A song" * 9])
        self.films = [self.make(self.size, seed) + self.tail for seed in (self.seed, self.seed + 1)]
        self.whole, self.size = self.size, len(self.films[0])
        self.old = self.random.choice([None, b"what stood there before"])
        self.if_exists = self.random.choice(["skip", "fail", "overwrite", "overwrite"])

    def change(self, server) -> None:
        """Make the server one that is like no other."""
        server.emulator.serve(served(self.films[0]))
        server.traits.ignores_range = self.random.random() < 0.3
        server.traits.hides = {name for name in HIDDEN if self.random.random() < 0.2}
        if self.random.random() < 0.2:
            server.traits.ends_after = self.random.randrange(self.size)
        server.traits.ignores_if_range = self.random.random() < 0.3
        if self.random.random() < 0.1:
            server.traits.shifts_range = self.random.choice([1, -1, 1000])
        if self.random.random() < 0.1:
            server.traits.adds[b"etag"] = self.random.choice([b'W/"weak"', b'"always the same"'])
        self.promises = self.random.random() < 0.5
        self.promise(server, self.films[0])
        for nth in range(1, self.random.randrange(7)):
            server.emulator.inject(Fault(self.effect(), operation="content", nth=nth))

    def promise(self, server, data: bytes) -> None:
        if self.promises:
            digest = base64.b64encode(hashlib.sha256(data).digest())
            server.traits.adds[b"repr-digest"] = b"sha-256=:" + digest + b":"

    def effect(self):
        place = self.random.randrange(self.size)
        status, body = self.random.choice(STATUSES), self.random.choice(BODIES)
        if self.random.random() < 0.2:
            status, body = self.random.choice(NOT_YET), None
        effects = [
            *[Cut(after_bytes=place)] * 4,
            Drop(reset=self.random.random() < 0.5),
            Answer(status=status, body=body),
            Latency(seconds=0.001),
        ]
        if self.random.random() < 0.03:
            effects = [Stall(after_bytes=place)]
        if self.promises:
            effects += [Corrupt(at_byte=place)] * 3  # or nobody could know
        return self.random.choice(effects)

    def can_be_told(self, found: bytes) -> bool:
        """Whether anybody could know that a file is not one of the films: not where a part of it is whole."""
        if self.promises or all(not whole.startswith(found) for whole in self.films):
            return True
        if len(found) >= self.whole:
            return bool(self.tail.strip(b"\0"))  # padding has no end that it says
        return len(found) not in _ends(self.make, self.films[0])

    def meanwhile(self, server, place, name) -> None:
        """What happens while a delivery waits."""
        event = self.random.random()
        if self.old is None and self.if_exists != "overwrite" and self.random.random() < 0.1:
            self.old = b"what somebody else brought meanwhile"
            place.put(name, self.old)
        if event < 0.05:
            server.emulator.restart()
        elif event < 0.25:
            # The server made the file anew, and its tag and digest with it.
            server.traits.adds.pop(b"etag", None)
            server.emulator.serve(served(self.films[1]))
            self.promise(server, self.films[1])
        elif event < 0.35:
            server.emulator.drop_connections()


def _ends(make, data: bytes) -> set[int]:
    """Where a part of a file ends that is whole in itself."""
    if make is avi:
        return {8 + int.from_bytes(data[4:8], "little")}
    at, ends = 0, set()
    while make is fragmented and at < len(data):
        kind, at = data[at + 4 : at + 8], at + max(int.from_bytes(data[at : at + 4], "big"), 8)
        ends |= {at} if kind == b"mdat" else set()
    return ends


def outcome(deliver, destination, clock, if_exists):
    try:
        return deliver(destination, clock=clock, if_exists=if_exists)
    except VideosError as error:
        return error


def weather(seed, server, deliver, place) -> str:
    """Make one run; return what became of it."""
    server.as_new()
    storm, name = Storm(seed), f"{seed}.mp4"
    if storm.old:
        place.put(name, storm.old)
    storm.change(server)
    clock = Waits(lambda: storm.meanwhile(server, place, name))
    ended = outcome(deliver, place.uri + name, clock, storm.if_exists)
    found = place.files()
    place.remove(name)
    if isinstance(ended, VideosError):
        assert ended.message, seed
        assert found == ({name: storm.old} if storm.old else {}), seed
        return type(ended).__name__
    assert list(found) == [name], seed
    assert storm.old is None or storm.if_exists == "overwrite", seed
    data = found[name]
    assert (ended.size_bytes, ended.sha256) == (len(data), hashlib.sha256(data).hexdigest()), seed
    if data not in storm.films:
        assert not storm.can_be_told(data), seed
        return "cut where nobody can tell"
    return "delivered at once" if server.downloads == 1 else "delivered in several goes"


@pytest.mark.parametrize("where", WHERE)
def test_whole_or_nothing(one_server, deliver, tmp_path, monkeypatch, request, where):
    monkeypatch.setattr(S3Object, "SMALLEST_PART", 128 * 1024)
    place = place_at(request, where, tmp_path)
    seeds = range(WHERE.index(where), RUNS, len(WHERE))
    outcomes = Counter(weather(seed, one_server, deliver, place) for seed in seeds)
    logging.getLogger("fuzz").warning("%d runs to %s: %s", len(seeds), where, dict(outcomes.most_common()))
    assert outcomes["delivered in several goes"] > 0
