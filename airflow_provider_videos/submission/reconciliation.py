"""Reconciliation of an intent with the server: looks at its list, until they settle what was bought."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_videos.api.errors import NotSupported
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.decision import (
    SHIFT_SECONDS,
    Action,
    Decision,
    decide,
    find_candidates,
)
from airflow_provider_videos.submission.evidence import Claims, Evidence, digest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_videos.api.clock import Clock
    from airflow_provider_videos.submission.decision import Facts
    from airflow_provider_videos.submission.evidence import Listing
    from airflow_provider_videos.submission.ledger import Ledger
    from airflow_provider_videos.submission.record import Record
    from airflow_provider_videos.submission.server import SubmissionServer

# All that a try sleeps while it looks for a lost video, whatever any clock says.
_LOOKS = (0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0, 6.0)
_MOST_ASKED_FOR = 10


@dataclass(slots=True)
class Reconciliation:
    """
    Search of the server's list for what an intent may have bought.

    :param server: where it would be.
    :param ledger: who owns what.
    :param facts: what is true of the task now.
    :param intent: the purchase.
    :param clock: the time it goes by.
    """

    server: SubmissionServer
    ledger: Ledger
    facts: Facts
    intent: Record
    clock: Clock
    _listings: list[Listing] = field(default_factory=list, init=False)
    _answers: dict[str, Video | None] = field(default_factory=dict, init=False)
    _has_same_key: bool | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.intent.key:
            # Slow on purpose, and the same in every look.
            salt = self.intent.key.partition(":")[0]
            self._has_same_key = self.server.hash_key(salt) == self.intent.key

    def run(self) -> Decision:
        """Look again and again, until it is settled or can no longer turn up."""
        begun, decision = self.clock.monotonic(), Decision(Action.FAIL_IN_DOUBT)
        for number, pause in enumerate(_LOOKS):
            self.clock.sleep(pause)
            decision = self._look(number, self.clock.monotonic() - begun)
            if decision.action is not Action.FAIL_IN_DOUBT or decision.is_final:
                break
        return self._with_the_search_named(decision)

    def _with_the_search_named(self, decision: Decision) -> Decision:
        if decision.action is not Action.FAIL_IN_DOUBT:
            return decision
        asked = "".join(f", {name} {value}" for name, value in self.server.wanted.attributes.items())
        looked_for = f"an unclaimed video with the same prompt{asked}, accepted from {self.intent.moment} on"
        return replace(decision, reason=f"{decision.reason} (looked for {looked_for})")

    def _look(self, number: int, looked: float) -> Decision:
        try:
            self._listings += self._list(number)
            decision = self._decide(looked)
            return self._claim(decision) if decision.action is Action.ADOPT else decision
        except NotSupported as error:
            return Decision(
                Action.FAIL_IN_DOUBT, f"the server has no list to look at: {error}", is_final=True
            )
        except Exception as error:  # noqa: BLE001 - whoever does not answer, server or Airflow: the doubt stays
            return Decision(Action.FAIL_IN_DOUBT, f"looking for it failed: {type(error).__name__}: {error}")

    def _list(self, number: int) -> list[Listing]:
        anchor, back_to = self.intent.anchor, self.intent.at - SHIFT_SECONDS
        # The first look goes deeper, should the list's order or times be none. Every other one asks an odd
        # number of questions, so that a load balancer that takes turns shows the lists of all servers.
        listings = [self.server.listing(back_to, anchor if number else None) for _ in range(1 + number % 2)]
        is_known = anchor is not None and self.server.find(anchor) is not None
        return [replace(listing, anchor_known=is_known) for listing in listings]

    def _decide(self, looked: float) -> Decision:
        evidence = self._evidence(looked)
        candidates = find_candidates(self.intent, evidence)
        asked = [one.video.id for one in candidates if evidence.listing.place_of(one.video.id) is not None]
        for video_id in asked[:_MOST_ASKED_FOR]:
            # One server behind an address may not know what another one lists.
            self._answers[video_id] = self._answers.get(video_id) or self.server.find(video_id)
        return decide(self.intent, self.facts, self._evidence(looked) if asked else evidence)

    def _evidence(self, looked: float) -> Evidence:
        return Evidence(
            self.server.wanted,
            self._listings[-1],
            self._claims(),
            self.clock.now(),
            earlier=tuple(self._listings[:-1]),
            looked=looked,
            answers=dict(self._answers),
            same_key=self._has_same_key,
        )

    def _claims(self) -> Claims:
        """Read after the list: whoever owns one of its videos had said so before the video came to be."""
        listed = [video for listing in self._listings for video in listing.videos]
        listed += [Video(id=video_id) for video_id in self.intent.seen]
        if all(digest_of(video.id) in self.intent.before for video in listed):
            return Claims(frozenset(), (), repeats_prompts=False)
        aliases = {video_id: video.id for video_id, video in self._answers.items() if video}
        return self.ledger.claims(self.intent.at, self.server.wanted, listed, self.clock.now(), aliases)

    def _claim(self, decision: Decision) -> Decision:
        """Claim what is adopted, and take it back where another task claims it in the same moment."""
        at, wanted = self.intent.at, self.server.wanted
        videos = _distinct(decision.video, *(Video(id=one) for one in decision.candidates))
        for video in videos:
            self.ledger.claim(at, wanted, video)
        if not self.ledger.claims(at, wanted, videos, self.clock.now()).videos:
            return decision
        for video in videos:
            self.ledger.unclaim(at, wanted, video)
        reason = f"another task has claimed video {decision.candidates[0]} in the same moment"
        return Decision(Action.FAIL_IN_DOUBT, reason, candidates=decision.candidates)


def _distinct(*videos: Video | None) -> Sequence[Video]:
    return list({video.id: video for video in videos if video}.values())
