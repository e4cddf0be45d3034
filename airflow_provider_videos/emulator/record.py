"""Record of everything the emulator did, for a test to count."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = 10_000
SECRET = re.compile(r"auth|key|token|secret|cookie")


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request, and what became of it. No secret and no body is kept."""

    operation: str | None
    method: str
    path: str
    query: str
    headers: dict[str, str]
    connection: int
    at: float
    request_id: str
    status: int | None = None
    """None when no answer was begun."""
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """An accepted POST that buys: create, remix, edit or extend."""

    operation: str
    video_id: str
    fields: Mapping[str, Any]
    """The request as it was understood, extra fields included; a file is described, not kept."""
    at: float


@dataclass(slots=True)
class Record:
    """Everything since the start, or since it was last cleared; the exchanges are the latest ten thousand."""

    purchases: list[Purchase] = field(default_factory=list)
    exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=KEPT))
    requests: Counter[str] = field(default_factory=Counter)
    """How many requests for each operation; "unknown" for what is none."""
    connections: int = 0
    bytes_sent: int = 0
    """The bytes of all answers' bodies, as they were handed over to be sent."""

    def count(self, exchange: Exchange, size: int) -> None:
        """Enter a piece of an answer."""
        exchange.bytes_sent += size
        self.bytes_sent += size

    def note(self, exchange: Exchange) -> None:
        """Enter a request as it arrives."""
        self.exchanges.append(exchange)
        self.requests[exchange.operation or "unknown"] += 1

    def clear(self) -> None:
        """Start counting afresh; connections keep their numbers."""
        self.purchases.clear()
        self.exchanges.clear()
        self.requests.clear()
        self.bytes_sent = 0

    def to_json(self) -> dict[str, Any]:
        """Everything, for the control endpoint."""
        return {
            "connections": self.connections,
            "bytes_sent": self.bytes_sent,
            "requests": dict(self.requests),
            "purchases": [asdict(purchase) for purchase in list(self.purchases)],
            "exchanges": [asdict(exchange) for exchange in list(self.exchanges)],
        }


def safe_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """
    Headers without what they must not give away.

    :param raw: as they came in, names in lower case.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return {name: "***" if SECRET.search(name) else value for name, value in headers.items()}


def safe_query(raw: bytes) -> str:
    """
    A query without what it must not give away.

    :param raw: as it came in.
    """
    pairs = (pair.partition("=") for pair in raw.decode("latin-1").split("&"))
    return "&".join(
        f"{name}=***" if SECRET.search(name.lower()) else name + sign + value for name, sign, value in pairs
    )
