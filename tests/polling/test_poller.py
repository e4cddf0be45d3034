"""Many waits and one poller, against the emulator, in a loop where sleeping takes no time."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.errors import Busy, InvalidRequest, VideosError
from airflow_provider_videos.emulator import Answer, Drop, Emulator, Fault, Latency, Stuck
from airflow_provider_videos.polling.listing import Listing
from airflow_provider_videos.polling.poller import _pollers
from airflow_provider_videos.polling.session import Session
from tests.polling.conftest import INTERVAL, Waits

ALWAYS = {"times": None}


def polls(emulator):
    return emulator.record.requests["retrieve"] + emulator.record.requests["list"]


def listed(waits):
    return [answer.listed for answer in waits.answers]


class TestManyWaitsAreOneClient:
    def test_few_connections_and_pages_instead_of_questions(self, run, buy, waits, videos_emulator):
        videos = buy(200)
        before = videos_emulator.record.connections
        run(waits.all(videos))
        heard = len(listed(waits))
        assert videos_emulator.record.connections - before <= 8
        assert waits.reads == 1
        assert heard > 200 * 5
        # Each video is asked for itself when it has ended, and one more in each round.
        assert polls(videos_emulator) - 200 < heard / 10
        assert max(waits.ages()) < 2 * INTERVAL

    def test_no_interval_at_all_is_one(self, run, buy, waits, videos_emulator):
        waits.interval = 0
        videos = buy(2)
        videos_emulator.clock.advance(99.9)
        run(waits.all(videos))
        assert {waits.heard[video][-1][1].status for video in videos} == {"completed"}

    def test_few_waits_ask_for_their_videos(self, run, buy, waits, videos_emulator):
        run(waits.all(buy(3)))
        assert videos_emulator.record.requests["list"] == 0
        assert not any(listed(waits))

    def test_they_do_not_poll_in_step(self, run, buy, waits, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=404), operation="list", **ALWAYS))
        videos = buy(100)
        begin = videos_emulator.clock.now()
        run(waits.all(videos))
        moments = [one.at - begin for one in videos_emulator.record.exchanges if one.operation == "retrieve"]
        for second in range(1, 20):
            at_once = sum(second <= moment < second + 1 for moment in moments)
            assert at_once < 2.5 * len(videos) / INTERVAL

    def test_waits_join_and_leave_at_any_time(self, run, buy, waits, videos_emulator):
        first, *others = buy(20)

        async def main():
            leaver = asyncio.create_task(waits.wait(first))
            await asyncio.sleep(7)
            rest = asyncio.create_task(waits.all(others))
            await asyncio.sleep(7)
            leaver.cancel()
            await asyncio.gather(leaver, return_exceptions=True)
            assert _pollers[asyncio.get_running_loop()]["videos_default"].waits == len(others)
            await rest

        run(main())
        assert waits.reads == 1
        assert set(others) <= set(waits.heard)

    def test_one_in_the_middle_of_a_question_leaves_alone(self, run, buy, waits, videos_emulator):
        videos = buy(3)
        videos_emulator.inject(Fault(Latency(seconds=0.05), operation="retrieve", **ALWAYS))

        async def main():
            leaver, *others = [asyncio.create_task(waits.wait(video)) for video in videos]
            await asyncio.get_running_loop().asked.wait()
            leaver.cancel()
            await asyncio.gather(*others)

        run(main())
        assert waits.errors() == set()

    def test_nothing_outlives_the_last_and_the_next_begins_anew(self, run, buy, waits):
        videos = buy(10)

        async def main():
            loop = asyncio.get_running_loop()
            for part in (videos[:5], videos[5:]):
                await waits.all(part)
                assert _pollers[loop] == {}
                assert asyncio.all_tasks() == {asyncio.current_task()}
                assert not loop.sockets

        run(main())
        assert waits.reads == 2

    def test_a_wait_that_is_cancelled_twice_leaves_nothing_either(self, run, buy, waits, videos_emulator):
        videos_emulator.inject(Fault(Latency(seconds=0.05), operation="retrieve", **ALWAYS))
        (video,) = buy(1)

        async def main():
            wait = asyncio.create_task(waits.wait(video))
            await asyncio.get_running_loop().asked.wait()
            wait.cancel()
            await asyncio.sleep(0)
            wait.cancel()
            await asyncio.gather(wait, return_exceptions=True)
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

        run(main())

    def test_two_waits_for_one_video_share_its_answers(self, run, buy, waits, videos_emulator):
        (video,) = buy(1)
        run(waits.all([video] * 3))
        assert len(waits.heard[video]) > videos_emulator.record.requests["retrieve"]

    def test_connections_do_not_share_a_poller(self, run, buy, waits):
        other = Waits(waits.endpoint, conn_id="other")
        videos = buy(2)

        async def main():
            await asyncio.gather(waits.all(videos[:1]), other.all(videos[1:]))

        run(main())
        assert (waits.reads, other.reads) == (1, 1)


class TestAFaultIsOneWaitS:
    def test_an_id_that_cannot_be_asked_for(self, run, buy, waits):
        videos = buy(5)

        async def main():
            bad = asyncio.create_task(waits.all(["..."]))
            await waits.all(videos)
            bad.cancel()
            await asyncio.gather(bad, return_exceptions=True)

        run(main())
        assert {type(answer) for _, answer in waits.heard["..."]} == {InvalidRequest}
        assert all(waits.heard[video][-1][1].has_ended for video in videos)

    def test_a_connection_that_cannot_be_read_is_told_to_who_asks(self, run, waits):
        async def broken():
            raise RuntimeError("the secrets backend is down")

        waits.connect = broken
        with pytest.raises(RuntimeError, match="secrets backend"):
            run(waits.wait("video"))

    def test_a_video_the_server_fails_on(self, run, buy, waits, videos_emulator):
        sick, *others = buy(30)
        videos_emulator.inject(Fault(Answer(status=500), path=f"/v1/videos/{sick}", times=20))
        run(waits.all([sick, *others]))
        errors = {
            video
            for video, answers in waits.heard.items()
            if any(isinstance(answer, VideosError) for _, answer in answers)
        }
        assert errors <= {sick}


def page(videos, **fields):
    return {"data": [{"id": video, "object": "video", **fields} for video in videos], "has_more": False}


class TestTheListIsOnlyAHint:
    """Whatever the list says or lacks, every wait hears in time, and no wrong end."""

    @pytest.fixture
    def videos(self, buy):
        return buy(40)

    @pytest.fixture
    def hear(self, run, waits, videos):
        def hear():
            run(waits.all(videos))
            assert max(waits.ages()) <= 2 * INTERVAL
            assert waits.errors() <= {"ServerFault"}

        return hear

    @pytest.mark.parametrize("status", [400, 404, 405, 422, 500, 501])
    def test_there_is_none(self, hear, videos_emulator, status):
        videos_emulator.inject(Fault(Answer(status=status), operation="list", **ALWAYS))
        hear()
        assert videos_emulator.record.requests["list"] < 100

    def test_it_knows_other_ids(self, hear, videos_emulator):
        other = page([f"other_{number}" for number in range(100)], status="in_progress")
        videos_emulator.inject(Fault(Answer(status=200, body=other), operation="list", **ALWAYS))
        hear()
        assert videos_emulator.record.requests["list"] <= 4

    @pytest.mark.parametrize("fields", [{}, {"status": "warming"}], ids=["no status", "unknown status"])
    def test_it_says_nothing(self, hear, videos, videos_emulator, fields):
        answer = Answer(status=200, body=page(videos, **fields))
        videos_emulator.inject(Fault(answer, operation="list", **ALWAYS))
        hear()

    def test_it_is_a_bare_array_without_pages(self, hear, videos, waits, videos_emulator):
        answer = Answer(status=200, body=page(videos, status="in_progress")["data"])
        videos_emulator.inject(Fault(answer, operation="list", times=8))
        hear()
        assert any(listed(waits))

    def test_it_takes_no_such_limit(self, hear, waits, videos_emulator):
        videos_emulator.inject(Fault(Answer(status=422), operation="list"))
        hear()
        assert any(listed(waits))
        limits = [one.query for one in videos_emulator.record.exchanges if one.operation == "list"]
        assert "limit=100" in limits[0]
        assert "limit" not in limits[1]

    @pytest.mark.parametrize("status", ["completed", "failed", "expired"])
    def test_it_announces_an_end_that_is_none(self, hear, videos, waits, videos_emulator, status):
        videos_emulator.inject(
            Fault(Answer(status=200, body=page(videos, status=status)), operation="list", **ALWAYS)
        )
        hear()
        assert {answers[-1][1].status for answers in waits.heard.values()} == {"completed"}

    def test_it_never_hears_of_an_end(self, run, videos, waits, videos_emulator):
        stale = Answer(status=200, body=page(videos, status="in_progress"))
        videos_emulator.inject(Fault(stale, operation="list", **ALWAYS))
        run(waits.all(videos))
        # The longest job takes 100 s; a list that is behind is found out by asking for single videos.
        ends = [answers[-1][0] for answers in waits.heard.values()]
        assert max(ends) < 100 + 10 * INTERVAL

    @pytest.mark.parametrize(("others", "pays"), [(300, True), (1100, False)])
    def test_ours_are_buried_under_others(self, hear, buy, waits, videos_emulator, others, pays):
        buy(others)
        videos_emulator.record.clear()
        hear()
        assert any(listed(waits)) is pays
        # 40 questions pay for ten pages: then the list is left alone.
        assert pays or videos_emulator.record.requests["list"] == 10

    def test_it_takes_for_ever(self, run, videos, waits, monkeypatch):
        async def stuck(self, video_ids, checked):
            await asyncio.sleep(1000)
            for page in ():
                yield page

        monkeypatch.setattr(Listing, "read", stuck)
        run(waits.all(videos))
        assert max(waits.ages()) <= 2 * INTERVAL


class TestManners:
    def test_what_the_server_asks_for_holds_for_the_whole_connection(self, run, buy, waits, videos_emulator):
        videos = buy(50)
        answer = Answer(status=429, headers={"Retry-After": "60"})
        videos_emulator.inject(Fault(answer, operation="retrieve", nth=10))
        begin = videos_emulator.clock.now()
        run(waits.all(videos))
        exchanges = [one for one in videos_emulator.record.exchanges if one.operation != "create"]
        (refused_at,) = [one.at for one in exchanges if one.status == 429]
        # What was on its way at that moment has the same time stamp.
        assert not [one for one in exchanges if refused_at < one.at < refused_at + 60]
        told = [
            video
            for video, answers in waits.heard.items()
            if any(isinstance(answer, Busy) for _, answer in answers)
        ]
        still_waiting = [v for v, answers in waits.heard.items() if answers[-1][0] > refused_at + 60 - begin]
        assert set(still_waiting) <= set(told)

    def test_another_connection_is_not_held_back(self, run, buy, waits):
        with Emulator(job_seconds=60, clock=None, api_key="test-key") as busy:
            busy.inject(Fault(Answer(status=429, headers={"Retry-After": "600"}), **ALWAYS))
            held = Waits(waits.endpoint, conn_id="busy")
            held.rotate(base_url=busy.base_url)
            videos = buy(5)

            async def main():
                other = asyncio.create_task(held.all(["some", "others"]))
                await waits.all(videos)
                other.cancel()
                await asyncio.gather(other, return_exceptions=True)

            run(main())
            assert busy.record.requests["retrieve"] <= 2
        assert waits.errors() == set()

    @pytest.mark.parametrize("lists", [True, False])
    def test_a_connection_can_set_a_pace(self, run, buy, waits, videos_emulator, lists):
        if not lists:
            videos_emulator.inject(Fault(Answer(status=404), operation="list", **ALWAYS))
        videos = buy(60)
        videos_emulator.record.clear()
        waits.rotate(requests_per_minute=30)
        run(waits.all(videos))
        moments = [one.at for one in videos_emulator.record.exchanges]
        for begin in moments:
            assert sum(begin <= moment < begin + 60 for moment in moments) <= 31

    def test_an_outage_costs_few_requests_and_is_told_to_all(self, run, buy, waits, videos_emulator):
        videos = buy(50)

        async def main():
            waiting = asyncio.create_task(waits.all(videos))
            await asyncio.sleep(10)
            videos_emulator.inject(Fault(Drop(), **ALWAYS))
            videos_emulator.record.clear()
            await asyncio.sleep(600)
            assert len(videos_emulator.record.exchanges) < 2 * 600 / INTERVAL + 30
            videos_emulator.clear_faults()
            await waiting

        run(main())
        in_the_dark = [
            sum(isinstance(answer, VideosError) for _, answer in answers) for answers in waits.heard.values()
        ]
        assert min(in_the_dark) > 100


class TestWhetherItServesOthers:
    @pytest.fixture
    def session(self, run, waits):
        def session(main):
            async def opened():
                session = Session(waits.connect)
                try:
                    return await main(session)
                finally:
                    await session.aclose()

            return run(opened())

        return session

    @staticmethod
    async def told(session, video):
        await session.check_models(video)
        return session.serves_others(video)

    @pytest.mark.parametrize(
        ("status", "serves"), [(200, True), (500, False), (429, False), (404, None), (405, None), (401, None)]
    )
    def test_its_models_tell_or_do_not(self, session, videos_emulator, status, serves):
        if status != 200:
            videos_emulator.inject(Fault(Answer(status=status), operation="models", **ALWAYS))

        async def main(session):
            return [await self.told(session, "sick") for _ in range(9)]

        assert session(main) == [serves] * 9
        assert videos_emulator.record.requests["models"] == 1

    def test_an_answer_about_another_video_tells_for_a_minute(self, session, buy, videos_emulator):
        sick, other = buy(2)
        videos_emulator.inject(Fault(Answer(status=404), operation="models", **ALWAYS))

        async def main(session):
            told = [await self.told(session, sick)]
            await session.perform(requests.retrieve(other))
            told += [await self.told(session, sick), await self.told(session, other)]
            await asyncio.sleep(61)
            return [*told, await self.told(session, sick)]

        assert session(main) == [None, True, None, None]

    def test_what_is_a_minute_old_is_not_known(self, session):
        async def main(session):
            told = [await self.told(session, "sick")]
            await asyncio.sleep(61)
            return [*told, session.serves_others("sick"), await self.told(session, "sick")]

        assert session(main) == [True, None, True]


class TestReplicas:
    @pytest.fixture
    def videos_emulator(self, clock):
        with Emulator(clock=clock, job_seconds=100, replicas=2, balance="connection", seed=7) as emulator:
            yield emulator

    def test_a_fresh_connection_reaches_the_one_that_knows(self, run, buy, waits):
        for video in buy(6):
            run(waits.wait(video, misses=True))
        for answers in waits.heard.values():
            assert {type(answer).__name__ for _, answer in answers} == {"Video", "NotFound"}

    def test_a_question_that_goes_out_afresh_is_not_left_to_the_list(self, run, buy, waits, videos_emulator):
        async def main():
            await asyncio.gather(*(waits.wait(video, misses=True) for video in buy(20)))

        run(main())
        assert not any(listed(waits))
        assert videos_emulator.record.requests["list"] == 0


class TestTheConnectionIsReadAgain:
    def test_when_the_key_is_refused(self, run, buy, waits):
        videos = buy(20)
        right = waits.endpoint
        waits.rotate(api_key="the-key-of-yesterday")
        seen = []

        async def connect():
            seen.append(None)
            return right if len(seen) > 1 else waits.endpoint

        waits.connect = connect
        run(waits.all(videos))
        assert waits.errors() == set()

    def test_but_one_that_stays_wrong_is_told(self, run, buy, waits):
        (video,) = buy(1)
        waits.rotate(api_key="the-key-of-yesterday")

        async def main():
            waiting = asyncio.create_task(waits.wait(video))
            await asyncio.sleep(INTERVAL)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

        run(main())
        assert waits.errors() == {"Unauthorized"}
        assert waits.reads == 2

    def test_every_few_minutes(self, run, buy, waits, videos_emulator):
        with Emulator(clock=videos_emulator.clock) as moved:
            videos = buy(2)

            async def main():
                waiting = asyncio.create_task(waits.all(videos))
                await asyncio.sleep(20)
                waits.rotate(base_url=moved.base_url)
                await asyncio.sleep(300)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

            videos_emulator.inject(Fault(Answer(status=500), operation="retrieve", **ALWAYS))
            run(main())
            assert moved.record.requests["retrieve"] > 0
        assert waits.reads == 2

    def test_and_one_that_cannot_be_read_just_now_is_kept(self, run, buy, waits, videos_emulator):
        videos_emulator.inject(Fault(Stuck(), **ALWAYS))
        read, tries = waits.connect, []

        async def connect():
            tries.append(None)
            if len(tries) > 1:
                raise RuntimeError("the secrets backend is down")
            return await read()

        async def main():
            waiting = asyncio.create_task(waits.all(buy(2)))
            await asyncio.sleep(1000)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

        waits.connect = connect
        run(main())
        assert len(tries) > 2
        assert waits.errors() == set()
