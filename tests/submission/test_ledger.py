from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_videos.api.models import Video
from airflow_provider_videos.submission.evidence import Wanted
from airflow_provider_videos.submission.ledger import Ledger

AT = 1_790_000_000.0
DAY = 86400.0
BOAT, KITE = Wanted("A secret boat", {}), Wanted("A kite", {})
V1, V2 = Video(id="v1", prompt="A secret boat"), Video(id="v2")


def day(moment):
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%d")


@pytest.fixture
def task(registry):
    """The ledger as each of several tasks sees it."""

    def task(name, server="http://gpu-box/v1"):
        return Ledger(registry, server, {"dag_id": "d", "run_id": "r", "task_id": name, "map_index": -1})

    return task


def claims(ledger, at=AT, wanted=BOAT, now=AT + 60):
    return ledger.claims(at, wanted, [V1, V2], now)


def test_an_open_purchase_of_the_same_prompt_is_a_rival(task):
    task("b").open(AT - 5, BOAT)
    assert claims(task("a")).rivals == [AT - 5]
    assert claims(task("a"), wanted=KITE).rivals == []


def test_a_claimed_video_is_owned_and_its_purchase_is_no_rival(task):
    task("b").open(AT, KITE)
    task("b").claim(AT, KITE, V2)
    seen = claims(task("a"))
    assert (seen.videos, seen.rivals, seen.repeats_prompts) == ({"v2"}, [], False)


def test_a_task_is_not_its_own_rival_and_owns_nothing_against_itself(task):
    task("a").open(AT, BOAT)
    task("a").claim(AT, BOAT, V1)
    assert claims(task("a")) == claims(task("nobody"), at=AT - 10 * DAY, now=AT - 9 * DAY)


def test_the_video_of_an_earlier_purchase_of_the_same_task_stays_owned(task):
    task("a").open(AT - 600, BOAT)
    task("a").claim(AT - 600, BOAT, V1)
    task("a").open(AT, BOAT)
    assert claims(task("a")).videos == {"v1"}


def test_what_was_not_bought_is_forgotten(task):
    task("b").open(AT, BOAT)
    task("b").drop(AT, BOAT)
    assert claims(task("a")).rivals == []


def test_claimed_videos_tell_whether_the_list_repeats_prompts(task):
    assert not claims(task("a")).repeats_prompts
    task("b").claim(AT, BOAT, V1)
    assert claims(task("a")).repeats_prompts
    task("b").claim(AT + 1, KITE, V2)  # listed without its prompt
    assert not claims(task("a")).repeats_prompts


def test_a_claim_of_a_video_that_is_not_listed_leaves_a_rival(task):
    task("b").open(AT, BOAT)
    task("b").claim(AT, BOAT, Video(id="an id that create returned"))
    assert set(claims(task("a")).rivals) == {AT}


def test_a_later_claim_settles_what_its_owner_had_left_open(task):
    task("b").open(AT, BOAT)
    task("b").claim(AT + 30, BOAT, V1)
    task("c").open(AT, BOAT)
    assert claims(task("a")).rivals == [AT]


def test_a_purchase_of_a_worker_whose_clock_shows_tomorrow_is_seen(task):
    midnight = AT - AT % DAY + DAY
    task("b").open(midnight + 60, BOAT)
    assert claims(task("a"), at=midnight - 120, now=midnight - 60).rivals == [midnight + 60]


def test_the_same_id_on_another_server_is_another_video(task):
    task("b", server="http://elsewhere/v1").claim(AT, BOAT, V1)
    assert claims(task("a")).videos == set()


@pytest.mark.parametrize("hours", [-20, -1, 0, 1, 20, 40])
def test_entries_of_the_days_around_are_seen(task, hours):
    task("b").claim(AT + hours * 3600, BOAT, V1)
    assert claims(task("a"), now=AT + 41 * 3600).videos == {"v1"}


def test_no_purchase_removes_more_than_its_share(task, registry):
    for number in range(501):
        task(f"old {number}").open(AT - 10 * DAY, BOAT)
    task("a").tidy(AT)
    assert len(registry) == 1
    task("a").tidy(AT)
    assert list(registry) == [f"videos_ledger.tidied.{day(AT)}"]


def test_the_first_purchase_of_a_day_removes_what_is_days_old(task, registry):
    registry["another_variable"] = "of somebody else"
    task("a").claim(AT - 10 * DAY, BOAT, V1)
    task("a").tidy(AT - 10 * DAY)
    task("b").claim(AT - DAY, BOAT, V2)
    task("b").tidy(AT)
    assert claims(task("c"), at=AT - DAY, now=AT).videos == {"v2"}
    assert "another_variable" in registry
    assert len(registry) == 3  # that, the claim of v2, and the mark of the day
    task("a").claim(AT - 10 * DAY, BOAT, V1)
    task("a").tidy(AT)
    assert len(registry) == 4  # already tidied today


