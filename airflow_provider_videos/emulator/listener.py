"""A socket, a thread, an event loop: the application on the air, and off it at once."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

from uvicorn import Config
from uvicorn.server import ServerState

from airflow_provider_videos.emulator.connection import WatchedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from airflow_provider_videos.emulator.record import Record

IDLE_SECONDS = 75


class Listener:
    """
    Serves an application from a thread of its own.

    uvicorn's own server polls ten times a second for its end; this one, around the same protocol, is told.

    :param app: what to serve.
    :param record: where connections are counted.
    :param host: the address to listen on.
    :param port: the port; 0 takes a free one.
    :raises OSError: when the port is taken.
    """

    def __init__(self, app: ASGIApp, record: Record, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=1024)
        # Connections inherit it; without, the body, written after the head, waits for the client's late ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._config = Config(
            app,
            log_config=None,
            lifespan="off",
            ws="none",
            date_header=False,
            timeout_keep_alive=IDLE_SECONDS,
        )
        self._state = ServerState()
        self._record = record
        self._ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="emulator", daemon=True
        )

    def start(self) -> None:
        """Go on the air; returns when the first request can come."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Go off the air: the connections are dropped, the thread is gone."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def drop_connections(self) -> None:
        """Drop all connections and stay on the air."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._drop, done.set)
        done.wait()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await self._loop.create_server(self._protocol, sock=self._socket)
        self._ready.set()
        await self._over.wait()
        server.close()
        self._drop()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)

    def _protocol(self) -> WatchedProtocol:
        app_state = {"record": self._record}
        return WatchedProtocol(config=self._config, server_state=self._state, app_state=app_state)

    def _drop(self, then: Callable[[], None] = lambda: None) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()
        self._loop.call_soon(then)  # abort closes the sockets in the loop's next round; this comes after
