"""Several servers behind one address, each with jobs of its own."""

from __future__ import annotations

import itertools
import secrets
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, get_args

from airflow_provider_videos.emulator.jobs import Jobs

if TYPE_CHECKING:
    from airflow_provider_videos.emulator.jobs import Job

Balance = Literal["request", "connection"]


class Replicas:
    """
    The servers, and a load balancer in front of them that chooses by chance.

    :param count: how many.
    :param balance: whether each request or each connection gets one of its own.
    :param seed: what decides the choices; None decides anew each time.
    """

    def __init__(self, count: int = 1, balance: Balance = "request", seed: int | None = None) -> None:
        if count < 1:
            raise ValueError(f"there is at least one replica; got {count!r}")
        if balance not in get_args(Balance):
            raise ValueError(f"balance is {' or '.join(get_args(Balance))}; got {balance!r}")
        self.jobs = [Jobs() for _ in range(count)]
        self._balance = balance
        self._root = secrets.token_hex(8) if seed is None else str(seed)
        self._requests = itertools.count()

    def choose(self, connection: int) -> int:
        """
        Choose the replica that answers a request.

        :param connection: the number of the connection that the request came in on.
        """
        number = connection if self._balance == "connection" else next(self._requests)
        lot = blake2b(f"{self._root}/{self._balance}/{number}".encode(), digest_size=4).digest()
        return int.from_bytes(lot) % len(self.jobs)

    def find(self, identity: str, now: float) -> Job | None:
        """
        Return the job of that id, whichever replica has it.

        :param identity: the id.
        :param now: the present time.
        """
        found = (jobs.get(identity, now) for jobs in self.jobs)
        return next((job for job in found if job), None)

    def forget(self) -> None:
        """Lose all jobs of all replicas."""
        for jobs in self.jobs:
            jobs.forget()
