"""Decision of a task's start about its submission: a pure function, whose tests are a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal

from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.evidence import digest_of, time_of
from airflow_provider_videos.submission.ledger import KEPT
from airflow_provider_videos.submission.prompts import Likeness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_videos.submission.evidence import Evidence, Listing
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
# How often, and for how long, a list has to be looked at before it proves that nothing was bought: it may be
# late, another task's answer may be on its way, and a load balancer may send each look to another server.
LOOKS_NEEDED = 8
LATE_SECONDS = 30.0

_MOST_NAMED = 5


class Action(Enum):
    """Action of a task's start."""

    BUY = "buy"
    TAKE_UP = "take up what was bought"
    LOOK = "look for what may have been bought"
    ADOPT = "take what was found"
    FAIL_IN_DOUBT = "fail: a video may have been bought"
    FAIL_CHANGED = "fail: the request is not the one that was bought"


@dataclass(frozen=True, slots=True)
class Facts:
    """
    Present state of the task, as far as the decision needs it.

    :param fingerprint: of the request it would send.
    :param max_tries: Airflow's bound of tries.
    :param on_unknown: what to do about an intent without an id.
    :param on_changed: what to do when the request changed between tries.
    :param tries_left: how many tries may follow this one.
    :param next_try: in how many seconds the next one may begin; None where that is not known.
    """

    fingerprint: str
    max_tries: int
    on_unknown: OnUnknown = "adopt"
    on_changed: OnChanged = "fail"
    tries_left: int = 0
    next_try: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """
    An action, and the reason for it.

    :param action: what is done.
    :param reason: why it is not certain, where it fails in doubt.
    :param video: what was found, where it is taken.
    :param candidates: the ids of the listed videos that could be it.
    :param is_final: whether no further look can change it.
    """

    action: Action
    reason: str = ""
    video: Video | None = None
    candidates: tuple[str, ...] = ()
    is_final: bool = False


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
        return _doubt("an earlier try was cut off between the request and the answer", is_final=True)
    if intent.fingerprint is None or not 0 < intent.at < intent.until:
        return _doubt("what was recorded of it says nothing that this release understands", is_final=True)
    if intent.fingerprint != facts.fingerprint:
        return _doubt("the request has changed since, so that nobody can say what to look for", is_final=True)
    return Decision(Action.LOOK) if evidence is None else _weigh(intent, evidence)


