"""The judge finds what must not be, in observations made up for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.campaign import Result
from tests.chaos.faults import KINDS, Fault
from tests.chaos.judge import Bought, Line, Seen, judge
from tests.chaos.report import totals

AT = 1_790_000_000.0  # 2026-09-21T14:13:20Z
FINGERPRINT = "156a86d3b62ca6cd"
BOUGHT = Bought("video_1", AT, "hash-1")
OTHER = Bought("video_2", AT, "hash-2")
IN_DOUBT = f"a video may have been bought at 2026-09-21T14:13:20+00:00 (request {FINGERPRINT})"
GOOD = Seen(
    allowed=1,
    bought=(BOUGHT,),
    files={"video_1": "hash-1"},
    owners=("video_1",),
    lines=(Line("wait", "Video video_1: completed, 100 %", is_error=False),),
    fingerprint=FINGERPRINT,
)
LOST = replace(GOOD, files={}, lines=())


def test_a_delivered_video_is_no_breach() -> None:
    verdict = judge(GOOD)
    assert (verdict.delivered, verdict.in_doubt, verdict.breaches) == (1, 0, ())


def test_nothing_bought_is_no_breach() -> None:
    assert judge(Seen(allowed=1)).breaches == ()


@pytest.mark.parametrize(
    ("seen", "breach"),
    [
        (replace(GOOD, bought=(BOUGHT, OTHER), files={"video_1": "hash-1", "video_2": "hash-2"}), "2 videos"),
        (replace(GOOD, owners=("video_1", "video_1")), "two tasks own video_1"),
        (replace(GOOD, unfinished=("wait.-1 (deferred)",)), "wait.-1 (deferred) is stuck"),
        (replace(GOOD, struck=False), "did not strike"),
        (
            replace(GOOD, files={"video_1": "half of it"}, lines=(Line("t", "video_1"),)),
            "not what the server",
        ),
        (replace(GOOD, files={"video_1": "hash-1", "video_9": "hash-9"}), "the file of video_9"),
        (LOST, "no task names it"),
        (replace(LOST, lines=(Line("create", "Bought video video_1", is_error=False),)), "no task names it"),
        (replace(LOST, lines=(Line("create", IN_DOUBT, is_error=False),)), "no task names it"),
        (replace(LOST, lines=(Line("create", IN_DOUBT.replace("14:13", "14:23")),)), "no task names it"),
        (replace(LOST, lines=(Line("create", IN_DOUBT.replace("14:13", "14:03")),)), "no task names it"),
        (replace(LOST, lines=(Line("create", IN_DOUBT.replace("156a", "0000")),)), "no task names it"),
        (replace(LOST, lines=(Line("create", f"request {FINGERPRINT}"),)), "no task names it"),
        (
            replace(GOOD, files={}, lines=(Line("wait", "video_1 is lost"),), delivers=True),
            "video_1 is a create's",
        ),
        (replace(GOOD, kept="video_0"), "has taken the place of video_0"),
        (replace(GOOD, kept="video_1", on_record=("video_2",)), "video_2 came late"),
        (
            replace(LOST, allowed=2, bought=(BOUGHT, OTHER), lines=(Line("create[0]", IN_DOUBT),) * 2),
            "video_2 was bought",
        ),
    ],
)
def test_what_must_not_be_is_a_breach(seen: Seen, breach: str) -> None:
    (found,) = judge(seen).breaches
    assert breach in found


@pytest.mark.parametrize(
    "seen",
    [
        replace(LOST, lines=(Line("wait", "video_1 is lost"),)),
        replace(LOST, lines=(Line("create", IN_DOUBT),)),
        replace(LOST, set_aside=True, lines=(Line("create", "Bought video video_1", is_error=False),)),
        replace(
            LOST,
            allowed=2,
            bought=(BOUGHT, OTHER),
            lines=(Line("create[0]", IN_DOUBT), Line("create[1]", IN_DOUBT)),
        ),
    ],
)
def test_a_video_that_is_named_is_not_lost(seen: Seen) -> None:
    assert (judge(seen).named, judge(seen).breaches) == (len(seen.bought), ())


def test_a_clear_may_buy_again() -> None:
    files = {"video_1": "hash-1", "video_2": "hash-2"}
    seen = replace(GOOD, allowed=2, bought=(BOUGHT, OTHER), files=files, owners=("video_2",))
    assert (judge(seen).delivered, judge(seen).breaches) == (2, ())


def test_tasks_in_doubt_are_counted_once_each() -> None:
    lines = (Line("create[0]", IN_DOUBT), Line("create[0]", IN_DOUBT), Line("create[1]", IN_DOUBT))
    assert judge(replace(GOOD, lines=lines)).in_doubt == 2


def test_an_abandoned_try_that_finds_a_newer_one_s_purchase_may_not_buy() -> None:
    late = replace(GOOD, kept="video_1", on_record=("video_1",), set_aside=True)
    assert judge(late).breaches == ()
    twice = replace(late, bought=(BOUGHT, OTHER), lines=(*GOOD.lines, Line("create", IN_DOUBT)))
    assert judge(twice).breaches == ("2 videos were bought where 1 may be",)


def test_the_report_tells_settled_answers_on_honest_servers_apart() -> None:
    def result(name: str, **seen: Any) -> Result:
        kind = next(kind for kind in KINDS if kind.name == name)
        observed = replace(GOOD, **seen)
        fault = Fault(1, kind, kind.moments[0], 0.0, {})
        return Result(fault, observed, judge(observed), (), 1.0)

    words = totals(
        [
            result("answer lost", lost=1, settled=1),
            result("seconds of another type", lost=1, settled=0),
            result("two replicas", lost=1, settled=0),
        ]
    )
    assert "honest server: 1 of 2 settled by themselves, 1 in doubt" in words
    assert "where the list lies: 0 of 1 settled by themselves, 1 in doubt" in words
