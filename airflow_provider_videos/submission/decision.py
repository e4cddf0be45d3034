"""What a start of a task does about its purchase: a pure function, whose tests are a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

from airflow_provider_videos.submission.ledger import KEPT

if TYPE_CHECKING:
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.submission.evidence import Evidence
    from airflow_provider_videos.submission.record import Record

OnUnknown = Literal["adopt", "fail", "resubmit"]
OnChanged = Literal["fail", "resubmit"]

# Times in a list are whole seconds, and so is a server's Date.
CLOCK_SECONDS = 5.0
# What workers' clocks may differ by. A video so near to the purchase is no proof, and no reason to buy.
NEAR_SECONDS = 600.0
# By how much a list's times may be off from the server's Date, as a time zone or a proxy's clock shifts them.
SHIFT_SECONDS = 24 * 3600.0
# How long after its beginning a purchase may still turn up as a video, whatever became of its task.
RIVAL_SECONDS = 2 * NEAR_SECONDS


class Action(Enum):
    """What a start of the task does."""

    BUY = "buy"
    TAKE_UP = "take up what was bought"
    LOOK = "look for what may have been bought"
    ADOPT = "take what was found"
    FAIL_IN_DOUBT = "fail: a video may have been bought"
    FAIL_CHANGED = "fail: the request is not the one that was bought"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is true of the task now.

    :param fingerprint: of the request it would send.
    :param max_tries: Airflow's bound of tries.
    :param on_unknown: what to do about an intent without an id.
    :param on_changed: what to do when the request changed between tries.
    """

    fingerprint: str
    max_tries: int
    on_unknown: OnUnknown = "adopt"
    on_changed: OnChanged = "fail"


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What is done, and why.

    :param action: what is done.
    :param reason: why it is not certain, where it fails in doubt.
    :param video: what was found, where it is taken.
    """

    action: Action
    reason: str = ""
    video: Video | None = None


def decide(record: Record | None, facts: Facts, evidence: Evidence | None = None) -> Decision:
    """
    Say what a start of the task does.

    :param record: what an earlier start has left.
    :param facts: what is true now.
    :param evidence: what was found of a purchase in doubt; None before anybody has looked.
    """
    if record is None:
        return Decision(Action.BUY)
    if record.video_id is None:
        return _settle(record, facts, evidence)
    cleared = record.max_tries not in {None, facts.max_tries}
    changed = record.fingerprint not in {None, facts.fingerprint}
    if cleared and (record.handed_on or changed):
        return Decision(Action.BUY)  # to clear what had finished, or has changed, asks for a new video
    if changed:
        return Decision(Action.FAIL_CHANGED if facts.on_changed == "fail" else Action.BUY)
    return Decision(Action.TAKE_UP)


def _settle(intent: Record, facts: Facts, evidence: Evidence | None) -> Decision:
    if facts.on_unknown == "resubmit":
        return Decision(Action.BUY)
    if facts.on_unknown == "fail":
        return _doubt("an earlier try was cut off between the request and the answer")
    if intent.fingerprint is None or intent.until <= intent.at:
        return _doubt("what was recorded of it says nothing that this release understands")
    if intent.fingerprint != facts.fingerprint:
        return _doubt("the request has changed since, so that nobody can say what to look for")
    return Decision(Action.LOOK) if evidence is None else _weigh(intent, evidence)


def _weigh(intent: Record, evidence: Evidence) -> Decision:
    """Take the one video that can only be ours; buy where there surely is none; else doubt."""
    if evidence.now - intent.at > KEPT.total_seconds():
        return _doubt("it is too long ago to say which of the server's videos are whose")
    if evidence.listing.ahead is None:
        return _doubt("the server's list carries no Date, so that its times say nothing")
    possible, certain = _candidates(intent, evidence, evidence.listing.ahead)
    if not possible:
        return _absent(intent, evidence, evidence.listing.ahead)
    if possible != certain or len(certain) > 1:
        return _doubt(f"{len(possible)} unclaimed videos of the server's list could be it")
    begun = (certain[0].created_at or 0) - evidence.listing.ahead
    if any(rival - NEAR_SECONDS <= begun <= rival + RIVAL_SECONDS for rival in evidence.claims.rivals):
        return _doubt(
            f"video {certain[0].id} could be it, and could as well be another task's with the same prompt"
        )
    return Decision(Action.ADOPT, video=certain[0])


def _candidates(intent: Record, evidence: Evidence, ahead: float) -> tuple[list[Video], list[Video]]:
    """Return the unclaimed videos that could be ours, and those of them that are as ours would be."""
    wanted, videos = evidence.wanted, evidence.listing.videos
    start, end = intent.at + ahead, intent.until + ahead
    # A server that may rewrite prompts could show ours under any.
    repeats = evidence.claims.repeats_prompts or any(wanted.has_prompt_of(video) for video in videos)

    def could_be_ours(video: Video) -> bool:
        if wanted.has_prompt_of(video):
            return _is_from(video, start - SHIFT_SECONDS)
        return _is_from(video, start - NEAR_SECONDS) and not (video.prompt and repeats)

    def is_as_ours(video: Video) -> bool:
        in_time = _is_from(video, start - CLOCK_SECONDS) and not _is_from(video, end + CLOCK_SECONDS)
        return in_time and wanted.is_met_by(video)

    possible = [one for one in videos if one.id not in evidence.claims.videos and could_be_ours(one)]
    return possible, [one for one in possible if is_as_ours(one)]


def _absent(intent: Record, evidence: Evidence, ahead: float) -> Decision:
    if evidence.now < intent.until:
        return _doubt("the request may still be on its way")
    if evidence.listing.goes_back_to(intent.at + ahead - CLOCK_SECONDS):
        return Decision(Action.BUY)
    return _doubt(
        "it is not in the server's list, but the list does not show, newest first, what was there before it, "
        "and so proves nothing"
    )


def _doubt(reason: str) -> Decision:
    return Decision(Action.FAIL_IN_DOUBT, reason)


def _is_from(video: Video, moment: float) -> bool:
    return video.created_at is None or video.created_at >= moment
