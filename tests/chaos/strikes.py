"""Injections into a run, and how their moments are awaited."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_videos.emulator import (
    AlterPrompts,
    Answer,
    Cached,
    Cut,
    Drop,
    Fault,
    SecondsAs,
    ShiftTimes,
    Stall,
)
from demo.keeper import command_line, descendants
from demo.rest import wait_until
from tests.chaos import faults, rig, seams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airflow_provider_videos.emulator import Emulator
    from airflow_provider_videos.emulator.record import Purchase
    from demo.rest import Run
    from tests.chaos.rig import Rig

MOMENT_SECONDS = 240.0
LATE_SECONDS = 240.0
EFFECTS = {
    "answer lost": Drop(accepted=True),
    "answer cut": Cut(),
    "read timeout": Stall(accepted=True),
    "500 after acceptance": Answer(status=500, accepted=True),
    "connection reset": Drop(accepted=True, reset=True),
    "reset before acceptance": Drop(reset=True),
}


LIES: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "cached": lambda chosen: Cached(seconds=chosen["cached"], age=chosen["age"]),
    "frozen": lambda chosen: Cached(seconds=chosen["frozen"], age=False, date=False),
    "shift": lambda chosen: ShiftTimes(seconds=chosen["shift"]),
    "prompts": lambda chosen: AlterPrompts(how=chosen["prompts"]),
    "seconds": lambda chosen: SecondsAs(type=chosen["seconds"]),
}
"""What a server's list does for good, by the name of what is drawn for it."""


