"""A run as a picture of text: when each task waited for a worker, ran, or waited in the triggerer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from demo.rest import Change

WIDTH = 50
MARKS = {"scheduled": ".", "queued": ".", "running": "#", "deferred": "~", "up_for_retry": "r"}
WAITING = (None, "scheduled", "queued")
LEGEND = ". waiting for a worker   # running on a worker   ~ deferred: waiting in the triggerer, no worker"


@dataclass(frozen=True)
class Span:
    """A task in one state, from one moment of the run to another."""

    state: str | None
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


def spans(changes: Iterable[Change]) -> dict[str, list[Span]]:
    """What each task went through; its last state lasts no time."""
    seen: dict[str, list[Change]] = {}
    for change in changes:
        seen.setdefault(change.task.name, []).append(change)
    return {
        name: [
            Span(now.task.state, now.elapsed, after.elapsed)
            for now, after in zip(steps, [*steps[1:], steps[-1]], strict=True)
        ]
        for name, steps in seen.items()
    }


def draw(changes: Sequence[Change]) -> list[str]:
    """The lines of the picture, a task each, in the order in which they began to run."""
    tasks = spans(changes)
    total = max(change.elapsed for change in changes)
    margin = max(map(len, tasks))
    ordered = sorted(tasks.items(), key=lambda task: _began(task[1]))
    return [f"{name:<{margin}} |{_bar(steps, total)}| {_numbers(steps)}" for name, steps in ordered] + [
        LEGEND
    ]


def _began(steps: list[Span]) -> float:
    """When a task came to a worker; a short visit goes unseen, and what follows it counts."""
    return next((span.begin for span in steps if span.state not in WAITING), float("inf"))


def _bar(steps: list[Span], total: float) -> str:
    cells = [" "] * WIDTH
    for span in steps:
        mark = MARKS.get(span.state or "", " ")
        for cell in range(_cell(span.begin, total), _cell(span.end, total)):
            cells[cell] = mark
    return "".join(cells)


def _cell(moment: float, total: float) -> int:
    return round(moment / total * WIDTH) if total else 0


def _numbers(steps: list[Span]) -> str:
    spent = {
        state: sum(span.seconds for span in steps if span.state == state) for state in ("running", "deferred")
    }
    waited = f", {spent['deferred']:.1f} s in the triggerer" if spent["deferred"] else ""
    return f"{steps[-1].state} from {_began(steps):.1f} s, {spent['running']:.1f} s on a worker{waited}"
