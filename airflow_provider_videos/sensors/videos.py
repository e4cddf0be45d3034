"""The sensor: the only class that waits."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from airflow_provider_videos.api.errors import VideoFailed, VideoLost, VideosError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import Context

    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.polling.watch import Watch

_RECORD = "videos_wait"


class VideoSensor(BaseSensorOperator):
    """
    Wait until a video is completed and return its id.

    A failed or lost video fails the task at once, whatever ``retries`` says: waiting again would not bring
    it back. Errors of the server on the way are waited out until the deadline. Deferred, in poke and in
    reschedule mode the outcome is the same.

    :param video_id: the id that the purchase returned. (templated)
    :param poke_interval: seconds, or a ``timedelta``, between two questions; 15 by default.
    :param timeout: seconds, or a ``timedelta``, until the wait is given up. The video lives on at the server.
    :param deferrable: whether to wait in the triggerer, without a worker; Airflow's
        ``[operators] default_deferrable`` by default.
    :param soft_fail: whether to skip instead of fail when the video failed, is lost, or the time is up.
    :param exponential_backoff: whether intervals grow.
    :param max_wait: seconds, or a ``timedelta``: the longest interval.
    :param videos_conn_id: the connection to the server. (templated)
    :raises AirflowFailException: if the video failed or is lost.
    :raises AirflowSensorTimeout: if the time is up.
    """

    template_fields: Sequence[str] = ("video_id", "videos_conn_id")

    _watch: Watch | None = None

    def __init__(
        self,
        *,
        video_id: str,
        poke_interval: timedelta | float = 15,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        videos_conn_id: str = "videos_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.video_id = video_id
        self.deferrable = deferrable
        self.videos_conn_id = videos_conn_id

    def execute(self, context: Context) -> Any:
        """Look once; then wait, in the triggerer if deferrable."""
        with self._outcomes():
            if not self.deferrable:
                return super().execute(context)
            now = time.time()
            return self._return_or_defer(context, started_at=now, deadline=now + self.timeout)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """
        Take up the task where the trigger left it.

        :param context: Airflow's context.
        :param event: what the trigger fired.
        """
        if event["status"] == "lost":
            raise AirflowFailException(event["error"])
        if event["status"] == "timeout":
            raise AirflowSensorTimeout
        # The trigger has logged what it saw.
        return self._return_or_defer(
            context, started_at=event["started_at"], deadline=event["deadline"], quiet=True
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume with the same outcomes as the other modes, also where Airflow's own clock ended the wait."""
        with self._outcomes():
            return super().resume_execution(next_method, next_kwargs, context)

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Ask the server once.

        :param context: Airflow's context.
        """
        watch = self._recall(context)
        video = self._look(watch)
        if video is not None:
            return PokeReturnValue(is_done=True, xcom_value=self._push(context, video))
        self._keep(context, watch)
        return PokeReturnValue(is_done=False)

    def _return_or_defer(
        self, context: Context, *, started_at: float, deadline: float, quiet: bool = False
    ) -> Any:
        from airflow_provider_videos.polling.watch import Watch

        watch = Watch(self.video_id, started_at, patient=self.silent_fail)
        video = self._look(watch, quiet=quiet)
        if video is not None:
            return self._push(context, video)
        remaining = deadline - time.time()
        if remaining <= 0:
            raise AirflowSensorTimeout
        return self._defer(watch, deadline, remaining)

    def _defer(self, watch: Watch, deadline: float, remaining: float) -> Any:
        from airflow_provider_videos.triggers.videos import VideoTrigger

        self.defer(
            trigger=VideoTrigger(
                video_id=self.video_id,
                videos_conn_id=self.videos_conn_id,
                poke_interval=self.poke_interval,
                started_at=watch.started_at,
                deadline=deadline,
                exponential_backoff=self.exponential_backoff,
                max_wait=self.max_wait.total_seconds() if self.max_wait else None,
                silent_fail=self.silent_fail,
                shown=watch.shown,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=remaining),
        )

    def _look(self, watch: Watch, *, quiet: bool = False) -> Video | None:
        """Ask the server once; return the video if it is there."""
        from airflow_provider_videos.hooks.videos import VideosHook

        answer: Video | VideosError
        with VideosHook(self.videos_conn_id).get_conn() as client:
            try:
                answer = client.retrieve(self.video_id)
            except VideosError as error:
                answer = error
        line = watch.news(answer, time.time())
        if line and not quiet:
            self.log.info(line)
        try:
            done = watch.take(answer, time.time())
        except (VideoFailed, VideoLost) as end:
            raise AirflowFailException(str(end)) from end
        return answer if done and not isinstance(answer, VideosError) else None

    def _push(self, context: Context, video: Video) -> str:
        context["ti"].xcom_push("video", video.contract())
        return self.video_id

    def _recall(self, context: Context) -> Watch:
        """Return what this try knows of its wait; in reschedule mode each poke is a new process."""
        from airflow_provider_videos.polling.watch import Watch

        if self._watch is None:
            record: Any = context["task_state_store"].get(_RECORD) if self.reschedule else None
            if record and record["try_number"] == context["ti"].try_number:
                self._watch = Watch(**record["watch"])
            else:
                self._watch = Watch(self.video_id, time.time(), patient=self.silent_fail)
        return self._watch

    def _keep(self, context: Context, watch: Watch) -> None:
        if self.reschedule:
            record: Any = {"try_number": context["ti"].try_number, "watch": watch.record()}
            context["task_state_store"].set(_RECORD, record)

    @contextmanager
    def _outcomes(self) -> Iterator[None]:
        """Make a bad end the same one in every mode."""
        try:
            yield
        except AirflowSensorTimeout:
            problem: Exception = AirflowSensorTimeout(
                f"Video {self.video_id} was not completed within {self.timeout:.0f} s. It lives on at the "
                "server: clear this task to go on waiting, or raise its timeout; creating it again would buy "
                "a second one"
            )
            skips = self.soft_fail or self.never_fail
        except AirflowFailException as error:
            problem, skips = error, self.soft_fail or self.never_fail
        except VideosError as error:
            problem, skips = error, self.never_fail
        else:
            return
        raise AirflowSkipException(str(problem)) if skips else problem
