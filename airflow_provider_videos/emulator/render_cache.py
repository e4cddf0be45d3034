"""Cache of rendered files: each is made once, at the first need, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_videos.emulator.content import Bytes
    from airflow_provider_videos.emulator.jobs import Job

VARIANTS = ("video", "thumbnail", "spritesheet")
FILES_KEPT = 64


def _render(job: Job, variant: str) -> Bytes:
    from airflow_provider_videos.emulator import media

    return media.RENDERERS[variant](job)


def image_size(data: bytes) -> str | None:
    """An image's real pixels; None when it is none. Blocks: call it in a thread."""
    from airflow_provider_videos.emulator import media

    try:
        return media.image_size(data)
    except media.Unreadable:
        return None


def video_measures(data: bytes) -> tuple[str, int] | None:
    """A video's size and seconds; None when it is none. Blocks: call it in a thread."""
    from airflow_provider_videos.emulator import media

    try:
        return media.video_measures(data)
    except media.Unreadable:
        return None


class RenderCache:
    """The latest rendered files; those who ask at once for the same one share one rendering."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[str, str], asyncio.Task[Bytes]] = OrderedDict()

    async def file(self, job: Job, variant: str) -> Bytes:
        """
        A job's file.

        :param job: a completed job.
        :param variant: one of `VARIANTS`.
        """
        key = (job.id, variant)
        if key not in self._files:
            self._files[key] = asyncio.create_task(asyncio.to_thread(_render, job, variant))
            while len(self._files) > FILES_KEPT:
                self._files.popitem(last=False)
        self._files.move_to_end(key)
        return await asyncio.shield(self._files[key])
