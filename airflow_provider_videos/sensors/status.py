"""Questions about one video to its server, asked by the task itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_provider_videos.api import requests
from airflow_provider_videos.api.clock import default_clock
from airflow_provider_videos.api.errors import AnswerError, Unauthorized, VideosError
from airflow_provider_videos.hooks.videos import VideosHook
from airflow_provider_videos.polling.wait_state import (
    REMIND_SECONDS,
    cancellation,
    capped_retry_after,
    is_sound,
)

if TYPE_CHECKING:
    from airflow_provider_videos.api.client import VideosClient
    from airflow_provider_videos.api.models import Video, VideoDeleted


class StatusReader:
    """
    Asks for one video, each time on the same client, and remembers the last answer.

    :param video_id: the video.
    :param videos_conn_id: the connection to its server.
    """

    def __init__(self, video_id: str, videos_conn_id: str) -> None:
        self.video_id = video_id
        self.videos_conn_id = videos_conn_id
        self.answer: Video | VideosError | None = None
        self.retry_after = 0.0
        self._client: VideosClient | None = None
        self._serves_others: bool | None = None
        self._asked_for_others = -math.inf

    def retrieve(self, *, fresh: bool, attempts: int | None = 1) -> Video | VideosError:
        """
        Ask for the video; an error is an answer, too.

        :param fresh: whether to ask on a new connection, which may lead to another replica.
        :param attempts: how often at the most: once, since whoever waits asks again; None as often as a call
            does by itself.
        """
        self.retry_after = 0.0
        self.answer = self._retrieve(fresh=fresh, attempts=attempts)
        if isinstance(self.answer, Unauthorized):
            self.close()  # the key may have been changed since
        if isinstance(self.answer, AnswerError):
            self.retry_after = capped_retry_after(self.answer.retry_after)
        return self.answer

    def _retrieve(self, *, fresh: bool, attempts: int | None) -> Video | VideosError:
        try:
            return self._connect().perform(requests.retrieve(self.video_id, fresh=fresh), attempts=attempts)
        except VideosError as error:
            return error

    def ask_for_others(self) -> bool | None:
        """Ask the server for its models, once in a minute, to tell an outage from one bad video."""
        now = default_clock().monotonic()
        if now >= self._asked_for_others + REMIND_SECONDS:
            self._asked_for_others = now
            try:
                self._connect().perform(requests.list_models(), attempts=1)
                self._serves_others = True
            except VideosError as error:
                self._serves_others = is_sound(error)
        return self._serves_others

    def delete(self) -> str:
        """Delete the video and return a line for the log that says what came of it."""
        server = self.videos_conn_id
        try:
            client = self._connect()
            server = client.endpoint.base_url
            answer: VideoDeleted | VideosError = client.delete(self.video_id)
        except VideosError as error:
            answer = error
        return cancellation(self.video_id, server, answer)

    def close(self) -> None:
        """Close the client; the next question opens another one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connect(self) -> VideosClient:
        """Return one client for all looks: a signal in the middle of asking Airflow for it would be lost."""
        if self._client is None:
            self._client = VideosHook(self.videos_conn_id).get_conn()
        return self._client
