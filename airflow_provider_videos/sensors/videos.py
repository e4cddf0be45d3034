"""The sensor: the only class that waits."""

from __future__ import annotations

import math
import time
import warnings
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_videos.adapters.names import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseOperator,
    BaseSensorOperator,
    PokeReturnValue,
    TaskDeferralTimeout,
    conf,
)
from airflow_provider_videos.adapters.templates import PlainMappedData
from airflow_provider_videos.api.errors import (
    AnswerError,
    NotFound,
    ServerFault,
    TransportError,
    Unauthorized,
    Unreadable,
    VideoFailed,
    VideoLost,
    VideosError,
    VideoUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_videos.adapters.names import Context, StartTriggerArgs
    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.models import Video, VideoDeleted
    from airflow_provider_videos.polling.watch import Watch

_RECORD = "videos_wait"


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
    _client: VideosClient | None = None
    _watch: Watch | None = None
    _pause = 0.0  # what the server asked us to wait
    _answer: Video | VideosError | None = None  # what the server said last
    _serves_others: bool | None = None  # while it fails on this video
    _asked_for_others = -math.inf

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
        self.video_id = video_id
        self.deferrable = deferrable
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.videos_conn_id = videos_conn_id
        self.end_from_trigger = deferrable and end_from_trigger and not self._is_listened_to()
        if deferrable and start_from_trigger:
            self._start_from_trigger()

    def execute(self, context: Context) -> Any:
        """Look once; then wait, in the triggerer if deferrable."""
        self._task_instance = context["ti"]
        with self._outcomes():
            self._read_id()
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
        raise self._without_video(status, event["error"] or status)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume with the same outcomes as the other modes, also where Airflow's own clock ended the wait."""
        self._task_instance = context["ti"]
        with self._outcomes():
            self._read_id()
            try:
                # Not the sensors' own method: its soft_fail also skips what the other modes fail on.
                return BaseOperator.resume_execution(self, next_method, next_kwargs, context)
            except TaskDeferralTimeout:
                return self.execute_complete(context, {"status": "timeout"})

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Ask the server once.

        :param context: Airflow's context.
        """
        watch = self._recall(context)
        video = self._look(context, watch)
        if video is not None:
            return PokeReturnValue(is_done=True, xcom_value=self._push(context, video))
        self._keep(context, watch)
        return PokeReturnValue(is_done=False)

    def _without_video(self, status: str, reason: str) -> Exception:
        from airflow_provider_videos.polling.watch import unavailable, untold

        if status == "ended":
            return untold(self._answer, self.video_id)
        if status == "unavailable" and isinstance(self._answer, ServerFault | Unreadable):
            return AirflowFailException(str(unavailable(self._answer, self.video_id)))
        return TransportError(
            f"the triggerer stopped asking before the video was completed: {reason}", video_id=self.video_id
        )

    def _poke_until_late(self, context: Context) -> Any:
        """Wait as Airflow's sensors do, and do not let another replica's answer be the last one."""
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException) as end:
            if end.__cause__ or not isinstance(self._answer, NotFound):
                raise
            video = self._look_again(context, "timeout")
            if video is None:
                raise
            return self._push(context, video)

    def _read_id(self) -> None:
        """Hold the id to be a string: native rendering makes a Python value of what looks like one."""
        from airflow_provider_videos.api.requests import as_text

        try:
            self.video_id = as_text("video_id", self.video_id)
        except VideosError as error:
            raise AirflowFailException(str(error)) from error

    def on_kill(self) -> None:
        """Delete the video if it was told to and a user has failed the task; Airflow calls it for less."""
        from airflow_provider_videos.adapters.task_states import was_marked_failed

        if self.cancel_on_kill and was_marked_failed(self._task_instance):
            self._cancel()
            # Airflow would go on with the wait where the signal has interrupted it.
            raise AirflowFailException(f"Stopped waiting for video {self.video_id}: the task was failed")

    def _cancel(self) -> None:
        from airflow_provider_videos.polling.watch import cancellation

        server = self.videos_conn_id
        try:
            client = self._connect()
            server = client.endpoint.base_url
            answer: VideoDeleted | VideosError = client.delete(self.video_id)
        except VideosError as error:
            answer = error
        self.log.info(cancellation(self.video_id, server, answer))

    def _connect(self) -> VideosClient:
        """Return one client for all looks: a signal in the middle of asking Airflow for it would be lost."""
        from airflow_provider_videos.hooks.videos import VideosHook

        if self._client is None:
            self._client = VideosHook(self.videos_conn_id).get_conn()
        return self._client

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def _tries_end_first(self) -> bool:
        return self._patience < self.timeout

    @property
    def _patience(self) -> float:
        """How long one try waits, in seconds; Airflow itself limits only tries that are not deferred."""
        limited = self.deferrable and self.execution_timeout
        return min(limited.total_seconds(), self.timeout) if limited else self.timeout

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        from airflow_provider_videos.polling.watch import LONGEST_INTERVAL_WHILE_MISSING

        interval = super()._get_next_poke_interval(*args, **kwargs)
        if isinstance(self._answer, NotFound):
            interval = min(interval, LONGEST_INTERVAL_WHILE_MISSING)
        return max(self._pause, interval)

    def _defer(self, watch: Watch) -> NoReturn:
        from airflow_provider_videos.triggers.videos import VideoTrigger

        self.defer(
            trigger=VideoTrigger(
                video_id=self.video_id,
                started_at=watch.started_at,
                deadline=watch.started_at + self._patience,
                shown=watch.shown,
                **self._trigger_kwargs() | {"poke_interval": max(self.poke_interval, self._pause)},
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self._patience),
        )

    def _trigger_kwargs(self) -> dict[str, Any]:
        return {
            "videos_conn_id": self.videos_conn_id,
            "poke_interval": self.poke_interval,
            "exponential_backoff": self.exponential_backoff,
            "max_wait": self.max_wait.total_seconds() if self.max_wait else None,
            "silent_fail": self.silent_fail,
            "cancel_on_kill": self.cancel_on_kill,
            "timeout": self._patience,
            "end_from_trigger": self.end_from_trigger,
        }

    def _start_from_trigger(self) -> None:
        from airflow_provider_videos.adapters.triggerer import NeedsWorkerError, start_args

        try:
            self.start_trigger_args = start_args(
                self,
                trigger="airflow_provider_videos.triggers.videos.VideoTrigger",
                reference=("video_id", self.video_id),
                kwargs=self._trigger_kwargs(),
                next_method="execute_complete",
                timeout=timedelta(seconds=self._patience),
            )
        except NeedsWorkerError as reason:
            warnings.warn(f"{self.task_id}: {reason}. The wait starts on a worker.", stacklevel=4)
        else:
            self.start_from_trigger = True

    def _is_listened_to(self) -> bool:
        from airflow_provider_videos.adapters.triggerer import NeedsWorkerError, require_end_in_triggerer

        try:
            require_end_in_triggerer()
        except NeedsWorkerError as reason:
            warnings.warn(f"{self.task_id}: {reason}. The wait ends on a worker.", stacklevel=4)
            return True
        return False

    def _look_again(self, context: Context, status: str) -> Video | None:
        """Ask, each time on a fresh connection, until the answer is not another replica's or an accident."""
        from airflow_provider_videos.polling import watch

        until = time.monotonic() + watch.LOOKS_SECONDS
        for _ in range(watch.LOOKS):
            video = self._look(context, self._new_watch(), quiet=True, fresh=True)
            if video is not None or not watch.needs_another_look(self._answer, status):
                return video
            pause = watch.pause_before_look(self._answer, self._pause)
            if time.monotonic() + pause > until:
                break
            time.sleep(pause)
        return None

    def _look(
        self, context: Context, watch: Watch, *, quiet: bool = False, fresh: bool = False
    ) -> Video | None:
        """Ask the server once; return the video if it is there."""
        answer = self._answer = self._ask(fresh=fresh or watch.is_missing)
        serves_others = self._does_it_serve_others() if watch.is_faulty else None
        try:
            done = watch.take(answer, time.time(), serves_others=serves_others)
        except (VideoFailed, VideoLost, VideoUnavailable) as end:
            if isinstance(end, VideoFailed) and not isinstance(answer, VideosError):
                self._push_failed(context, answer, end)
            raise AirflowFailException(str(end)) from end
        line = watch.news(answer, time.time())
        if line and not quiet:
            self.log.info(line)
        return answer if done and not isinstance(answer, VideosError) else None

    def _ask(self, *, fresh: bool) -> Video | VideosError:
        from airflow_provider_videos.api import requests
        from airflow_provider_videos.polling.watch import obeyed

        self._pause = 0.0
        try:
            return self._connect().perform(requests.retrieve(self.video_id, fresh=fresh))
        except AnswerError as error:
            if isinstance(error, Unauthorized):
                self._disconnect()  # the key may have been changed since
            self._pause = obeyed(error.retry_after)
            return error
        except VideosError as error:
            return error

    def _does_it_serve_others(self) -> bool | None:
        """Ask the server for its models, once in a minute, to tell an outage from one bad video."""
        from airflow_provider_videos.polling.watch import REMIND_SECONDS, is_sound

        if time.monotonic() >= self._asked_for_others + REMIND_SECONDS:
            self._asked_for_others = time.monotonic()
            try:
                self._connect().list_models()
                self._serves_others = True
            except VideosError as error:
                self._serves_others = is_sound(error)
        return self._serves_others

    def _push_failed(self, context: Context, video: Video, end: VideoFailed) -> None:
        from airflow_provider_videos.api.models import Phase

        # Only a job that failed has a reason; one that was stopped or has expired had its chance.
        reason = {"code": end.code, "message": end.message} if video.phase is Phase.FAILED else None
        context["ti"].xcom_push("video", {**video.contract(), "error": reason})

    def _push(self, context: Context, video: Video) -> str:
        context["ti"].xcom_push("video", video.contract())
        return self.video_id

    def _new_watch(self) -> Watch:
        from airflow_provider_videos.polling.watch import Watch

        return Watch(self.video_id, time.time(), patient=self.silent_fail)

    def _recall(self, context: Context) -> Watch:
        """Return what this try knows of its wait; in reschedule mode each poke is a new process."""
        from airflow_provider_videos.adapters.state import TaskStore
        from airflow_provider_videos.polling.watch import Watch

        if self._watch is None:
            record = TaskStore(context).get(_RECORD) if self.reschedule else None
            if record and record["try_number"] == context["ti"].try_number:
                self._watch = Watch.from_record(record["watch"])
            else:
                self._watch = self._new_watch()
        return self._watch

    def _keep(self, context: Context, watch: Watch) -> None:
        from airflow_provider_videos.adapters.state import TaskStore

        if self.reschedule:
            record = {"try_number": context["ti"].try_number, "watch": watch.record()}
            TaskStore(context).set_for_now(_RECORD, record)

    @contextmanager
    def _outcomes(self) -> Iterator[None]:
        """Make a bad end the same one in every mode, whichever of Airflow's classes has met it first."""
        try:
            yield
        except AirflowSkipException as skip:
            # The base class skips by itself; the reason is behind it, unless the time was up.
            raise AirflowSkipException(str(skip.__cause__ or self._give_up())) from skip.__cause__
        except AirflowSensorTimeout:
            raise self._bad_end(self._give_up(), skips=self.soft_fail or self.never_fail) from None
        except AirflowFailException as error:
            raise self._bad_end(error, skips=self.soft_fail or self.never_fail) from error.__cause__
        except VideosError as error:
            raise self._bad_end(error, skips=self.never_fail) from error.__cause__
        finally:
            self._disconnect()

    def _bad_end(self, error: Exception, *, skips: bool) -> Exception:
        return AirflowSkipException(str(error)) if skips else error

    def _give_up(self) -> AirflowSensorTimeout:
        if self.cancel_on_timeout:
            self._cancel()
        return AirflowSensorTimeout(self._too_late())

    def _too_late(self) -> str:
        from airflow_provider_videos.polling.watch import late_because

        late = f"Video {self.video_id} was not completed within {self._patience:g} s"
        return late + late_because(self._answer, kept=not self.cancel_on_timeout or self._tries_end_first)
