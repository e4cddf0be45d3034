"""A campaign: every fault of a list is done to a run of its own, and judged by what it leaves."""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.endpoint import Endpoint
from demo.rest import wait_until
from tests.chaos.faults import WAITING
from tests.chaos.judge import Bought, Line, Seen, Verdict, judge
from tests.chaos.rig import TERMINAL, Rig, kill
from tests.chaos.strikes import STRIKES, Drill, build, own_server, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from demo.rest import Run
    from tests.chaos.faults import Fault

AT_ONCE = 8
SETTLE_SECONDS = 180.0


@dataclass(frozen=True)
class Result:
    """Outcome of a fault, and the place of its logs."""

    fault: Fault
    seen: Seen
    verdict: Verdict
    logs: tuple[Path, ...]
    seconds: float


def conduct(
    faults: Sequence[Fault], home: Path, *, outage: float, tell: Callable[[Result], None]
) -> list[Result]:
    """
    Do all faults, those that hit single runs side by side, those that hit Airflow itself one by one.

    :param faults: what to do.
    :param home: an empty directory.
    :param outage: how long the API server is taken away, in seconds.
    :param tell: told of each result as it comes.
    """
    own_servers = {
        own_server(fault): (speed(fault), build(fault)) for fault in faults if fault.kind.own_server
    }
    with Rig(home, own_servers, outage=outage) as rig:
        for dag_id in sorted({fault.kind.dag_id for fault in faults}):
            rig.airflow.rest.wait_for_dag(dag_id)

        def play(group: Sequence[Fault]) -> list[Result]:
            drills = [Drill(fault, rig, home / f"fault-{fault.number:03d}") for fault in group]
            results = _play(drills)
            for result in results:
                tell(result)
            return results

        with ThreadPoolExecutor(AT_ONCE) as crew:
            results = [*crew.map(play, [[fault] for fault in faults if not fault.kind.alone])]
        results += map(play, _one_by_one(faults))
    return sorted(chain.from_iterable(results), key=lambda result: result.fault.number)


def _one_by_one(faults: Sequence[Fault]) -> list[list[Fault]]:
    """Group what hits Airflow itself; one event hits all faults that can share it."""
    alone = [fault for fault in faults if fault.kind.alone]
    # A process can be held at its moment, a trigger can't: it comes last.
    shared = sorted(
        (fault for fault in alone if fault.kind.together), key=lambda fault: fault.moment == WAITING
    )
    return [[fault] for fault in alone if not fault.kind.together] + ([shared] if shared else [])


def _play(drills: Sequence[Drill]) -> list[Result]:
    begun = time.monotonic()
    trouble: tuple[str, ...] = ()
    first, *first.companions = drills
    try:
        for drill in drills:
            drill.begin()
            drill.reach()
        STRIKES[first.fault.kind.strike](first)
    except Exception as error:  # noqa: BLE001 - a fault that could not be done is a result, too
        trouble = (f"the fault did not strike: {type(error).__name__}: {error}",)
        traceback.print_exc()
    results = [_result(drill, trouble, begun) for drill in drills]
    kill(first.left_behind)
    return results


def _result(drill: Drill, trouble: tuple[str, ...], begun: float) -> Result:
    seen = _observe(drill)
    verdict = judge(seen)
    verdict = replace(verdict, breaches=(*trouble, *verdict.breaches))
    return Result(
        drill.fault, seen, verdict, tuple(map(drill.rig.logs, drill.runs)), time.monotonic() - begun
    )


def _observe(drill: Drill) -> Seen:
    with suppress(TimeoutError):
        wait_until(drill.is_over, "the runs to end", SETTLE_SECONDS)
    states = [(run, name, state) for run in drill.runs for name, state in drill.rig.states(run).items()]
    creates = [(run, int(name.rpartition(".")[2])) for run, name, _ in states if name.startswith("create.")]
    files = dict(_files(drill))
    lost = drill.fault.lost_answers
    failed = sum(name.startswith("create.") and state != "success" for _, name, state in states)
    return Seen(
        allowed=len(creates) + drill.renewed,
        bought=tuple(
            Bought(one.video_id, one.at, _hash(drill, one.video_id) if one.video_id in files else None)
            for one in drill.purchases
        ),
        files=files,
        owners=tuple(_owners(creates)),
        lines=tuple(line for run in drill.runs for line in _lines(drill.rig.logs(run), run.run_id)),
        fingerprint=_fingerprint(drill),
        unfinished=tuple(
            f"{run.run_id} {name} ({state})" for run, name, state in states if state not in TERMINAL
        ),
        set_aside=drill.fault.kind.by_a_person or drill.fault.kind.late,
        struck=drill.struck(),
        tries=drill.rig.tries(drill.runs),
        kept=drill.kept,
        on_record=tuple(chain.from_iterable(map(drill.rig.on_record, drill.runs))),
        lost=lost,
        settled=max(0, lost - failed),
        delivers=drill.fault.kind.strike == "lose_answers",
    )


def _hash(drill: Drill, video_id: str) -> str | None:
    return drill.hashes.get(video_id) or drill.rig.hash_of(drill.conn_id, video_id)


def _fingerprint(drill: Drill) -> str:
    endpoint = Endpoint(drill.server.base_url, api_key=drill.server.api_key)
    return requests.create(endpoint, drill.prompt, size="1280x720", seconds="4").fingerprint(endpoint)


def _files(drill: Drill) -> Iterator[tuple[str, str]]:
    for number in range(len(drill.runs)):
        for path in drill.destination(number).glob("*.mp4"):
            yield path.stem, hashlib.sha256(path.read_bytes()).hexdigest()


def _owners(creates: list[tuple[Run, int]]) -> Iterator[str]:
    for run, index in creates:
        with suppress(RuntimeError):  # a create that failed returned nothing
            yield run.xcom("create", map_index=index)


def _lines(folder: Path, run_id: str) -> Iterator[Line]:
    for path in sorted(folder.rglob("*.log*")):
        where = str(path.parent.relative_to(folder))
        for raw in path.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                line: Any = json.loads(raw)
                yield Line(f"{run_id} {where}", _words(line), line.get("level") in {"error", "critical"})


def _words(line: dict[str, Any]) -> str:
    details = line.get("error_detail") or []
    return " ".join([str(line.get("event")), *(str(detail.get("exc_value")) for detail in details)])
