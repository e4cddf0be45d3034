from __future__ import annotations

import base64
import json
import random

import pytest

from airflow_provider_videos.api.errors import (
    Busy,
    NotConnected,
    NotFound,
    QuotaExhausted,
    ServerFault,
    TransportError,
    Unauthorized,
    Unreadable,
    VideoFailed,
    VideoLost,
    VideosError,
    VideoUnavailable,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.api.persisted import decode, encode
from airflow_provider_videos.polling import wait_state as module
from airflow_provider_videos.polling.wait_state import (
    LONGEST_INTERVAL_WHILE_MISSING,
    LONGEST_RETRY_AFTER,
    WaitState,
    capped_retry_after,
    first_due,
    is_sound,
    late_because,
    next_due,
    next_interval,
)

NOW = 1_000_000.0


def video(status: str, **fields) -> Video:
    return Video.model_validate({"id": "v", "status": status, **fields})


@pytest.fixture
def state() -> WaitState:
    return WaitState("v", started_at=NOW)


@pytest.mark.parametrize("status", ["queued", "in_progress", "processing", "never heard of", "", None])
def test_a_wait_goes_on(state, status):
    assert state.update(video(status, progress=100), NOW) is False


@pytest.mark.parametrize("status", ["completed", "succeeded"])
def test_a_wait_ends_with_the_video_whatever_its_progress(state, status):
    assert state.update(video(status, progress=99), NOW) is True


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired", "deleted"])
def test_a_wait_ends_with_the_server_s_words(state, status):
    problem = {"code": "moderation_blocked", "message": "No."}
    with pytest.raises(VideoFailed, match=rf"ended as {status}: No\.") as caught:
        state.update(video(status, error=problem), NOW)
    assert caught.value.code == "moderation_blocked"
    assert caught.value.video_id == "v"


def test_a_server_may_give_no_reason(state):
    with pytest.raises(VideoFailed, match="gave no reason"):
        state.update(video("failed"), NOW)


@pytest.mark.parametrize("kind", [TransportError, NotConnected, ServerFault, Busy, Unreadable])
def test_what_passes_is_waited_out(state, kind):
    assert [state.update(kind("oops"), NOW + at) for at in range(100)] == [False] * 100


def test_what_does_not_pass_is_raised_unless_told_to_be_patient(state):
    error = Unauthorized("no")
    with pytest.raises(Unauthorized):
        state.update(error, NOW)
    assert WaitState("v", NOW, patient=True).update(error, NOW) is False


MISSING = NotFound("no such video")


def miss(state: WaitState, moments) -> None:
    for moment in moments:
        assert state.update(MISSING, NOW + moment) is False
        assert state.is_missing


@pytest.mark.parametrize(
    ("before", "last"),
    [
        (range(0, 290, 10), 290),
        ([*range(29)], 120),
        (range(0, 2900, 100), 2900),
    ],
)
def test_a_video_is_lost_after_many_answers_over_some_time(state, before, last):
    miss(state, before)
    with pytest.raises(VideoLost, match=r"the video is lost: .* 30 times in a row"):
        state.update(MISSING, NOW + last)


@pytest.mark.parametrize("moments", [range(29), [*range(28), 10_000], [at * 2 for at in range(60)]])
def test_and_not_before(state, moments):
    miss(state, moments)


@pytest.mark.parametrize("sign", [video("queued"), video("strange"), ServerFault("oops"), Unreadable("oops")])
def test_an_answer_about_the_video_starts_the_count_again(state, sign):
    miss(state, range(0, 290, 10))
    assert state.update(sign, NOW + 285) is False
    assert not state.is_missing
    miss(state, range(290, 580, 10))


@pytest.mark.parametrize("nothing", [TransportError("dropped"), NotConnected("no"), Busy("not now")])
def test_no_answer_about_it_does_not(state, nothing):
    miss(state, range(0, 290, 10))
    assert state.update(nothing, NOW + 285) is False
    with pytest.raises(VideoLost):
        state.update(MISSING, NOW + 290)


def lost(replicas: int, interval: float, rule: random.Random, *, seconds: float = 600) -> bool:
    """Wait for a job that one of several replicas knows, where each question goes to any of them."""
    state, now = WaitState("v", NOW), 0.0
    while now < seconds:
        try:
            state.update(video("queued") if rule.randrange(replicas) == 0 else MISSING, NOW + now)
        except VideoLost:
            return True
        now += min(interval, LONGEST_INTERVAL_WHILE_MISSING) if state.is_missing else interval
    return False


@pytest.mark.parametrize("interval", [5, 10, 15])
def test_replicas_that_do_not_know_each_other_s_jobs_lose_no_wait(interval):
    rule = random.Random(interval)
    assert sum(lost(2, interval, rule) for _ in range(1000)) == 0


def test_which_a_rule_of_three_answers_would_not_hold(monkeypatch):
    monkeypatch.setattr(module, "LOST_AFTER_ANSWERS", 3)
    monkeypatch.setattr(module, "LOST_AFTER_SECONDS", 30.0)
    rule = random.Random(1)
    assert sum(lost(2, 15, rule) for _ in range(300)) > 200


def chance_of_a_run(length: int, of: int, chance: float) -> float:
    """The chance that something that happens with a chance happens so many times in a row."""
    runs, happened = [1.0] + [0.0] * (length - 1), 0.0
    for _ in range(of):
        happened += runs[-1] * chance
        runs = [sum(runs) * (1 - chance), *(run * chance for run in runs[:-1])]
    return happened


@pytest.mark.parametrize(("replicas", "most"), [(2, 1e-7), (3, 1e-3)])
def test_the_chance_of_losing_a_wait_of_ten_minutes_is_below_a_thousandth(replicas, most):
    # No wait asks more often: a shorter interval meets the seconds, a longer one asks less.
    questions = int(600 / (module.LOST_AFTER_SECONDS / module.LOST_AFTER_ANSWERS))
    assert 0 < chance_of_a_run(module.LOST_AFTER_ANSWERS, questions, 1 - 1 / replicas) < most
    assert chance_of_a_run(3, 40, 0.5) > 0.89


@pytest.mark.parametrize("interval", [1, 5, 15, 60, 3600])
def test_a_server_that_has_lost_it_is_found_out_within_five_minutes(state, interval):
    step = int(min(interval, LONGEST_INTERVAL_WHILE_MISSING))
    last = max(120, 29 * step)
    miss(state, range(0, last, step))
    with pytest.raises(VideoLost):
        state.update(MISSING, NOW + last)
    assert last <= 300


FAULT = ServerFault("boom", status_code=500)


def fail(state: WaitState, moments, *, serves_others: bool | None = True, error: VideosError = FAULT) -> None:
    for moment in moments:
        assert state.update(error, NOW + moment, serves_others=serves_others) is False


@pytest.mark.parametrize("error", [FAULT, ServerFault("no", status_code=502), Unreadable("HTML")])
def test_a_video_that_alone_is_failed_on_ends_after_a_quarter_of_an_hour(state, error):
    fail(state, range(0, 900, 15), error=error)
    with pytest.raises(VideoUnavailable) as caught:
        state.update(error, NOW + 900, serves_others=True)
    assert str(error.message) in str(caught.value)
    assert "15 minutes" in str(caught.value)
    assert caught.value.video_id == "v"


@pytest.mark.parametrize("serves_others", [False, None])
def test_an_outage_is_waited_out(state, serves_others):
    fail(state, range(0, 100_000, 15), serves_others=serves_others)


def test_an_outage_that_ends_at_last_begins_the_quarter_of_an_hour(state):
    fail(state, range(0, 10_000, 15), serves_others=None)
    fail(state, range(10_000, 10_900, 15))
    with pytest.raises(VideoUnavailable):
        state.update(FAULT, NOW + 10_900, serves_others=True)


@pytest.mark.parametrize("sign", [video("queued"), video("strange")])
def test_so_does_an_answer(state, sign):
    fail(state, range(0, 900, 15))
    state.update(sign, NOW + 899)
    assert not state.is_faulty
    fail(state, range(900, 1800, 15))


def test_so_does_an_outage_in_between(state):
    fail(state, range(0, 885, 15))
    fail(state, [885], serves_others=False)
    fail(state, range(900, 1800, 15))


def test_what_is_not_about_the_video_does_not(state):
    fail(state, range(0, 885, 15))
    fail(state, [886], error=TransportError("dropped"))
    fail(state, [887], serves_others=None)
    with pytest.raises(VideoUnavailable):
        state.update(FAULT, NOW + 900, serves_others=True)


def test_a_patient_wait_waits_that_out_too():
    fail(WaitState("v", NOW, patient=True), range(0, 10_000, 15))


def test_it_is_looked_into_after_a_few_faults(state):
    seen = []
    for at in range(5):
        seen.append(state.is_faulty)
        state.update(FAULT, NOW + at)
    assert seen == [False, False, False, True, True]


@pytest.mark.parametrize("error", [TransportError("no"), ServerFault("no"), Busy("no"), Unreadable("no")])
def test_a_server_that_fails_on_everything_is_not_sound(error):
    assert is_sound(error) is False


@pytest.mark.parametrize("error", [NotFound("no"), Unauthorized("no")])
def test_one_that_lacks_something_may_be(error):
    assert is_sound(error) is None


@pytest.mark.parametrize("fields", [{}, {"object": "error"}, {"message": "no upstream"}])
@pytest.mark.parametrize("status", ["error", "failed", "expired"])
def test_an_envelope_of_a_gateway_does_not_end_a_wait(state, status, fields):
    envelope = Video.model_validate({"id": "req_77", "status": status, **fields})
    assert state.update(envelope, NOW) is False


def test_a_failed_video_may_be_known_under_two_ids():
    listed, made = (
        "video_" + base64.b64encode(f"gateway:provider:openai;model_id:{model};video_id:w".encode()).decode()
        for model in ("", "wan")
    )
    for asked, body in (("v", {"id": "w", "object": "video"}), (made, {"id": listed}), (made, {"id": "w"})):
        with pytest.raises(VideoFailed):
            WaitState(asked, NOW).update(Video.model_validate({"status": "failed", **body}), NOW)


class TestLate:
    def test_nothing_is_wrong(self):
        for answer in (None, video("queued")):
            assert late_because(answer).startswith(". It lives on at the server: clear this task")

    @pytest.mark.parametrize(
        ("error", "advice"),
        [
            (TransportError("dropped"), "can be reached"),
            (NotConnected("refused"), "can be reached"),
            (ServerFault("boom", status_code=500), "why it fails"),
            (Unreadable("HTML"), "base URL"),
            (Busy("too many"), "requests_per_minute"),
            (Unauthorized("bad key", status_code=401), "key"),
            (QuotaExhausted("empty"), "Put that right"),
            (VideosError("odd"), "Put that right"),
        ],
    )
    def test_the_last_error_is_named_with_what_helps(self, error, advice):
        text = late_because(error)
        assert f"The last error: {error}" in text
        assert advice in text
        assert "clear this task" in text
        assert "would buy a second one" in text
        assert "raise its timeout" not in text
        assert "lives on" not in text

    def test_a_video_that_nobody_knows(self):
        text = late_because(NotFound("no such video", status_code=404))
        assert "does not know it" in text
        assert "no such video" in text
        assert "lives on" not in text

    def test_a_video_that_was_given_up(self):
        assert late_because(video("queued"), kept=False) == ", and is given up on the server, too"
        assert late_because(FAULT, kept=False).endswith(f"too. The last error: {FAULT}")


def kept(state):
    """Return what the next process knows of a wait."""
    return decode(WaitState, json.loads(json.dumps(encode(state))))


def test_what_is_remembered_survives_a_process(state):
    miss(state, range(0, 290, 10))
    state.log_line(video("queued"), NOW)
    again = kept(state)
    assert again == state
    with pytest.raises(VideoLost):
        again.update(MISSING, NOW + 290)
    fail(state, range(0, 900, 15))
    with pytest.raises(VideoUnavailable):
        kept(state).update(FAULT, NOW + 900, serves_others=True)


def test_there_is_a_line_for_each_change_and_only_for_it(state):
    answers = [
        video("queued", progress=0),
        video("queued", progress=0),
        video("in_progress", progress=37.4),
        ServerFault("boom"),
        ServerFault("boom"),
        video("warming"),
        video("completed", progress=100),
    ]
    lines = [state.log_line(answer, NOW + 10 * at) for at, answer in enumerate(answers)]
    assert lines == [
        "Video v: queued, 0 %, 0 s waited",
        None,
        "Video v: in_progress, 37 %, 20 s waited",
        "Video v: no news but ServerFault, asking again (boom), 30 s waited",
        None,
        "Video v: warming (unknown to this provider: asking until the deadline), 50 s waited",
        "Video v: completed, 100 %, 60 s waited",
    ]


def test_trouble_that_lasts_is_told_once_a_minute(state):
    told = [at for at in range(0, 600, 5) if state.log_line(ServerFault("boom"), NOW + at)]
    assert told == list(range(0, 600, 60))


def test_a_status_that_lasts_is_told_once(state):
    assert [bool(state.log_line(video("queued"), NOW + at)) for at in (0, 100, 1000)] == [True, False, False]


def test_what_is_remembered_repeats_no_word_of_the_server(state):
    state.log_line(ServerFault("your prompt was: a secret boat"), NOW)
    assert "boat" not in str(encode(state))


class TestInterval:
    def test_it_stays(self):
        assert next_interval(15, waited=1000) == 15

    def test_it_grows_to_about_what_was_waited(self):
        for waited in (0, 10, 100, 1000):
            base = max(15 / 2, waited)
            interval = next_interval(15, waited, exponential_backoff=True)
            assert base * 0.66 < interval < base * 1.34

    def test_it_is_capped(self):
        assert next_interval(15, 10_000, exponential_backoff=True, max_wait=60) == 60
        assert next_interval(90, 0, max_wait=60) == 90

    def test_the_first_question_comes_any_time_within_it(self):
        moments = [first_due(NOW, 10) for _ in range(1000)]
        assert NOW < min(moments) < NOW + 2
        assert NOW + 9 < max(moments) <= NOW + 10

    def test_the_next_ones_keep_the_pace_and_lose_the_step(self):
        due = now = NOW
        moments = []
        for _ in range(1000):
            now = due + 0.3  # it hears a little late each time
            due = next_due(now, due, 10)
            moments.append(due)
        assert (moments[-1] - NOW) / 1000 == pytest.approx(10, rel=0.02)
        assert len({round(moment % 10) for moment in moments}) > 5

    def test_hearing_very_late_does_not_make_it_hurry(self):
        assert next_due(NOW + 100, NOW, 10) == NOW + 105

    def test_hearing_early_puts_the_next_one_off_for_a_whole_interval(self):
        assert next_due(NOW, NOW + 5, 10) >= NOW + 9

    def test_what_the_server_asks_for_is_obeyed_within_reason(self):
        assert capped_retry_after(None) == 0
        assert capped_retry_after(120) == 120
        assert capped_retry_after(999_999_999) == LONGEST_RETRY_AFTER


def test_a_reason_does_not_repeat_the_prompt(state):
    answer = video("failed", prompt="A secret boat", error="'A secret boat' was blocked")
    with pytest.raises(VideoFailed, match="was blocked") as caught:
        state.update(answer, NOW)
    assert "secret" not in str(caught.value)
