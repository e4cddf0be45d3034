from __future__ import annotations

import pytest

from airflow_provider_videos.api.errors import (
    Busy,
    NotConnected,
    NotFound,
    ServerFault,
    TransportError,
    Unauthorized,
    Unreadable,
    VideoFailed,
    VideoLost,
)
from airflow_provider_videos.api.models import Video
from airflow_provider_videos.polling.watch import (
    LONGEST_RETRY_AFTER,
    Watch,
    first_due,
    next_due,
    next_interval,
    obeyed,
)

NOW = 1_000_000.0


def video(status: str, **fields) -> Video:
    return Video.model_validate({"id": "v", "status": status, **fields})


@pytest.fixture
def watch() -> Watch:
    return Watch("v", started_at=NOW)


@pytest.mark.parametrize("status", ["queued", "in_progress", "processing", "never heard of", "", None])
def test_a_wait_goes_on(watch, status):
    assert watch.take(video(status, progress=100), NOW) is False


@pytest.mark.parametrize("status", ["completed", "succeeded"])
def test_a_wait_ends_with_the_video_whatever_its_progress(watch, status):
    assert watch.take(video(status, progress=99), NOW) is True


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired", "deleted"])
def test_a_wait_ends_with_the_server_s_words(watch, status):
    problem = {"code": "moderation_blocked", "message": "No."}
    with pytest.raises(VideoFailed, match=rf"ended as {status}: No\.") as caught:
        watch.take(video(status, error=problem), NOW)
    assert caught.value.code == "moderation_blocked"
    assert caught.value.video_id == "v"


def test_a_server_may_give_no_reason(watch):
    with pytest.raises(VideoFailed, match="gave no reason"):
        watch.take(video("failed"), NOW)


@pytest.mark.parametrize("kind", [TransportError, NotConnected, ServerFault, Busy, Unreadable])
def test_what_passes_is_waited_out(watch, kind):
    assert [watch.take(kind("oops"), NOW + at) for at in range(100)] == [False] * 100


def test_what_does_not_pass_is_raised_unless_told_to_be_patient(watch):
    error = Unauthorized("no")
    with pytest.raises(Unauthorized):
        watch.take(error, NOW)
    assert Watch("v", NOW, patient=True).take(error, NOW) is False


@pytest.mark.parametrize(
    ("times", "lost"),
    [
        ([0, 29, 29.9], False),
        ([0, 15], False),
        ([0, 100], False),
        ([0, 15, 30], True),
        ([0, 1, 2, 3, 31], True),
    ],
)
def test_a_video_is_lost_after_several_answers_over_some_time(watch, times, lost):
    *first, last = times
    for at in first:
        assert watch.take(NotFound("no such video"), NOW + at) is False
    if not lost:
        assert watch.take(NotFound("no such video"), NOW + last) is False
        return
    with pytest.raises(VideoLost, match="the video is lost"):
        watch.take(NotFound("no such video"), NOW + last)


@pytest.mark.parametrize("sign", [video("queued"), ServerFault("oops")])
def test_any_other_answer_starts_the_count_again(watch, sign):
    for at in (0, 20):
        watch.take(NotFound("no"), NOW + at)
    watch.take(sign, NOW + 25)
    for at in (40, 60):
        assert watch.take(NotFound("no"), NOW + at) is False


def test_what_is_remembered_survives_a_process(watch):
    for at in (0, 20):
        watch.take(NotFound("no"), NOW + at)
    watch.news(video("queued"), NOW)
    again = Watch(**watch.record())
    assert again == watch
    with pytest.raises(VideoLost):
        again.take(NotFound("no"), NOW + 40)


def test_there_is_a_line_for_each_change_and_only_for_it(watch):
    answers = [
        video("queued", progress=0),
        video("queued", progress=0),
        video("in_progress", progress=37.4),
        ServerFault("boom"),
        ServerFault("boom"),
        video("warming"),
        video("completed", progress=100),
    ]
    lines = [watch.news(answer, NOW + 10 * at) for at, answer in enumerate(answers)]
    assert lines == [
        "Video v: queued, 0 %, 0 s waited",
        None,
        "Video v: in_progress, 37 %, 20 s waited",
        "Video v: no news but ServerFault, asking again (boom), 30 s waited",
        None,
        "Video v: warming (unknown to this provider: asking until the deadline), 50 s waited",
        "Video v: completed, 100 %, 60 s waited",
    ]


def test_trouble_that_lasts_is_told_once_a_minute(watch):
    told = [at for at in range(0, 600, 5) if watch.news(ServerFault("boom"), NOW + at)]
    assert told == list(range(0, 600, 60))


def test_a_status_that_lasts_is_told_once(watch):
    assert [bool(watch.news(video("queued"), NOW + at)) for at in (0, 100, 1000)] == [True, False, False]


def test_what_is_remembered_repeats_no_word_of_the_server(watch):
    watch.news(ServerFault("your prompt was: a secret boat"), NOW)
    assert "boat" not in str(watch.record())


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
        assert obeyed(None) == 0
        assert obeyed(120) == 120
        assert obeyed(999_999_999) == LONGEST_RETRY_AFTER


def test_a_reason_does_not_repeat_the_prompt(watch):
    answer = video("failed", prompt="A secret boat", error="'A secret boat' was blocked")
    with pytest.raises(VideoFailed, match="was blocked") as caught:
        watch.take(answer, NOW)
    assert "secret" not in str(caught.value)


def test_a_record_of_another_release_is_read(watch):
    assert Watch.from_record({**watch.record(), "later": 1}) == watch
    assert Watch.from_record({"video_id": "v", "started_at": NOW}) == watch
