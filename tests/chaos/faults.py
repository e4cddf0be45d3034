"""The catalogue: what goes wrong, at which moments, and the drawing of a campaign's list from its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Moments in the life of a run. Those with a dot are a task's own process's, which can be held there.
SENDING = "create.sending"  # the intent is written, the POST is not sent
SENT = "sent"  # the server has accepted and does not answer
ANSWERED = "create.answered"  # the answer is there, nothing is logged
NAMED = "create.named"  # the id is logged and not recorded
RECORDED = "create.recorded"  # the id is recorded, no XCom is pushed
CREATED = "create.done"  # the video's XCom is pushed, the id's is not
WAITING = "waiting"  # the wait is deferred
RESUMED = "wait.resumed"
DOWNLOADING = "download.streaming"
DELIVERED = "download.done"
FINISHED = "finished"  # the run has ended
IN_DOUBT = "in doubt"  # the run has ended after its answer was lost
BEHIND = "behind execute()"  # the run has ended, its create having failed after its own code was done

AROUND_THE_POST = (SENDING, SENT, ANSWERED, NAMED, RECORDED, CREATED)
STAGES = (SENDING, SENT, ANSWERED, RECORDED, WAITING, DOWNLOADING)
ENDS = tuple(f"{FINISHED}, {task}" for task in ("create", "wait", "download"))
GOES_ON = {"goes_on": (True, False)}  # a process that was held runs on, or is still held when Airflow ends it
LOSSES = ("answer lost", "500 after acceptance", "connection reset", "answer cut")
LOST_OR_NEVER_SENT = (*LOSSES, "reset before acceptance")
BEFORE_THE_RECORD = frozenset({SENDING, SENT, ANSWERED, NAMED})
ALTERED = ("cut", "elided", "escaped", "lower", "nfc", "nfd", "masked", "rewritten", "other", "absent")


@dataclass(frozen=True)
class Kind:
    """
    One line of the catalogue.

    :param name: what the table calls it.
    :param strike: what is done, a name in ``strikes.STRIKES``.
    :param moments: when it may be done.
    :param choices: what else is drawn, by name.
    :param alone: whether it hits Airflow itself, so that nothing else may run at the time.
    :param together: whether one such event can hit several runs.
    :param own_server: whether it hits the server itself.
    :param dag_id: what it is done to.
    :param runs: how many runs of it are started at once.
    :param by_a_person: whether a person asks Airflow to end or renew what it does.
    :param lies: whether the server's list is not to be trusted.
    :param late: whether an abandoned try goes on after a newer one has bought, and must not buy, too.
    """

    name: str
    strike: str
    moments: tuple[str, ...]
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    alone: bool = False
    together: bool = False
    own_server: bool = False
    dag_id: str = "chaos"
    runs: int = 1
    by_a_person: bool = False
    lies: bool = False
    late: bool = False


KINDS = (
    Kind("kill -9 before the POST", "kill_task", (SENDING,)),
    Kind("kill -9 between POST and answer", "kill_task", (SENT,)),
    Kind("kill -9 between answer and record", "kill_task", (ANSWERED, NAMED)),
    Kind("kill -9 between record and XCom", "kill_task", (RECORDED, CREATED)),
    Kind("kill -9 after the wait", "kill_task", (RESUMED, DOWNLOADING, DELIVERED)),
    Kind("kill -9 of the supervisor", "kill_supervisor", AROUND_THE_POST, {"task_too": (True, False)}),
    Kind("answer lost", "lose_answers", (SENT,), {"how": ("answer lost", "answer cut", "read timeout")}),
    Kind("500 after acceptance", "lose_answers", (SENT,), {"how": ("500 after acceptance",)}),
    Kind(
        "connection reset", "lose_answers", (SENT,), {"how": ("connection reset", "reset before acceptance")}
    ),
    Kind("stale pooled connection", "drop_connections", (SENDING, WAITING), own_server=True),
    Kind("server loses its jobs", "lose_jobs", (SENDING, RECORDED, WAITING, DOWNLOADING), own_server=True),
    Kind(
        "kill -9 of the triggerer",
        "end_triggerer",
        (WAITING,),
        {"signal": (9,), "whole": (True, False)},
        alone=True,
    ),
    Kind(
        "SIGTERM of the triggerer",
        "end_triggerer",
        (WAITING,),
        {"signal": (15,), "whole": (False,)},
        alone=True,
    ),
    Kind("trigger reassigned", "reassign_trigger", (WAITING,), alone=True, dag_id="chaos_slow"),
    Kind(
        "API server gone",
        "take_api_away",
        (SENDING, WAITING, DOWNLOADING),
        {"signal": (9, 15)},
        alone=True,
        together=True,
        dag_id="chaos_patient",
    ),
    Kind(
        "API server gone right after the answer",
        "take_api_away",
        (ANSWERED, NAMED),
        {"signal": (9, 15)},
        alone=True,
        together=True,
        dag_id="chaos_patient",
    ),
    Kind(
        "scheduler killed and restarted",
        "kill_scheduler",
        (SENDING, SENT, RECORDED, WAITING, DOWNLOADING),
        {"whole": (True, False)},
        alone=True,
    ),
    Kind("mark failed", "mark_failed", (*STAGES, *ENDS), GOES_ON, by_a_person=True),
    Kind("mark success", "mark_success", (*STAGES, IN_DOUBT), GOES_ON, by_a_person=True),
    Kind("clear of the task", "clear_task", (*STAGES, FINISHED, IN_DOUBT), GOES_ON, by_a_person=True),
    Kind("clear of a sibling", "clear_sibling", (*STAGES, FINISHED), {"sibling": ("wait", "download")}),
    Kind("clear of the run", "clear_run", (*STAGES, FINISHED, IN_DOUBT), GOES_ON, by_a_person=True),
    Kind("two runs at once", "lose_answers", (SENT,), {"how": LOSSES, "answers": (0, 1, 2)}, runs=2),
    Kind(
        "mapped, identical prompts",
        "lose_answers",
        (SENT,),
        {"how": LOSSES, "answers": (1, 2)},
        dag_id="chaos_mapped",
    ),
    Kind("the previous release's trigger", "resume_previous_release", (WAITING,)),
    Kind(
        "two replicas",
        "lose_answers",
        (SENT,),
        {"how": LOST_OR_NEVER_SENT, "balance": ("request", "connection")},
        own_server=True,
        lies=True,
    ),
    Kind(
        "cached list",
        "lose_answers",
        (SENT,),
        {"how": LOST_OR_NEVER_SENT, "age": (True, False), "cached": (10, 30)},
        own_server=True,
        lies=True,
    ),
    Kind(
        "frozen list",
        "lose_answers",
        (SENT,),
        {"how": LOST_OR_NEVER_SENT, "frozen": (5, 10, 20)},
        own_server=True,
        lies=True,
    ),
    Kind(
        "shifted list",
        "lose_answers",
        (SENT,),
        {"how": LOST_OR_NEVER_SENT, "shift": (-43200, -7200, -30, 5, 30, 3600)},
        own_server=True,
        lies=True,
    ),
    Kind(
        "altered prompts",
        "lose_answers",
        (SENT,),
        {"how": LOST_OR_NEVER_SENT, "prompts": ALTERED},
        own_server=True,
        lies=True,
    ),
    Kind(
        "seconds of another type",
        "lose_answers",
        (SENT,),
        {"how": LOST_OR_NEVER_SENT, "seconds": ("integer", "float", "text")},
        own_server=True,
    ),
    Kind(
        "failure behind execute(), then clear",
        "clear_task",
        (BEHIND,),
        {"fails": ("xcom", "xcom of the video", "listener", "post_execute"), "goes_on": (True,)},
        by_a_person=True,
    ),
    Kind("late POST of an abandoned try", "send_late", (SENDING,), late=True),
)


@dataclass(frozen=True)
class Fault:
    """
    A fault as it was drawn.

    :param number: its place in the list, from 1 on.
    :param kind: its line in the catalogue.
    :param moment: when it strikes.
    :param delay: seconds from the moment to the strike.
    :param chosen: what else was drawn.
    """

    number: int
    kind: Kind
    moment: str
    delay: float
    chosen: Mapping[str, Any]

    @property
    def lost_answers(self) -> int:
        """How many creates end without knowing what they have bought, and no person has a hand in it."""
        if self.kind.strike == "lose_answers":
            answers: int = self.chosen.get("answers", 1)
            return answers
        ends = self.kind.strike in {"kill_task", "kill_supervisor"} or self.chosen.get("whole", False)
        return int(ends and self.moment in BEFORE_THE_RECORD)

    def __str__(self) -> str:
        """What the table shows."""
        chosen = [f"{name}={value}" for name, value in self.chosen.items()]
        return f"{self.kind.name} ({', '.join([self.moment, *chosen])})"


def draw(seed: int, count: int) -> list[Fault]:
    """
    A campaign's faults: the whole catalogue is shuffled and dealt, again and again.

    :param seed: what decides everything.
    :param count: how many.
    """
    lots = random.Random(seed)
    deck: list[Kind] = []
    faults = []
    for number in range(1, count + 1):
        deck = deck or lots.sample(KINDS, len(KINDS))
        kind = deck.pop()
        chosen = {name: lots.choice(values) for name, values in kind.choices.items()}
        faults.append(Fault(number, kind, lots.choice(kind.moments), round(lots.uniform(0, 1), 2), chosen))
    return faults
