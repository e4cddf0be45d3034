"""Several servers behind one address, as a client meets them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from airflow_provider_videos.emulator import Emulator, ManualClock
from tests.emulator.videos_contract import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from airflow_provider_videos.emulator.replicas import Balance

LOOKS = 24


@contextmanager
def replicated(balance: Balance, replicas: int = 2) -> Iterator[tuple[Emulator, httpx.Client]]:
    with (
        Emulator(replicas=replicas, balance=balance, clock=ManualClock()) as emulator,
        connect(emulator.base_url, emulator.api_key) as client,
    ):
        yield emulator, client


def buy(client: httpx.Client, prompt: str = "a cat") -> str:
    identity: str = client.post("/videos", json={"prompt": prompt}).json()["id"]
    return identity


def look(client: httpx.Client, identity: str) -> tuple[int, bool]:
    """Ask for a video, and whether the list shows it."""
    status = client.get(f"/videos/{identity}").status_code
    return status, identity in [video["id"] for video in client.get("/videos").json()["data"]]


def test_by_request_the_same_connection_meets_both() -> None:
    with replicated("request") as (emulator, client):
        identity = buy(client)
        seen = {look(client, identity) for _ in range(LOOKS)}
        assert {status for status, _ in seen} == {200, 404}
        assert {shown for _, shown in seen} == {True, False}
        assert emulator.record.connections == 1


def test_by_connection_one_replica_answers_as_long_as_it_lasts() -> None:
    with replicated("connection") as (emulator, client):
        identity = buy(client)
        assert {look(client, identity) for _ in range(LOOKS)} == {(200, True)}
        seen = set()
        for _ in range(LOOKS):
            emulator.drop_connections()
            with connect(emulator.base_url, emulator.api_key) as another:
                seen.add(look(another, identity))
        assert seen == {(200, True), (404, False)}


def test_all_replicas_are_one_record_and_one_store_of_files() -> None:
    with replicated("request", replicas=3) as (emulator, client):
        bought = [buy(client) for _ in range(LOOKS)]
        assert [one.video_id for one in emulator.purchases] == bought
        shown = {video["id"] for _ in range(LOOKS) for video in client.get("/videos").json()["data"]}
        assert shown == set(bought)
        emulator.restart()
        assert {look(client, bought[0]) for _ in range(LOOKS)} == {(404, False)}


def test_the_same_seed_chooses_the_same_replicas() -> None:
    def run() -> list[int]:
        with replicated("request") as (_, client):
            identity = buy(client)
            return [client.get(f"/videos/{identity}").status_code for _ in range(LOOKS)]

    assert run() == run()


@pytest.mark.parametrize("wrong", [{"replicas": 0}, {"balance": "luck"}])
def test_replicas_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"replica|balance"):
        Emulator(**wrong)  # type: ignore[arg-type]  # that is the point
