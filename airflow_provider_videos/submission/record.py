"""
What a task remembers of its purchase.

Before the request goes out the record says that it will (an intent); after the answer, what was bought. An
intent that is found at a start means that a video may have been bought and nobody knows its id.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """
    A purchase, or the intent of one. It holds no prompt and no key.

    :param fingerprint: of the request and the server it goes to.
    :param at: when it was about to be sent, in unix seconds by the worker's clock.
    :param until: when it was given up at the latest.
    :param max_tries: Airflow's bound of tries at that time; only a clear raises it.
    :param video_id: what was bought; None for an intent.
    :param video: what the server said of it, without its prompt.
    :param handed_on: whether a start of the task has ended with it.
    """

    fingerprint: str | None = None
    at: float = 0.0
    until: float = 0.0
    max_tries: int | None = None
    video_id: str | None = None
    video: dict[str, Any] | None = None
    handed_on: bool = False

    @classmethod
    def read(cls, value: object) -> Record | None:
        """
        Read what was recorded, by this release, another one or a person.

        What makes no sense is an intent of which nothing is known: somebody meant something by it.

        :param value: what the store returned.
        """
        if value is None:
            return None
        if isinstance(value, str) and value:
            return cls(video_id=value)
        fields = value if isinstance(value, dict) else {}
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__ if name in fields})

    def written(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    @property
    def moment(self) -> str:
        """When it was about to be sent, as people write it."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")
