"""State of one emulated server; the requests change it, the tests look into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_videos.emulator.faults import Faults
from airflow_provider_videos.emulator.jobs import Tokens
from airflow_provider_videos.emulator.profiles import CONTRACT, PROFILES, Profile
from airflow_provider_videos.emulator.record import Record
from airflow_provider_videos.emulator.replicas import Replicas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_videos.emulator.bodies import Character
    from airflow_provider_videos.emulator.clock import Clock
    from airflow_provider_videos.emulator.content import Content


@dataclass(kw_only=True)
class State:
    """One server's settings and memory."""

    api_key: str | None
    seed: int | None
    clock: Clock
    job_seconds: float
    models: Sequence[str]
    content: Content | None
    profile: Profile = PROFILES[CONTRACT]
    replicas: Replicas = field(default_factory=Replicas)
    characters: dict[str, Character] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        self.faults = Faults(self.seed)
        self.video_tokens = Tokens(self.seed, "video")
        self.character_tokens = Tokens(self.seed, "character")
        self.request_tokens = Tokens(self.seed, "request")

    def restart(self) -> None:
        """Lose what a server keeps in memory: jobs and characters."""
        self.replicas.forget()
        self.characters.clear()
