"""The sensor: the only class that waits."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_videos.adapters.names import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    TaskDeferralTimeout,
    conf,
)
from airflow_provider_videos.adapters.state import tidy_after_success
from airflow_provider_videos.adapters.templates import PlainMappedData
from airflow_provider_videos.api.clock import default_clock
from airflow_provider_videos.api.errors import (
    NotFound,
    ServerFault,
    TransportError,
    Unreadable,
    VideoFailed,
    VideoLost,
    VideosError,
    VideoUnavailable,
)
from airflow_provider_videos.sensors.deferral import ends_in_triggerer, start_in_triggerer, trigger_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_videos.adapters.names import Context, StartTriggerArgs
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.polling.wait_state import WaitState
    from airflow_provider_videos.sensors.record import WaitRecord
    from airflow_provider_videos.sensors.status import StatusReader


class VideoSensor(PlainMappedData, BaseSensorOperator):
    """
    Wait until a video is completed and return its id.

    A video that failed, is lost or can't be asked for fails the task at once, whatever ``retries`` says:
    waiting again would not bring it back. One that failed is pushed as ``video`` all the same, for tasks that
    decide about another attempt.
    Errors of the server on the way are waited out until the deadline. Deferred, in poke and in reschedule
    mode the outcome is the same.

    :param video_id: the id that the purchase returned. (templated)
    :param poke_interval: seconds, or a ``timedelta``, between two questions; 15 by default.
    :param timeout: seconds, or a ``timedelta``, until the wait is given up. The video lives on at the server.
        A retry starts the clock anew, except in ``mode="reschedule"``, where Airflow counts from the first
        try.
    :param deferrable: whether to wait in the triggerer, without a worker; Airflow's
        ``[operators] default_deferrable`` by default.
    :param soft_fail: whether to skip instead of fail when the video failed, is lost, or the time is up.
    :param exponential_backoff: whether intervals grow.
    :param max_wait: seconds, or a ``timedelta``: the longest interval.
    :param execution_timeout: Airflow's own limit for a try, a ``timedelta``; kept while deferred, too.
    :param cancel_on_kill: whether the video is deleted on the server when this task is failed from outside
        while it waits: by a user, or by Airflow for good, such as with ``fail_fast``. Not in
        ``mode="reschedule"``, where nobody is there to notice. Nothing else deletes it: no retry, no clear,
        no restart of a triggerer or a worker.
    :param cancel_on_timeout: whether it is deleted when ``timeout`` has passed.
    :param start_from_trigger: whether the wait begins in the triggerer, without a worker; for deferrable
        sensors. Where that cannot be, as in a mapped sensor, it begins on a worker, and a warning says why.
    :param end_from_trigger: whether a completed video ends the task in the triggerer, without a worker; for
        deferrable sensors. Then the task returns nothing: what comes after it takes the id from where the
        sensor did, and no asset event is made. Any other end still goes to a worker. Airflow refuses it
        where listeners are registered; then a warning says so and the end goes to a worker.
    :param videos_conn_id: the connection to the server. (templated)
    :raises AirflowFailException: if the video failed or is lost.
    :raises AirflowSensorTimeout: if the time is up.
    """

    template_fields: Sequence[str] = ("video_id", "videos_conn_id")

    start_from_trigger = False
    start_trigger_args: StartTriggerArgs | None = None

    _task_instance: Any = None
    _record: WaitRecord | None = None

    def __init__(
        self,
        *,
        video_id: str,
        poke_interval: timedelta | float = 15,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        cancel_on_kill: bool = False,
        cancel_on_timeout: bool = False,
        start_from_trigger: bool = False,
        end_from_trigger: bool = False,
        videos_conn_id: str = "videos_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        if cancel_on_kill and self.reschedule and not deferrable:
            raise ValueError(
                "cancel_on_kill has no effect in mode='reschedule', where no process waits: set "
                "deferrable=True or mode='poke'"
            )
        if self.reschedule:
            tidy_after_success(self, _wait_keys)
        self.video_id = video_id
        self.deferrable = deferrable
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.videos_conn_id = videos_conn_id
        self.end_from_trigger = deferrable and end_from_trigger and ends_in_triggerer(self)
        if deferrable and start_from_trigger:
            start_in_triggerer(self)

    def execute(self, context: Context) -> Any:
        """Look once; then wait, in the triggerer if deferrable."""
        self._task_instance = context["ti"]
        with self._outcomes():
            _read_id(self)
            if not self.deferrable:
                return self._poke_until_late(context)
            watch = self._new_watch()
            video = self._look(context, watch)
            return self._defer(watch) if video is None else self._push(context, video)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """
        Take up the task where the trigger left it: the server itself is asked what became of the video.

        :param context: Airflow's context.
        :param event: what the trigger fired.
        """
        status = event["status"]
        if status == "lost":
            raise AirflowFailException(event["error"])
        video = self._look_again(context, status)
        if video is not None:
            return self._push(context, video)
        if status == "timeout":
            raise AirflowTaskTimeout(self._too_late()) if self._tries_end_first else AirflowSensorTimeout
        raise _without_video(self._status, status, event["error"] or status)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume with the same outcomes as the other modes, also where Airflow's own clock ended the wait."""
        from airflow_provider_videos.adapters.triggerer import resume

        self._task_instance = context["ti"]
        with self._outcomes():
            _read_id(self)
            try:
                # Not the sensors' own method: its soft_fail also skips what the other modes fail on.
                return resume(self, next_method, next_kwargs, context)
            except TaskDeferralTimeout:
                return self.execute_complete(context, {"status": "timeout"})

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Ask the server once.

        :param context: Airflow's context.
        """
        from airflow_provider_videos.sensors.record import save

        record, watch = self._load(context)
        video = self._look(context, watch)
        if video is not None:
            return PokeReturnValue(is_done=True, xcom_value=self._push(context, video))
        if self.reschedule:
            save(context, record)
        return PokeReturnValue(is_done=False)

    def _poke_until_late(self, context: Context) -> Any:
        """Wait as Airflow's sensors do, and do not let another replica's answer be the last one."""
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException) as end:
            if end.__cause__ or not isinstance(self._status.answer, NotFound):
                raise
            video = self._look_again(context, "timeout")
            if video is None:
                raise
            return self._push(context, video)

    def on_kill(self) -> None:
        """
        Delete the video if that was asked for and a user has failed the task.

        Airflow also calls this when a worker is stopped, so it is asked whether the task was marked failed.
        """
        from airflow_provider_videos.adapters.task_states import was_marked_failed

        if self.cancel_on_kill and was_marked_failed(self._task_instance):
            self.log.info(self._status.delete())
            # Airflow would go on with the wait where the signal has interrupted it.
            raise AirflowFailException(f"Stopped waiting for video {self.video_id}: the task was failed")

    @cached_property
    def _status(self) -> StatusReader:
        from airflow_provider_videos.sensors.status import StatusReader

        return StatusReader(self.video_id, self.videos_conn_id)

    @property
    def _tries_end_first(self) -> bool:
        return self.try_timeout < self.timeout

    @property
    def try_timeout(self) -> float:
        """How long one try waits, in seconds; Airflow itself limits only tries that are not deferred."""
        limited = self.deferrable and self.execution_timeout
        return min(limited.total_seconds(), self.timeout) if limited else self.timeout

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        from airflow_provider_videos.polling.wait_state import LONGEST_INTERVAL_WHILE_MISSING

        interval = super()._get_next_poke_interval(*args, **kwargs)
        if isinstance(self._status.answer, NotFound):
            interval = min(interval, LONGEST_INTERVAL_WHILE_MISSING)
        return max(self._status.retry_after, interval)

    def _defer(self, watch: WaitState) -> NoReturn:
        from airflow_provider_videos.triggers.videos import VideoTrigger

        interval = max(self.poke_interval, self._status.retry_after)
        self.defer(
            trigger=VideoTrigger(
                video_id=self.video_id,
                started_at=watch.started_at,
                deadline=watch.started_at + self.try_timeout,
                shown=watch.shown,
                **trigger_options(self) | {"poke_interval": interval},
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.try_timeout),
        )

    def _look_again(self, context: Context, status: str) -> Video | None:
        """Ask, each time on a fresh connection, until the answer is not another replica's or an accident."""
        from airflow_provider_videos.polling import wait_state

        clock = default_clock()
        until = clock.monotonic() + wait_state.LOOKS_SECONDS
        # Once the time is up only a 404 is looked at again, which a call does not repeat by itself.
        attempts = None if status == "timeout" else 1
        for _ in range(wait_state.LOOKS):
            video = self._look(context, self._new_watch(), quiet=True, fresh=True, attempts=attempts)
            if video is not None or not wait_state.needs_another_look(self._status.answer, status):
                return video
            pause = wait_state.pause_before_look(self._status.answer, self._status.retry_after)
            if clock.monotonic() + pause > until:
                break
            clock.sleep(pause)
        return None

    def _look(
        self,
        context: Context,
        watch: WaitState,
        *,
        quiet: bool = False,
        fresh: bool = False,
        attempts: int | None = 1,
    ) -> Video | None:
        """Ask the server once; return the video if it is there."""
        answer = self._status.retrieve(fresh=fresh or watch.is_missing, attempts=attempts)
        serves_others = self._status.ask_for_others() if watch.is_faulty else None
        try:
            done = watch.update(answer, default_clock().now(), serves_others=serves_others)
        except (VideoFailed, VideoLost, VideoUnavailable) as end:
            if isinstance(end, VideoFailed) and not isinstance(answer, VideosError):
                _push_failed(context, answer, end)
            raise AirflowFailException(str(end)) from end
        line = watch.log_line(answer, default_clock().now())
        if line and not quiet:
            self.log.info(line)
        return answer if done and not isinstance(answer, VideosError) else None

    def _push(self, context: Context, video: Video) -> str:
        context["ti"].xcom_push("video", video.contract())
        return self.video_id

    def _new_watch(self) -> WaitState:
        from airflow_provider_videos.polling.wait_state import WaitState

        return WaitState(self.video_id, default_clock().now(), patient=self.silent_fail)

    def _load(self, context: Context) -> tuple[WaitRecord, WaitState]:
        """Return what this try knows of its wait; in reschedule mode each poke is a new process."""
        from airflow_provider_videos.sensors.record import WaitRecord, load

        if self._record is None:
            self._record = load(context, self.video_id) if self.reschedule else WaitRecord()
        watch = self._record.watch = self._record.watch or self._new_watch()
        watch.patient = self.silent_fail
        return self._record, watch

    @contextmanager
    def _outcomes(self) -> Iterator[None]:
        """Make a bad end the same one in every mode, whichever of Airflow's classes has met it first."""
        try:
            yield
        except AirflowSkipException as skip:
            # The base class skips by itself; the reason is behind it, unless the time was up.
            raise AirflowSkipException(str(skip.__cause__ or self._give_up())) from skip.__cause__
        except AirflowSensorTimeout:
            raise _outcome(self._give_up(), skips=self.soft_fail or self.never_fail) from None
        except AirflowFailException as error:
            raise _outcome(error, skips=self.soft_fail or self.never_fail) from error.__cause__
        except VideosError as error:
            raise _outcome(error, skips=self.never_fail) from error.__cause__
        finally:
            self._status.close()

    def _give_up(self) -> AirflowSensorTimeout:
        if self.cancel_on_timeout:
            self.log.info(self._status.delete())
        return AirflowSensorTimeout(self._too_late())

    def _too_late(self) -> str:
        from airflow_provider_videos.polling.wait_state import late_because

        late = f"Video {self.video_id} was not completed within {self.try_timeout:g} s"
        return late + late_because(
            self._status.answer, kept=not self.cancel_on_timeout or self._tries_end_first
        )