@dataclass
class Drill:
    """
    A fault on its way.

    :param fault: as it was drawn.
    :param rig: what it is done to.
    :param folder: a place of its own.
    """

    fault: faults.Fault
    rig: Rig
    folder: Path
    runs: list[Run] = field(default_factory=list)
    renewed: int = 0
    """Creates that knew what they had bought when they were cleared."""
    hashes: dict[str, str | None] = field(default_factory=dict)
    """What the server had before it lost its jobs."""
    left_behind: list[int] = field(default_factory=list)
    """Processes that outlive what was killed."""
    companions: list[Drill] = field(default_factory=list)
    """Further runs that the same event hits, each at its own moment."""
    kept: str | None = None
    """What a newer try had bought before an abandoned one came late."""

    @property
    def prompt(self) -> str:
        """What tells this fault's purchases from the others'."""
        # With everything in it that a list may show otherwise.
        return f"Fault {self.fault.number:03d} of the campaign: Café <{self.folder.name}> & Señor O'Neil"

    @property
    def conn_id(self) -> str:
        """The connection to the server that it buys from."""
        return own_server(self.fault) if self.fault.kind.own_server else speed(self.fault)

    @property
    def server(self) -> Emulator:
        """The server that it buys from."""
        return self.rig.servers[self.conn_id]

    @property
    def purchases(self) -> list[Purchase]:
        """What the server counted."""
        return [one for one in list(self.server.purchases) if one.fields.get("prompt") == self.prompt]

    def destination(self, number: int) -> Path:
        """Where a run's videos go."""
        return self.folder / f"videos-{number}"

    # --- Up to the moment --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Lay the mines and start the runs."""
        self.folder.mkdir(parents=True)
        for effect, times in self._effects():
            self.server.inject(Fault(effect, operation="create", prompt=self.prompt, times=times))
        for name in self.fault.chosen.keys() & LIES.keys():
            self.server.inject(Fault(LIES[name](self.fault.chosen), operation="list", times=None))
        for number in range(self.fault.kind.runs):
            conf = {
                "prompt": self.prompt,
                "conn_id": self.conn_id,
                "destination": f"{self.destination(number)}/",
                "orders": self._orders(),
            }
            self.runs.append(self.rig.airflow.rest.trigger(self.fault.kind.dag_id, conf))

    def _effects(self) -> list[tuple[Any, int]]:
        if self.fault.kind.strike == "lose_answers":
            times = self.fault.chosen.get("answers", 1)
            return [(EFFECTS[self.fault.chosen["how"]], times)] if times else []
        on_the_way = {faults.SENT: "read timeout", faults.IN_DOUBT: "answer lost"}
        return [(EFFECTS[on_the_way[self.fault.moment]], 1)] if self.fault.moment in on_the_way else []

    def _orders(self) -> Mapping[str, Any]:
        sent = self.fault.moment == faults.SENT
        return {
            "folder": str(self.folder),
            "moment": faults.SENDING if sent else self.fault.moment,
            "hold": not sent,
            "stale": self.fault.kind.strike == "drop_connections",
            "previous_release": self.fault.kind.strike == "resume_previous_release",
            "fails": self.fault.chosen.get("fails"),
        }

    def reach(self) -> None:
        """Wait for the moment, and then as long as was drawn."""
        wait_until(self._at_the_moment, f"the moment {self.fault.moment}", MOMENT_SECONDS)
        time.sleep(self.fault.delay)

    def _at_the_moment(self) -> bool:
        moment = self.fault.moment
        if self.fault.kind.strike == "lose_answers":
            return True
        if moment == faults.SENT:
            return bool(self.purchases) and self.note.exists()
        if moment == faults.WAITING:
            return self.rig.triggerer_of(self.runs[0]) is not None
        if moment.startswith((faults.FINISHED, faults.IN_DOUBT, faults.BEHIND)):
            return self.rig.has_ended(self.runs[0])
        return self.note.exists()

    # --- At the moment -----------------------------------------------------------------------------------

    @property
    def note(self) -> Path:
        """What a process leaves when it comes to the moment."""
        moment = self._orders()["moment"]
        return seams.note(self.folder, moment, -1)

    @property
    def held(self) -> dict[str, int]:
        """The ids of the task's process and of its supervisor."""
        pids: dict[str, int] = json.loads(self.note.read_text())
        return pids

    def let_go(self) -> None:
        """Let the processes that are held run on."""
        for drill in (self, *self.companions):
            drill.note.with_name(f"{drill.note.name}.go").touch()

    @property
    def target(self) -> str:
        """The task that is at work at the moment."""
        moment = self.fault.moment
        if moment.startswith(faults.FINISHED):
            return moment.rpartition(" ")[2]
        if moment == faults.WAITING:
            return "wait"
        return "download" if moment.startswith("download") else "create"

    def clear(self, *task_ids: str, downstream: bool = False) -> None:
        """Clear tasks, all of them by default; a create whose purchase is on record is told to buy again."""
        on_record = self.fault.moment in {faults.RECORDED, faults.CREATED}
        if not task_ids or "create" in task_ids:
            self.renewed += on_record or self.rig.states(self.runs[0])["create.-1"] == "success"
        self.runs[0].clear(*task_ids, downstream=downstream)

    def mark(self, state: str) -> None:
        """Mark the task at work; Airflow refuses what is so already."""
        if self.rig.states(self.runs[0])[f"{self.target}.-1"] != state:
            self.runs[0].mark(self.target, state)

    def is_over(self) -> bool:
        """Whether the runs have ended, and the process that was at the moment, which may have to be ended."""
        gone = not self.note.exists() or not command_line(self.held["task"])
        return gone and all(map(self.rig.has_ended, self.runs))

    def has_created(self) -> bool:
        """Whether a create has ended, well or badly."""
        return self.rig.states(self.runs[0])["create.-1"] in rig.TERMINAL

    def struck(self) -> bool:
        """Whether what was laid for this run has gone off."""
        armed = httpx.get(
            f"{self.server.base_url.removesuffix('/v1')}/_emulator/faults",
            headers={"Authorization": f"Bearer {self.server.api_key}"},
            trust_env=False,
        ).json()
        mine = [fault for fault in armed["faults"] if fault["prompt"] in {self.prompt, None}]
        return all(fault["struck"] == (fault["times"] or fault["matched"]) > 0 for fault in mine)


def speed(fault: faults.Fault) -> str:
    """A server at which the fault's moment does not go by unseen."""
    # A video that is there at the first look is not waited for.
    return rig.SLOW if fault.moment in {faults.WAITING, faults.RESUMED} else rig.QUICK


def own_server(fault: faults.Fault) -> str:
    """The connection to a fault's own server."""
    return f"videos_{fault.number}"