def test_it_names_owners_and_holds_no_prompt_no_id_and_no_server(task, registry):
    task("b").open(AT, BOAT)
    task("b").claim(AT, BOAT, V1)
    text = json.dumps(registry)
    assert not [word for word in ("secret", "v1", "gpu-box") if word in text]
    assert all(len(key) < 250 for key in registry)
    assert all(json.loads(value)["task_id"] == "b" for value in registry.values())


def test_a_lost_answer_makes_a_twin_whose_turn_the_times_decide(task):
    for name, at in (("b", AT - 5), ("c", AT + 5), ("d", AT + 6)):
        task(name).open(at, BOAT)
    task("b").lose(AT - 5, BOAT)
    task("c").lose(AT + 5, BOAT)
    assert claims(task("a")).twins == {AT - 5: False, AT + 5: True}  # the answer to d may be on its way
    task("b").drop(AT - 5, BOAT)
    assert claims(task("a")).twins == {AT + 5: True}
    task("c").claim(AT + 5, BOAT, V1)
    assert claims(task("a")).twins == {}


def test_a_video_is_owned_under_each_of_its_ids(task):
    task("b").claim(AT, BOAT, Video(id="v1-and-where-it-is-made"))
    assert claims(task("a")).videos == set()
    seen = task("a").claims(AT, BOAT, [V1, V2], AT + 60, aliases={"v1": "v1-and-where-it-is-made"})
    assert (seen.videos, seen.rivals) == ({"v1"}, [])


@pytest.mark.parametrize(
    "key", ["", "x", "a.b", "{day}", "{day}.p.5-o", "{day}.{hash}.{long}-{hash}", "{day}.\u0661"]
)
def test_keys_that_nobody_of_ours_has_written_are_left_alone(task, registry, key):
    task("b").open(AT, BOAT)
    (ours,) = registry
    given = key.format(day=day(AT), hash="0" * 16, long="9" * 400)
    for name in (f"videos_ledger.{given}", f"{ours.rsplit('.', 3)[0]}.{given}", f"{ours}.{given}"):
        registry[name] = ""
    assert claims(task("a")).videos == set()
    task("a").tidy(AT)
    assert len(registry) == 5


@pytest.mark.parametrize("more", ["more", "more.and.more", "0123456789abcdef", "lost"])
def test_a_claim_counts_whatever_a_later_release_says_beside_it(task, registry, more):
    task("b").claim(AT, BOAT, V1)
    (key,) = registry
    registry[f"{key}.{more}"] = registry.pop(key)
    assert claims(task("a")).videos == {"v1"}


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("garbage", [None, "", "x", "\u0661" * 8, "0" * 400, "{}", "lost"])
def test_a_key_with_a_part_removed_or_garbled_owns_nothing(task, registry, place, garbage):
    task("b").claim(AT, BOAT, V1)
    garbled = registry.popitem()[0].split(".")
    garbled[place : place + 1] = [] if garbage is None else [garbage]
    registry[".".join(garbled)] = ""
    seen = claims(task("a"))
    assert seen.videos == set()
    assert set(seen.rivals) <= {AT}
    task("a").tidy(AT)


def test_a_purchase_of_which_a_later_release_says_something_else_is_a_rival_and_no_twin(task, registry):
    task("b").open(AT, BOAT)
    task("b").lose(AT, BOAT)
    registry[min(registry, key=len) + ".paused"] = ""
    seen = claims(task("a"))
    assert set(seen.rivals) == {AT}
    assert seen.twins == {}


def test_what_an_older_release_wrote_is_read(task, registry):
    bought = "videos_ledger.8d2f0540e7141a49.20260921.a2cbfac051837464.1790000000000-f8fda7e761ca8146"
    lost = "videos_ledger.8d2f0540e7141a49.20260921.a2cbfac051837464.1790000001000-d34e4647d31059d6"
    registry.update(dict.fromkeys([bought, f"{bought}.64bfaceabee312b0", lost, f"{lost}.lost"], "{}"))
    seen = claims(task("a"))
    assert (seen.videos, set(seen.rivals), seen.twins) == ({"v1"}, {AT + 1}, {AT + 1: True})


@pytest.mark.parametrize(("at", "now"), [(1.0, AT), (AT, 1.0), (AT, AT * 2), (4e9, AT), (AT, AT)])
def test_no_clock_makes_it_read_more_than_a_few_days(task, registry, monkeypatch, at, now):
    read = []
    monkeypatch.setattr(registry, "keys", lambda prefix: read.append(prefix) or [])
    claims(task("a"), at=at, now=now)
    assert len(read) <= 5
