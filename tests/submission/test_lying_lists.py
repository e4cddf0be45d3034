"""A lost answer on an honest server, and where lists lie: how many settle; nothing is bought twice."""

from __future__ import annotations

import logging
import random
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.client import VideosClient
from airflow_provider_videos.api.clock import use_clock
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.errors import InDoubt, VideosError
from airflow_provider_videos.api.retry import Backoff
from airflow_provider_videos.emulator import (
    PROFILES,
    AlterPrompts,
    Answer,
    Cached,
    Drop,
    Emulator,
    Fault,
    ListedLate,
    SecondsAs,
    ShiftTimes,
)
from airflow_provider_videos.emulator.clock import ManualClock
from airflow_provider_videos.pytest_plugin import clock_turning
from airflow_provider_videos.submission.decision import Facts
from airflow_provider_videos.submission.durable import Submission
from airflow_provider_videos.submission.ledger import Ledger
from airflow_provider_videos.submission.server import SubmissionServer
from tests.submission.conftest import Registry

log = logging.getLogger("task")
SEEDS = range(10)
LOSSES = [Drop(accepted=True), Answer(status=500, accepted=True), Answer(status=503), Drop()]
TRIES = 3


@dataclass
class Task:
    """A create that is retried until it is settled or has no tries left."""

    client: VideosClient
    registry: Registry
    name: str
    prompt: str = "A lighthouse at dusk, \u00e9tude in slow motion"
    store: Registry = field(default_factory=Registry)
    video_id: str | None = None

    def start(self) -> None:
        operation = requests.create(self.client.endpoint, self.prompt, seconds="4", size="1280x720")
        facts = Facts(operation.fingerprint(self.client.endpoint), TRIES)
        owner: dict[str, str | int] = {"dag_id": "d", "run_id": "r", "task_id": self.name, "map_index": -1}
        ledger = Ledger(self.registry, self.client.endpoint.base_url, owner)
        server = SubmissionServer(self.client, operation)
        self.video_id = Submission(self.store, ledger, facts, server, log).submit().id

    def run(self) -> VideosError | None:
        """Start it until it has a video; return what was said last where it has none."""
        said: VideosError | None = None
        for _ in range(TRIES):
            try:
                self.start()
            except VideosError as error:
                said = error
            else:
                return None
        return said


class Server:
    """An emulator with a past, and the tasks of one Airflow that buy there."""

    def __init__(self, emulator, seed):
        self.emulator, self.registry, self.draws = emulator, Registry(), random.Random(seed)
        query = {"custom_llm_provider": "openai"}  # which one profile insists on
        endpoint = Endpoint(emulator.base_url, api_key=emulator.api_key, model="emulated-1", query=query)
        self.client = VideosClient(endpoint, backoff=Backoff(attempts=2, base=0.0))
        for number in range(6):  # of this Airflow, so that the ledger tells that the list repeats prompts
            Task(self.client, self.registry, f"earlier {number}", f"A kite over field {number}").start()
            emulator.clock.advance(30)
        self.before = len(emulator.purchases)

    @property
    def bought(self):
        return len(self.emulator.purchases) - self.before

    def lose(self, loss, prompt=""):
        self.emulator.inject(Fault(loss, operation="create", prompt=prompt))


@pytest.fixture
def serve():
    """Start a server for each seed, whose clock tells the time from then on; all are stopped again."""
    with ExitStack() as running:

        def serve(seed, **options):
            clock = ManualClock()
            running.enter_context(use_clock(clock_turning(clock)))
            options = {"api_key": "a-key-of-its-own", "seed": seed, "clock": clock, **options}
            return Server(running.enter_context(Emulator(**options)), seed)

        yield serve


def test_on_an_honest_server_lost_answers_settle_by_themselves(serve):
    settled = lost = 0
    for seed in SEEDS:
        server = serve(seed)
        for number in range(4):
            server.lose(LOSSES[(seed + number) % len(LOSSES)])
            task = Task(server.client, server.registry, f"task {number}", f"A boat, take {seed} {number}")
            said = task.run()
            lost += 1
            settled += task.video_id is not None
            assert server.bought == number + 1, said
    assert settled / lost >= 0.95


@pytest.mark.parametrize("loss", LOSSES)
def test_two_tasks_with_one_prompt_settle_and_share_nothing(serve, loss):
    server = serve(1)
    tasks = [Task(server.client, server.registry, f"twin {number}") for number in range(2)]
    for task in tasks:
        server.lose(loss)
        with pytest.raises(InDoubt):
            task.start()
    for task in (*tasks, *tasks):
        if task.video_id is None:
            task.run()
    owned = {task.video_id for task in tasks}
    assert owned == {purchase.video_id for purchase in server.emulator.purchases[server.before :]}
    assert len(owned) == server.bought == 2


FORMS = ("cut", "elided", "escaped", "lower", "nfc", "nfd", "masked", "rewritten", "absent", "other")
LIES = {
    **{f"prompts {form}": [AlterPrompts(how=form)] for form in FORMS},
    "cached": [Cached(seconds=3600)],
    "cached, and hides it": [Cached(seconds=3600, age=False, date=False)],
    "times behind": [ShiftTimes(seconds=-7200)],
    "times ahead": [ShiftTimes(seconds=7200)],
    "times of another day": [ShiftTimes(seconds=-3 * 86400)],
    "times and prompts": [ShiftTimes(seconds=-7200), AlterPrompts(how="absent")],
    "lengths": [SecondsAs(type="float")],
    "late and cut": [AlterPrompts(how="cut")],
}


def lie(server, effects, *, at_times):
    for effect in effects:
        chance = 0.5 if at_times else None
        options = {} if chance is None else {"chance": chance}
        server.emulator.inject(Fault(effect, operation="list", times=None, **options))


@pytest.mark.parametrize("at_times", [False, True])
@pytest.mark.parametrize("kind", LIES)
def test_a_list_that_lies_makes_nobody_buy_twice(serve, kind, at_times):
    for seed in SEEDS[:3]:
        server = serve(seed)
        lie(server, LIES[kind], at_times=at_times)
        if kind.startswith("late"):
            server.emulator.inject(Fault(ListedLate(after=20), operation="create"))
        server.lose(LOSSES[seed % 2])
        said = Task(server.client, server.registry, "task").run()
        assert server.bought == 1, said


@pytest.mark.parametrize("balance", ["request", "connection"])
@pytest.mark.parametrize("replicas", [2, 3])
def test_replicas_behind_one_address_make_nobody_buy_twice(serve, replicas, balance):
    settled = 0
    for seed in SEEDS:
        server = serve(seed, replicas=replicas, balance=balance)
        server.lose(LOSSES[seed % 2])
        task = Task(server.client, server.registry, "task")
        said = task.run()
        assert server.bought == 1, said
        settled += task.video_id is not None
    assert settled  # what is found is taken, wherever it is


@pytest.mark.parametrize("loss", LOSSES)
def test_a_gateway_whose_list_has_shorter_ids_is_settled_and_the_longer_id_counts(serve, loss):
    server = serve(1, profile=replace(PROFILES["litellm"], dropped=frozenset()))
    server.lose(loss)
    task = Task(server.client, server.registry, "task")
    said = task.run()
    assert task.video_id, said
    (purchase,) = server.emulator.purchases[server.before :]
    assert task.video_id == purchase.video_id
    listed = [video.id for video in server.client.list()]
    assert task.video_id not in listed
    # Under either id, nobody else takes it for theirs.
    other = Task(server.client, server.registry, "other", task.prompt)
    server.lose(Drop())
    assert other.run() is None
    assert other.video_id != task.video_id
    assert server.bought == 2
