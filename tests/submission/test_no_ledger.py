"""Purchases on an Airflow whose tasks can't list what they share: nobody knows whose a listed video is."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_videos.api.errors import InDoubt, OutcomeUnknown
from airflow_provider_videos.submission.decision import Facts
from airflow_provider_videos.submission.durable import KEY, Submission
from airflow_provider_videos.submission.ledger import NoLedger
from airflow_provider_videos.submission.record import Record
from tests.submission.test_durable import Server
from tests.turned_time import TurnedTime

FACTS = Facts("f1", max_tries=2, tries_left=2, next_try=5.0)


@pytest.fixture
def server(store, registry):
    return Server(store, registry, TurnedTime())


def start(store, server):
    return Submission(
        store,
        NoLedger({"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}),
        FACTS,
        server,
        logging.getLogger("task"),
        server.clock.clock,
        handwork="Write its id to the Variable.",
    ).submit()


def lose_the_answer(store, server):
    server.videos.append(server.make("old", server.clock.time() - 3600))
    server.loses_answer = OutcomeUnknown("the connection broke")
    with pytest.raises(InDoubt):
        start(store, server)
    server.loses_answer = None


def test_a_purchase_is_made_and_taken_up_without_one(store, server):
    assert start(store, server).id == start(store, server).id == "v1"
    assert server.sold == 1


def test_a_listed_candidate_is_doubt_and_says_so_at_the_first_look(store, server):
    lose_the_answer(store, server)
    slept = server.clock.slept
    for _ in range(2):
        with pytest.raises(InDoubt, match=r"video v1, and this Airflow keeps no ledger.*Write its id"):
            start(store, server)
    assert (server.sold, server.looks, server.clock.slept - slept) == (1, 2, 0)


def test_a_person_who_says_which_it_is_ends_the_doubt(store, server):
    lose_the_answer(store, server)
    store[KEY] = {"video_id": "v1"}
    assert start(store, server).id == "v1"


def test_a_list_that_proves_that_nothing_was_bought_lets_a_retry_buy(store, server):
    lose_the_answer(store, server)
    server.videos.pop()
    assert start(store, server).id == "v2"


def test_nothing_is_said_to_other_tasks(store, server, registry):
    start(store, server)
    assert registry == {}
    assert Record.read(store[KEY]).video_id == "v1"
