"""Endpoints of one server, or of one replica: what all of them look things up in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_videos.emulator.errors import ContractError, not_found
from airflow_provider_videos.emulator.profiles import unwrap
from airflow_provider_videos.emulator.render_cache import video_measures

if TYPE_CHECKING:
    from airflow_provider_videos.emulator.bodies import Character
    from airflow_provider_videos.emulator.fields import Upload
    from airflow_provider_videos.emulator.jobs import Job, Jobs
    from airflow_provider_videos.emulator.profiles import Profile
    from airflow_provider_videos.emulator.state import State


class Endpoints:
    """
    Base of the endpoints, with the jobs and characters that they know.

    :param state: the server they belong to.
    :param jobs: the jobs it knows, one replica's where there are several.
    """

    def __init__(self, state: State, jobs: Jobs) -> None:
        self._state = state
        self._jobs = jobs

    @property
    def _profile(self) -> Profile:
        return self._state.profile

    @property
    def _now(self) -> float:
        return self._state.clock.now()

    def _job(self, video_id: str) -> Job:
        job = self._jobs.get(unwrap(video_id) if self._profile.wraps_ids else video_id, self._now)
        if job is None:
            raise not_found("Video", video_id, *self._profile.unknown_id)
        return job

    def _character(self, character_id: str) -> Character:
        if character_id not in self._state.characters:
            raise not_found("Character", character_id)
        return self._state.characters[character_id]


async def measure(upload: Upload) -> tuple[str, int]:
    """
    Return the size and the seconds of an uploaded video.

    :param upload: the file.
    :raises ContractError: if there is no video in it.
    """
    measures = await asyncio.to_thread(video_measures, upload.data)
    if measures is None:
        message = "Invalid file: there is no video in it."
        raise ContractError(400, message, param="video", code="invalid_video")
    return measures