def _weigh(intent: Record, evidence: Evidence) -> Decision:
    """Take the one video that can only be ours; buy where there surely is none; else doubt."""
    if abs(evidence.now - intent.at) > KEPT.total_seconds():
        return _doubt("it is too long ago to say which of the server's videos are whose", is_final=True)
    if evidence.listing.ahead is None:
        return _doubt("the server's list carries no Date, so that its times say nothing")
    candidates = find_candidates(intent, evidence)
    if candidates and not evidence.claims.is_known:
        return _unowned(candidates)
    certain = [one for one in candidates if not one.objections]
    # A list that shows our prompt shows prompts as they were sent, so that another is another's.
    if certain and all(one.likeness is Likeness.ALIKE for one in candidates if one.objections):
        return _choose(intent, evidence, certain)
    return _several(candidates) if candidates else _absent(intent, evidence)


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    An unclaimed video that could be the one that was bought.

    :param video: as the list shows it.
    :param likeness: of its prompt to the one that was sent.
    :param objections: what speaks against it.
    """

    video: Video
    likeness: Likeness
    objections: tuple[str, ...]


def find_candidates(intent: Record, evidence: Evidence) -> list[Candidate]:
    """
    Return the videos that any look saw, nobody owns and the purchase could have made.

    :param intent: the purchase.
    :param evidence: what was found.
    """
    suspects: dict[str, Video] = {}
    for listing in evidence.listings:
        anchor = listing.place_of(intent.anchor)
        for place, video in enumerate(listing.videos):
            is_new = anchor is not None and place < anchor
            if digest_of(video.id) not in intent.before and _could_be_ours(
                intent, evidence, video, is_new=is_new
            ):
                suspects[video.id] = video
    gone = {one: Video(id=one) for one in intent.seen if one not in suspects}
    return [
        Candidate(video, evidence.wanted.likeness_of(video), tuple(_objections(intent, evidence, video)))
        for video in (*suspects.values(), *gone.values())
        if video.id not in evidence.claims.videos
    ]


def _could_be_ours(intent: Record, evidence: Evidence, video: Video, *, is_new: bool) -> bool:
    wanted, start = evidence.wanted, intent.at + _ahead(intent, evidence)
    if wanted.likeness_of(video) in {Likeness.SAME, Likeness.ALIKE}:
        return is_new or _is_from(video, start - SHIFT_SECONDS)
    # A server that may rewrite prompts could show ours under any.
    if wanted.likeness_of(video) is Likeness.OTHER and _repeats_prompts(evidence):
        return False
    return is_new or _is_from(video, start - NEAR_SECONDS)


def _repeats_prompts(evidence: Evidence) -> bool:
    videos = (video for listing in evidence.listings for video in listing.videos)
    return evidence.claims.repeats_prompts or any(map(evidence.wanted.has_prompt_of, videos))


def _objections(intent: Record, evidence: Evidence, video: Video) -> Iterator[str]:
    """Say what speaks against a candidate."""
    if evidence.listing.place_of(video.id) is None:
        yield "an earlier look saw it, and it is not listed any more"
        return
    likeness = evidence.wanted.likeness_of(video)
    if likeness is not Likeness.SAME:
        yield f"its prompt is {likeness.value}"
    # A gateway's list may call a model otherwise; the video that answers counts.
    answer = evidence.answers.get(video.id)
    for name, value in evidence.wanted.differences(video, answer).items():
        yield f"{name} {_quoted(value)} where {_quoted(evidence.wanted.attributes[name])} was asked for"
    yield from _objections_to_its_time(intent, evidence, video)
    if video.id in evidence.answers:
        yield from _objections_to_its_answer(video, evidence.answers[video.id])


def _objections_to_its_time(intent: Record, evidence: Evidence, video: Video) -> Iterator[str]:
    created, ahead = time_of(video), _ahead(intent, evidence)
    if created is None:
        yield "when it was created is not shown"
    elif created < intent.at + ahead - CLOCK_SECONDS:
        yield f"it was created {_span(intent.at + ahead - created)} before the request"
    elif created > intent.until + ahead + CLOCK_SECONDS:
        yield f"it was created {_span(created - intent.until - ahead)} after the request was given up"


def _objections_to_its_answer(video: Video, answer: Video | None) -> Iterator[str]:
    if answer is None:
        yield "asked for by this id, the server does not know it"
        return
    listed, answered = time_of(video), time_of(answer)
    if listed is not None and answered is not None and abs(listed - answered) > CLOCK_SECONDS:
        yield "asked for by this id, the server answers with another video"


def _choose(intent: Record, evidence: Evidence, certain: list[Candidate]) -> Decision:
    """Take the video whose turn it is, where tasks that bought the same have all lost their answers."""
    videos = sorted((one.video for one in certain), key=lambda one: (time_of(one) or 0.0, one.id))
    ahead, claims = _ahead(intent, evidence), evidence.claims
    begun = [(time_of(video) or 0.0) - ahead for video in videos]
    rivals = {
        rival
        for rival in claims.rivals
        if any(rival - NEAR_SECONDS <= moment <= rival + RIVAL_SECONDS for moment in begun)
    }
    if len(videos) > len(rivals) + 1:
        return _several(certain)
    turn = sum(claims.twins.get(rival, False) for rival in rivals)
    if rivals <= claims.twins.keys() and turn < len(videos):
        ours = videos[-1 - turn]
        return Decision(Action.ADOPT, video=evidence.answers.get(ours.id) or ours, candidates=(ours.id,))
    reason = "could be it, and could as well be another task's with the same prompt"
    return replace(_several(certain), reason=f"{_named(certain)} {reason}")


def _several(candidates: list[Candidate]) -> Decision:
    count = len(candidates)
    what = "1 unclaimed video" if count == 1 else f"{count} unclaimed videos"
    reason = f"{what} of the server's list could be it: {_named(candidates)}"
    return replace(_doubt(reason), candidates=tuple(one.video.id for one in candidates))


def _unowned(candidates: list[Candidate]) -> Decision:
    """Leave it to a person whose a listed video is, at once: no further look can tell."""
    seen = _several(candidates)
    reason = "and this Airflow keeps no ledger of which task owns which video"
    return replace(seen, reason=f"{seen.reason}, {reason}", is_final=True)


def _named(candidates: list[Candidate]) -> str:
    named = [
        f"video {_quoted(one.video.id, 300)}" + (f" ({'; '.join(one.objections)})" if one.objections else "")
        for one in candidates[:_MOST_NAMED]
    ]
    more = len(candidates) - len(named)
    return ", ".join([*named, *([f"and {more} more"] if more else [])])


def _absent(intent: Record, evidence: Evidence) -> Decision:
    missing = list(_missing_proofs(intent, evidence))
    if not missing:
        return Decision(Action.BUY)
    return _doubt(f"it is not in the server's list, which proves nothing: {'; '.join(missing)}")


def _missing_proofs(intent: Record, evidence: Evidence) -> Iterator[str]:
    """Say what a list lacks that shows, look after look, that nothing was bought."""
    listings = evidence.listings
    yield from _missing_end(intent, evidence.now)
    if intent.anchor is None:
        yield f"no newest video was recorded before the request ({intent.no_anchor or 'nothing says why'})"
    if evidence.same_key is not True:
        unknown = "the key that the request was sent with is not recorded"
        yield (
            unknown if evidence.same_key is None else "the key is not the one that the request was sent with"
        )
    if not all(listing.fresh for listing in listings):
        yield "not every look had a connection of its own"
    if any(listing.cached for listing in listings):
        yield "a cache has answered"
    if intent.anchor is not None:
        yield from _missing_of_the_anchor(intent.anchor, intent, listings)
    if not all(listing.is_newest_first for listing in listings):
        yield "the list does not show, newest first, what was there before it"
    if len(listings) < LOOKS_NEEDED or evidence.looked < LATE_SECONDS:
        looks = "1 look" if len(listings) == 1 else f"{len(listings)} looks"
        needed = f"it takes {LOOKS_NEEDED} in {LATE_SECONDS:.0f} s"
        yield f"there were {looks} in {evidence.looked:.0f} s, and {needed}"


def _missing_end(intent: Record, now: float) -> Iterator[str]:
    # A worker's clock that is off by more than the request may take says nothing.
    if not intent.is_over and 0 < intent.until - now <= intent.until - intent.at:
        yield f"the request may still be on its way for {_span(intent.until - now)}"


def _missing_of_the_anchor(anchor: str, intent: Record, listings: Sequence[Listing]) -> Iterator[str]:
    newest = f"video {_quoted(anchor, 300)}, the newest one before the request,"
    if any(listing.place_of(anchor) is None for listing in listings):
        yield f"{newest} was not in each list: there may be several servers behind the address"
    elif any(_has_old_ones_first(intent, listing) for listing in listings):
        yield f"{newest} was not at its place in each list"
    if not all(listing.anchor_known for listing in listings):
        yield f"{newest} was not known each time when asked for by its id"


def _has_old_ones_first(intent: Record, listing: Listing) -> bool:
    newer = listing.videos[: listing.place_of(intent.anchor)]
    return any(digest_of(video.id) in intent.before for video in newer)


def _doubt(reason: str, *, is_final: bool = False) -> Decision:
    return Decision(Action.FAIL_IN_DOUBT, reason, is_final=is_final)


def _ahead(intent: Record, evidence: Evidence) -> float:
    """Return what the server's clock was ahead of the worker's that wrote the intent, as far as is known."""
    return intent.ahead if intent.ahead is not None else evidence.listing.ahead or 0.0


def _is_from(video: Video, moment: float) -> bool:
    created = time_of(video)
    return created is None or created >= moment


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _quoted(words: str, most: int = 60) -> str:
    """Make a server's word fit to be repeated: short, and of printable characters alone."""
    return "".join(letter if letter.isprintable() else "?" for letter in words[:most])