def _wait_keys() -> tuple[str, ...]:
    from airflow_provider_videos.sensors import record

    return (record.KEY,)


def _read_id(sensor: VideoSensor) -> None:
    """Hold the id to be a string: native rendering makes a Python value of what looks like one."""
    from airflow_provider_videos.api.requests import as_text

    try:
        sensor.video_id = as_text("video_id", sensor.video_id)
    except VideosError as error:
        raise AirflowFailException(str(error)) from error


def _without_video(server: StatusReader, status: str, reason: str) -> Exception:
    from airflow_provider_videos.polling.wait_state import unavailable, untold

    if status == "ended":
        return untold(server.answer, server.video_id)
    if status == "unavailable" and isinstance(server.answer, ServerFault | Unreadable):
        return AirflowFailException(str(unavailable(server.answer, server.video_id)))
    return TransportError(
        f"the triggerer stopped asking before the video was completed: {reason}", video_id=server.video_id
    )


def _push_failed(context: Context, video: Video, end: VideoFailed) -> None:
    from airflow_provider_videos.api.models import Phase

    # Only a job that failed has a reason; one that was stopped or has expired had its chance.
    reason = {"code": end.code, "message": end.message} if video.phase is Phase.FAILED else None
    context["ti"].xcom_push("video", {**video.contract(), "error": reason})


def _outcome(error: Exception, *, skips: bool) -> Exception:
    return AirflowSkipException(str(error)) if skips else error
