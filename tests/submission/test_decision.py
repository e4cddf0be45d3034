"""What a start of a task does, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.api.requests import Endpoint
from airflow_provider_videos.submission.decision import Action, Facts, decide
from airflow_provider_videos.submission.evidence import Claims, Evidence, Listing, Wanted
from airflow_provider_videos.submission.record import Record

AT = 1_790_000_000.0
FACTS = Facts(fingerprint="f1", max_tries=2)
FAIL = replace(FACTS, on_unknown="fail")
INTENT = Record(fingerprint="f1", at=AT, until=AT + 120, max_tries=2)
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


def evidence(*videos, ahead=0.0, claimed=(), rivals=(), repeats_prompts=True, waited=300.0):
    claims = Claims(set(claimed), rivals, repeats_prompts=repeats_prompts)
    return Evidence(WANTED, Listing(videos, ahead), claims, now=AT + waited)


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
        (evidence(video("last week", after=-7 * 86400)), BUY),
        # ... unless it may still be on its way
        (evidence(OLDER, waited=119), DOUBT),
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
        (evidence(video(size="720x1280"), OLDER), DOUBT),
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
        # no time to compare with, or too long ago
        (evidence(OURS, ahead=None), DOUBT),
        (evidence(OLDER, ahead=None), DOUBT),
        (evidence(OURS, waited=3 * 86400), DOUBT),
    ],
)
def test_what_the_list_and_the_ledger_say(found, action):
    decision = decide(INTENT, FACTS, found)
    assert decision.action is action
    assert (decision.video is OURS) is (action is ADOPT and OURS in found.listing.videos)
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
