"""The draw depends on the seed alone, and leaves out nothing of the catalogue."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_videos.emulator.faults import ALTERATIONS
from tests.chaos.faults import ALTERED, KINDS, draw
from tests.chaos.strikes import EFFECTS, LIES, STRIKES


def test_the_same_seed_draws_the_same_list() -> None:
    assert draw(7, 40) == draw(7, 40)
    assert draw(7, 40) != draw(8, 40)


def test_a_shorter_campaign_is_the_beginning_of_a_longer_one() -> None:
    assert draw(7, 40)[:12] == draw(7, 12)


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_comes_up_in_every_campaign(seed: int) -> None:
    counts = Counter(fault.kind.name for fault in draw(seed, 40))
    assert set(counts) == {kind.name for kind in KINDS}
    assert max(counts.values()) == 2


def test_every_moment_comes_up_in_the_five_campaigns_of_the_bar() -> None:
    drawn = {(fault.kind.name, fault.moment) for seed in range(1, 6) for fault in draw(seed, 40)}
    possible = {(kind.name, moment) for kind in KINDS for moment in kind.moments}
    assert len(drawn) > len(possible) * 0.7


def test_the_catalogue_names_what_there_is() -> None:
    assert {kind.strike for kind in KINDS} == set(STRIKES)
    assert {how for kind in KINDS for how in kind.choices.get("how", ())} == set(EFFECTS)


def test_every_lie_that_is_drawn_is_told() -> None:
    lying = {name for kind in KINDS if kind.lies for name in kind.choices}
    assert lying - {"how", "age", "balance"} == set(LIES) - {"seconds"}
    assert set(ALTERED) == {*ALTERATIONS, "absent"}


def test_lost_answers_are_counted_where_no_person_has_a_hand_in_it() -> None:
    faults = [fault for seed in range(5) for fault in draw(seed, 40)]
    assert all(fault.lost_answers for fault in faults if fault.kind.lies)
    assert not any(fault.lost_answers for fault in faults if fault.kind.by_a_person or fault.kind.late)
    assert {fault.kind.name for fault in faults if fault.lost_answers} > {
        "answer lost",
        "kill -9 before the POST",
        "seconds of another type",
    }
