"""Decisions of a task's start, as a table."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.endpoint import Endpoint
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.decision import Action, Facts, decide
from airflow_provider_videos.submission.evidence import Claims, Evidence, Listing, Wanted, digest_of
from airflow_provider_videos.submission.record import Record

AT = 1_790_000_000.0
FACTS = Facts(fingerprint="f1", max_tries=2)
FAIL = replace(FACTS, on_unknown="fail")
INTENT = Record(
    fingerprint="f1",
    at=AT,
    until=AT + 120,
    max_tries=2,
    anchor="older",
    before=(digest_of("older"), digest_of("oldest")),
)
BOUGHT = replace(INTENT, video_id="v")
DONE = replace(BOUGHT, handed_on=True)
WANTED = Wanted("A secret boat", {"model": "wan", "seconds": "4", "size": "1280x720"})

BUY, TAKE_UP, CHANGED = Action.BUY, Action.TAKE_UP, Action.FAIL_CHANGED
LOOK, ADOPT, DOUBT = Action.LOOK, Action.ADOPT, Action.FAIL_IN_DOUBT


@pytest.mark.parametrize(
    ("record", "facts", "action"),
    [
        # the first start
        (None, FACTS, BUY),
        # a retry
        (BOUGHT, FACTS, TAKE_UP),
        (BOUGHT, replace(FACTS, fingerprint="f2"), CHANGED),
        (BOUGHT, replace(FACTS, fingerprint="f2", on_changed="resubmit"), BUY),
        (DONE, FACTS, TAKE_UP),
        # a clear, which raises the bound of tries: what had not finished is taken up, unless it has changed
        (DONE, replace(FACTS, max_tries=4), BUY),
        (DONE, replace(FACTS, max_tries=4, fingerprint="f2"), BUY),
        (BOUGHT, replace(FACTS, max_tries=4), TAKE_UP),
        (BOUGHT, replace(FACTS, max_tries=4, fingerprint="f2"), BUY),
        # an intent without an id: a retry and a clear are settled alike
        (INTENT, FACTS, LOOK),
        (INTENT, replace(FACTS, max_tries=4), LOOK),
        (INTENT, replace(FACTS, fingerprint="f2"), DOUBT),
        (INTENT, replace(FACTS, fingerprint="f2", on_changed="resubmit"), DOUBT),
        (INTENT, FAIL, DOUBT),
        (INTENT, replace(FAIL, max_tries=4), DOUBT),
        (INTENT, replace(FACTS, on_unknown="resubmit"), BUY),
        (INTENT, replace(FACTS, on_unknown="resubmit", max_tries=4), BUY),
        # an id that a person has written
        (Record(video_id="v"), FACTS, TAKE_UP),
        (Record(video_id="v"), replace(FACTS, max_tries=4), TAKE_UP),
        # something that nobody understands
        (Record(), FACTS, DOUBT),
    ],
)
def test_what_a_start_does(record, facts, action):
    assert decide(record, facts).action is action


def video(video_id="ours", after=1.0, **fields):
    given = {
        "prompt": "A secret boat",
        "model": "wan",
        "seconds": "4",
        "size": "1280x720",
        "status": "queued",
    }
    return Video.model_validate({"id": video_id, "created_at": AT + after, **given, **fields})


OURS, OLDER = video(), video("older", after=-3600, prompt="Something else")
OTHERS = video("others", prompt="A kite")


def evidence(*videos, ahead=0.0, claimed=(), rivals=(), repeats_prompts=True, waited=300.0, **facts):
    """Eight good looks at one list, as long as nothing else is said."""
    claims = Claims(set(claimed), rivals, repeats_prompts, facts.pop("twins", {}))
    looks = [Listing(videos, ahead, fresh=True, anchor_known=True)] * 8
    given = {"earlier": looks[1:], "looked": 40.0, "same_key": True}
    return Evidence(WANTED, looks[0], claims, now=AT + waited, **given | facts)


def look(*videos, **facts):
    return Listing(videos, 0.0, **{"fresh": True, "anchor_known": True} | facts)


@pytest.mark.parametrize(
    ("found", "action"),
    [
        # the one that can only be ours
        (evidence(OURS), ADOPT),
        (evidence(OURS, waited=10), ADOPT),
        (evidence(OTHERS, OURS, OLDER), ADOPT),
        (evidence(OLDER, OURS), ADOPT),
        (evidence(video(after=119)), ADOPT),
        (evidence(video(prompt="  A secret\r\nboat ")), ADOPT),
        (evidence(video(status="failed")), ADOPT),
        (evidence(video(model=None, seconds=None, size=None)), ADOPT),
        # the server's clock is an hour ahead, or behind
        (evidence(video(after=3601), ahead=3600.0), ADOPT),
        (evidence(video(after=-3599), ahead=-3600.0), ADOPT),
        # the others with this prompt are claimed, or far away
        (evidence(OURS, video("claimed"), claimed=["claimed"]), ADOPT),
        (evidence(OURS, video("last week", after=-7 * 86400)), ADOPT),
        # never accepted
        (evidence(OLDER), BUY),
        (evidence(OTHERS, OLDER), BUY),
        (evidence(video("claimed"), OLDER, claimed=["claimed"]), BUY),
        (evidence(OLDER, video("last week", after=-7 * 86400)), BUY),
        # ... unless it may still be on its way
        (evidence(OLDER, looked=29.0), DOUBT),
        # the list does not reach back: a server that lost its jobs in a restart looks so
        (evidence(), DOUBT),
        (evidence(OTHERS), DOUBT),
        (evidence(video("claimed"), claimed=["claimed"]), DOUBT),
        # a list that is not sorted newest first may lack the newest
        (evidence(OLDER, OTHERS), DOUBT),
        (evidence(OLDER, video("undated", prompt="A kite", created_at=None)), DOUBT),
        # several
        (evidence(OURS, video("twin")), DOUBT),
        # not quite ours, and nobody else's
        (evidence(video(model="sora"), OLDER), DOUBT),
        (evidence(video(seconds="8"), OLDER), DOUBT),
        (evidence(video(seconds="auto"), OLDER), DOUBT),
        (evidence(video(size="720x1280"), OLDER), DOUBT),
        # lengths and sizes are values
        (evidence(video(seconds=4), OLDER), ADOPT),
        (evidence(video(seconds=4.0), OLDER), ADOPT),
        (evidence(video(seconds="4.0"), OLDER), ADOPT),
        (evidence(video(seconds=""), OLDER), ADOPT),
        (evidence(video(size="1280X720"), OLDER), ADOPT),
        (evidence(video(size="1280 \u00d7 720"), OLDER), ADOPT),
        (evidence(video(created_at=None), OLDER), DOUBT),
        (evidence(video(after=300), OLDER), DOUBT),
        (evidence(video(after=-60), OLDER), DOUBT),
        (evidence(OURS, video("nameless", prompt=None)), DOUBT),
        # its times are not those of the server's Date
        (evidence(video(after=-7200), OLDER), DOUBT),
        (evidence(video(after=7200), OLDER), DOUBT),
        # a server that leaves prompts out, or may rewrite them
        (evidence(video(prompt=None), OLDER), DOUBT),
        (evidence(OTHERS, OLDER, repeats_prompts=False), DOUBT),
        (evidence(OTHERS, OURS, OLDER, repeats_prompts=False), ADOPT),
        (evidence(OLDER, repeats_prompts=False), BUY),
        # somebody else waits for an answer to the same prompt
        (evidence(OURS, rivals=[AT]), DOUBT),
        (evidence(OURS, rivals=[AT - 900]), DOUBT),
        (evidence(OURS, rivals=[AT - 3600]), ADOPT),
        (evidence(OURS, rivals=[AT + 3600]), ADOPT),
        (evidence(OLDER, rivals=[AT]), BUY),
        # ... or has lost it, too: each takes the one whose turn it is
        (evidence(OURS, rivals=[AT - 1], twins={AT - 1: False}), ADOPT),
        (evidence(OURS, rivals=[AT - 1], twins={AT - 1: True}), DOUBT),
        (evidence(OURS, video("later", after=2), rivals=[AT + 1], twins={AT + 1: True}), ADOPT),
        (evidence(video("first", after=0), OURS, rivals=[AT - 1], twins={AT - 1: False}), ADOPT),
        (evidence(OURS, video("twin"), video("third"), rivals=[AT + 1], twins={AT + 1: False}), DOUBT),
        (evidence(OURS, video("twin"), rivals=[AT - 1, AT + 1], twins={AT + 1: False}), DOUBT),
        # no time to compare with, or too long ago
        (evidence(OURS, ahead=None), DOUBT),
        (evidence(OLDER, ahead=None), DOUBT),
        (evidence(OURS, waited=3 * 86400), DOUBT),
    ],
)
def test_what_the_list_and_the_ledger_say(found, action):
    decision = decide(INTENT, FACTS, found)
    assert decision.action is action
    assert (decision.video == OURS) is (action is ADOPT and OURS in found.listing.videos)
    assert bool(decision.reason) is (action is DOUBT)
    assert "secret" not in decision.reason


def test_a_record_without_a_window_is_not_settled_by_looking():
    assert decide(replace(INTENT, until=0.0), FACTS, evidence(OURS)).action is DOUBT


def test_what_the_list_would_show_of_a_request():
    endpoint = Endpoint("http://gpu-box/v1", model="wan")
    create = requests.create(endpoint, "A boat", seconds=4, extra_body={"size": "64x64", "seed": 7})
    assert Wanted.of(create) == Wanted("A boat", {"model": "wan", "seconds": "4", "size": "64x64"})
    assert Wanted.of(requests.remix("v", "A boat")) == Wanted("A boat", {})
    # an extension's own seconds are the total
    assert Wanted.of(requests.extend(endpoint, "v", "On", seconds=4)) == Wanted("On", {})
    assert "A boat" not in repr(Wanted.of(create))


MASKED = "***** ****** ****"
FORMS = {
    "cut": "A secret b",
    "elided": "A secr...",
    "the end alone": "boat",
    "escaped": "A &quot;secret&quot; boat",
    "escaped twice": "A &amp;#x73;ecret%20boat",
    "JSON": r"A \u0073ecret\nboat",
    "lower": "a secret boat",
    "full width": "\uff21 \uff53ecret boat",
    "accents": "A\u0301 secret\u0301 boat",
    "masked": MASKED,
    "masked in words": "[REDACTED]",
    "masked in part": "A s***** boat",
    "crossed out": "xxxxx",
    "rewritten": "Cinematic wide shot at golden hour: boats drifting along a hidden shore, highly detailed",
    "inside another": "masterpiece, A SECRET BOAT, 35 mm",
    "symbols": "\u2588\u2588\u2588",
    "absent": None,
    "empty": "",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_our_prompt_explains_no_video_away(form):
    found = evidence(video(prompt=FORMS[form]), OLDER)
    decision = decide(INTENT, FACTS, found)
    assert decision.action is DOUBT
    assert decision.candidates == ("ours",)
    assert "secret" not in decision.reason


@pytest.mark.parametrize(
    "prompt",
    ["A kite in the wind", "Slow pan over a scene in soft light, 35 mm", "\u6d77\u8fb9\u7684\u706f\u5854"],
)
def test_a_plainly_other_prompt_explains_a_video_where_the_list_repeats_prompts(prompt):
    assert decide(INTENT, FACTS, evidence(video(prompt=prompt), OLDER)).action is BUY
    assert decide(INTENT, FACTS, evidence(video(prompt=prompt), OLDER, repeats_prompts=False)).action is DOUBT


def test_the_forms_of_a_prompt_without_spaces_count_as_ours():
    wanted = Wanted("\u6d77\u8fb9\u7684\u4e00\u5ea7\u706f\u5854", {})
    seen = replace(
        evidence(video(prompt="\u9ec4\u660f\u65f6\u7684\u706f\u5854\uff0c\u6d77\u8fb9"), OLDER), wanted=wanted
    )
    assert decide(INTENT, FACTS, seen).action is DOUBT


def test_what_is_nearly_ours_keeps_nobody_from_taking_what_is_ours():
    nearly = video("nearly", prompt="A secret boat at dusk")
    assert decide(INTENT, FACTS, evidence(nearly, OURS, OLDER)).video is OURS


@pytest.mark.parametrize(
    ("intent", "waited", "action"),
    [
        (INTENT, 60.0, DOUBT),  # a killed worker's request may be accepted late
        (INTENT, 121.0, BUY),
        (replace(INTENT, is_over=True), 60.0, BUY),  # its end was seen
        (INTENT, -7 * 3600.0, BUY),  # a clock that is off delays nothing
    ],
)
def test_nothing_is_bought_while_the_request_may_still_be_on_its_way(intent, waited, action):
    decision = decide(intent, FACTS, evidence(OLDER, waited=waited))
    assert decision.action is action
    assert ("still be on its way" in decision.reason) is (action is DOUBT)


GONE = replace(INTENT, seen=("ours",))
# What an absence lacks, each of the proofs in turn: intent, evidence, and what the message says.
MISSING = [
    (replace(INTENT, anchor=None), evidence(OLDER), "no newest video was recorded"),
    (replace(INTENT, anchor=None, no_anchor="the list was empty"), evidence(OLDER), "the list was empty"),
    (INTENT, evidence(OLDER, same_key=None), "key .* is not recorded"),
    (INTENT, evidence(OLDER, same_key=False), "the key is not the one"),
    (INTENT, evidence(OLDER, earlier=[look(OLDER)] * 6), "7 looks in 40 s, and it takes 8 in 30 s"),
    (INTENT, evidence(OLDER, earlier=[]), "1 look in"),
    (INTENT, evidence(OLDER, looked=20.0), "8 looks in 20 s"),
    (INTENT, evidence(OLDER, earlier=[look(OLDER, fresh=False)] * 7), "connection of its own"),
    (INTENT, evidence(OLDER, earlier=[look(OLDER)] * 6 + [look(OLDER, cached=True)]), "a cache has answered"),
    # another replica's list
    (INTENT, evidence(OLDER, earlier=[look(OLDER)] * 6 + [look()]), "was not in each list"),
    (INTENT, evidence(OLDER, earlier=[look(OLDER)] * 6 + [look(video("oldest"))]), "was not in each list"),
    (INTENT, evidence(OLDER, earlier=[look(OLDER)] * 6 + [look(OLDER, anchor_known=False)]), "was not known"),
    # an order that is none
    (INTENT, evidence(video("oldest", after=-3600, prompt="Else"), OLDER), "was not at its place"),
    (INTENT, evidence(OLDER, video("oldest", after=-60, prompt="Else")), "newest first"),
    # shifted times, and none
    (INTENT, evidence(video(after=-3 * 86400), OLDER), "could be it"),
    (INTENT, evidence(video(after=3 * 86400), OLDER), "could be it"),
    (INTENT, evidence(video(created_at=0, prompt=None), OLDER), "could be it"),
    (INTENT, evidence(video(after=-90000, prompt=None), OLDER), "could be it"),
    # a candidate that an earlier look saw, and one that an earlier try saw
    (INTENT, evidence(OLDER, earlier=[look(OURS, OLDER)] + [look(OLDER)] * 6), "not listed any more"),
    (
        INTENT,
        evidence(OLDER, earlier=[look(video(prompt=None), OLDER)] + [look(OLDER)] * 6),
        "not listed any",
    ),
    (GONE, evidence(OLDER), "video ours .*not listed any more"),
    # what the list names, the server does not know, or knows as another
    (INTENT, evidence(OURS, OLDER, answers={"ours": None}), "the server does not know it"),
    (INTENT, evidence(OURS, OLDER, answers={"ours": video(after=900)}), "answers with another video"),
]


@pytest.mark.parametrize(("intent", "found", "said"), MISSING)
def test_absence_is_proven_or_it_is_doubt_and_says_what_is_missing(intent, found, said):
    decision = decide(intent, FACTS, found)
    assert decision.action is DOUBT
    assert re.search(said, decision.reason)


def test_the_proof_of_absence_needs_no_more_than_that():
    assert decide(INTENT, FACTS, evidence(OLDER)).action is BUY
    assert decide(GONE, FACTS, evidence(OLDER, claimed=["ours"])).action is BUY


def test_what_was_listed_before_the_purchase_is_never_it():
    again = video("oldest", after=-30)  # the same prompt, of somebody else
    assert decide(INTENT, FACTS, evidence(OURS, OLDER, again)).video is OURS
    assert decide(INTENT, FACTS, evidence(video("older", after=-1), video("oldest", after=-30))).action is BUY


def test_the_clock_of_the_worker_that_bought_counts_where_the_server_told_it():
    intent = replace(INTENT, at=AT + 7200, until=AT + 7320, ahead=-7200.0)  # two hours ahead of the server
    assert decide(intent, FACTS, evidence(OURS, OLDER)).action is ADOPT
    assert decide(replace(intent, ahead=None), FACTS, evidence(OURS, OLDER)).action is DOUBT


def test_the_video_that_answers_counts():
    longer = video("ours-and-where-it-is-made")
    decision = decide(INTENT, FACTS, evidence(OURS, OLDER, answers={"ours": longer}))
    assert (decision.action, decision.video, decision.candidates) == (ADOPT, longer, ("ours",))


def test_a_list_may_call_a_model_otherwise_than_the_video_that_answers():
    listed = video(model="openai/wan")
    assert decide(INTENT, FACTS, evidence(listed, OLDER)).action is DOUBT
    assert decide(INTENT, FACTS, evidence(listed, OLDER, answers={"ours": OURS})).action is ADOPT
    other = video(model="sora")
    assert decide(INTENT, FACTS, evidence(listed, OLDER, answers={"ours": other})).action is DOUBT


def test_candidates_are_named_with_what_speaks_against_each():
    one = decide(INTENT, FACTS, evidence(video(seconds="8"), OLDER)).reason
    assert one == (
        "1 unclaimed video of the server's list could be it: video ours (seconds 8 where 4 was asked for)"
    )
    many = [video(f"v{number}", size="64x64\n" * 40, after=-9) for number in range(7)]
    several = decide(INTENT, FACTS, evidence(*many, OLDER)).reason
    assert several.startswith(
        "7 unclaimed videos of the server's list could be it: video v0 (size 64x64?64x64"
    )
    assert several.endswith("and 2 more")
    assert "it was created 9 s before the request" in several
    assert "\n" not in several


@pytest.mark.parametrize("at", [AT - 3 * 86400, AT + 3 * 86400])
def test_an_intent_of_another_time_is_not_settled_by_looking(at):
    decision = decide(replace(INTENT, at=at, until=at + 120), FACTS, evidence(OLDER))
    assert (decision.action, decision.is_final) == (DOUBT, True)