def build(fault: faults.Fault) -> Mapping[str, Any]:
    """How a fault's own server is built, beside the usual."""
    balance = fault.chosen.get("balance")
    return {"replicas": 2, "balance": balance} if balance else {}


def kill_task(drill: Drill) -> None:
    rig.kill([drill.held["task"]])


def kill_supervisor(drill: Drill) -> None:
    rig.kill([drill.held["supervisor"]])
    if drill.fault.chosen["task_too"]:
        rig.kill([drill.held["task"]])
    drill.let_go()


def lose_answers(drill: Drill) -> None:
    """It was laid before the runs began."""


def drop_connections(drill: Drill) -> None:
    drill.server.drop_connections()
    drill.let_go()


def lose_jobs(drill: Drill) -> None:
    drill.hashes |= {one.video_id: drill.rig.hash_of(drill.conn_id, one.video_id) for one in drill.purchases}
    drill.server.stop()
    drill.server.restart()
    time.sleep(drill.fault.delay)
    drill.server.start()
    drill.let_go()


def end_triggerer(drill: Drill) -> None:
    chosen = drill.fault.chosen
    drill.left_behind = drill.rig.end("triggerer", chosen["signal"], whole=chosen["whole"])
    drill.rig.bring_back("triggerer")


def reassign_trigger(drill: Drill) -> None:
    """Stop the triggerer as a long pause would, until a second one has taken over, and let it go on."""
    first, (run,) = drill.rig.main_pids("triggerer"), drill.runs
    everything = [pid for parent in first for pid in (parent, *descendants(parent))]
    owner = drill.rig.triggerer_of(run)
    rig.pause(everything)
    drill.rig.bring_back("triggerer")
    wait_until(
        lambda: drill.rig.triggerer_of(run) not in {owner, None},
        "a second triggerer to take over",
        rig.COMPONENT_SECONDS,
    )
    time.sleep(4 * drill.fault.delay)
    rig.resume(everything)
    drill.left_behind = everything


def take_api_away(drill: Drill) -> None:
    drill.rig.end("api-server", drill.fault.chosen["signal"], whole=True)
    drill.let_go()
    time.sleep(drill.rig.outage)
    drill.rig.bring_back("api-server")


def kill_scheduler(drill: Drill) -> None:
    drill.left_behind = drill.rig.end("scheduler", 9, whole=drill.fault.chosen["whole"])
    drill.let_go()
    drill.rig.bring_back("scheduler")


def mark_failed(drill: Drill) -> None:
    _by_a_person(drill, lambda: drill.mark("failed"))


def mark_success(drill: Drill) -> None:
    _by_a_person(drill, lambda: drill.mark("success"))


def clear_task(drill: Drill) -> None:
    (drill.folder / seams.MENDED).touch()
    _by_a_person(drill, lambda: drill.clear("create", downstream=True))


def send_late(drill: Drill) -> None:
    """Freeze a try before its POST until a newer one has bought, and let it go on."""
    frozen = [drill.held["supervisor"], drill.held["task"]]
    rig.pause(frozen)
    try:
        wait_until(drill.has_created, "a newer try to buy", LATE_SECONDS)
        drill.kept = next((one.video_id for one in drill.purchases), None)
    finally:
        drill.let_go()
        rig.resume(frozen)


def clear_sibling(drill: Drill) -> None:
    drill.clear(drill.fault.chosen["sibling"], downstream=True)
    drill.let_go()


def clear_run(drill: Drill) -> None:
    _by_a_person(drill, drill.clear)


def _by_a_person(drill: Drill, act: Callable[[], None]) -> None:
    act()
    if drill.fault.chosen["goes_on"]:
        drill.let_go()


def resume_previous_release(drill: Drill) -> None:
    """The run has deferred with what the previous release stored; nothing else is wrong."""


STRIKES: dict[str, Callable[[Drill], None]] = {
    strike.__name__: strike
    for strike in (
        *(kill_task, kill_supervisor, lose_answers, drop_connections, lose_jobs, end_triggerer),
        *(reassign_trigger, take_api_away, kill_scheduler, mark_failed, mark_success, clear_task),
        *(clear_sibling, clear_run, resume_previous_release, send_late),
    )
}
