"""The emulator as a test holds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from airflow_provider_videos.emulator.app import Application
from airflow_provider_videos.emulator.clock import Clock
from airflow_provider_videos.emulator.content import SyntheticVideo
from airflow_provider_videos.emulator.listener import Listener
from airflow_provider_videos.emulator.profiles import CONTRACT, PROFILES
from airflow_provider_videos.emulator.replicas import Replicas
from airflow_provider_videos.emulator.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp

    from airflow_provider_videos.emulator.content import Content
    from airflow_provider_videos.emulator.faults import Fault
    from airflow_provider_videos.emulator.profiles import Profile
    from airflow_provider_videos.emulator.record import Purchase, Record
    from airflow_provider_videos.emulator.replicas import Balance


def _profile(given: str | Profile) -> Profile:
    if not isinstance(given, str):
        return given
    if given not in PROFILES:
        raise ValueError(f"profile is one of {', '.join(PROFILES)}; got {given!r}")
    return PROFILES[given]


MODELS = ("emulated-1", "emulated-1-pro")


class Emulator:
    """
    A Videos API server in this process, for the length of a `with` block.

    :param api_key: the key it asks for; None asks for none.
    :param seed: what decides ids, the jobs' lengths and faults that hit by chance; two emulators side by
        side want different ones. None decides anew each time.
    :param clock: its time; a `ManualClock` makes it a matter of the test's.
    :param job_seconds: the most a job takes; each takes its own share of it.
    :param models: the models it names, the default first; it takes any other name just as well.
    :param content: a file to serve in place of all rendered ones.
    :param profile: whose dialect it speaks: a name out of ``PROFILES``, or a `Profile` of your own.
    :param replicas: how many servers stand behind its address; each lists its own jobs alone and answers 404
        for the others'.
    :param balance: whether each `request` or each `connection` gets a replica, by chance.
    :param host: the address to listen on.
    :param port: the port; 0 takes a free one.
    :param middleware: wraps the whole ASGI application.
    """

    def __init__(
        self,
        *,
        api_key: str | None = "test-key",
        seed: int | None = 0,
        clock: Clock | None = None,
        job_seconds: float = 6.0,
        models: Sequence[str] = MODELS,
        content: Content | None = None,
        profile: str | Profile = CONTRACT,
        replicas: int = 1,
        balance: Balance = "request",
        host: str = "127.0.0.1",
        port: int = 0,
        middleware: Callable[[ASGIApp], ASGIApp] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.profile = _profile(profile)
        self._state = State(
            api_key=api_key if self.profile.asks_key else None,
            seed=seed,
            clock=self.clock,
            job_seconds=job_seconds,
            models=models,
            content=content,
            profile=self.profile,
            replicas=Replicas(replicas, balance, seed),
        )
        self._host, self._port = host, port
        self._middleware = middleware
        self._listener: Listener | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """
        Go on the air; after a stop, at the same port and with the same jobs.

        :raises OSError: when the port is taken.
        """
        app: ASGIApp = Application(self._state)
        if self._middleware:
            app = self._middleware(app)
        listener = Listener(app, self._state.record, self._host, self._port)
        listener.start()
        self._listener, self._port = listener, listener.port

    def stop(self) -> None:
        """Go off the air: connections are dropped, no thread stays; what is on record can still be read."""
        if self._listener:
            self._listener.stop()
            self._listener = None

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL, `/v1` included."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/v1"

    @property
    def api_key(self) -> str | None:
        """The key it asks for."""
        return self._state.api_key

    @property
    def airflow_connection(self) -> str:
        """The connection to it, as the value of an ``AIRFLOW_CONN_...`` variable."""
        keyless = {} if self.api_key else {"auth_header": ""}
        extra = {**self.profile.connection, **keyless}
        return json.dumps(
            {"conn_type": "videos", "host": self.base_url, "password": self.api_key}
            | ({"extra": extra} if extra else {})
        )

    @property
    def record(self) -> Record:
        """Everything it did."""
        return self._state.record

    @property
    def purchases(self) -> list[Purchase]:
        """Every accepted POST that buys."""
        return self._state.record.purchases

    def inject(self, *faults: Fault) -> None:
        """
        Put faults in force.

        :param faults: when several hit the same request, the first is the outermost.
        """
        for fault in faults:
            self._state.faults.inject(fault)

    def clear_faults(self) -> None:
        """Call all faults off."""
        self._state.faults.clear()

    def restart(self) -> None:
        """Lose all jobs, as living servers do when they restart; connections stay, see `drop_connections`."""
        self._state.restart()

    def drop_connections(self) -> None:
        """Drop all open connections, idle ones too, and stay on the air."""
        if self._listener:
            self._listener.drop_connections()

    def serve(self, content: Content | None) -> None:
        """
        Serve a file in place of all rendered ones.

        :param content: the file; None goes back to rendering.
        """
        self._state.content = content

    def serve_bytes(self, size: int) -> SyntheticVideo:
        """
        Serve a file of a given size, made up as it is sent.

        :param size: its length in bytes.
        """
        content = SyntheticVideo(size)
        self.serve(content)
        return content
