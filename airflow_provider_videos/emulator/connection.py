"""A client's connection, within reach of whoever has to break it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    from airflow_provider_videos.emulator.record import Record

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Connection:
    """
    One accepted connection.

    :param number: which one it is, counted from 1.
    :param transport: what carries it.
    """

    def __init__(self, number: int, transport: asyncio.Transport) -> None:
        self.number = number
        self.lost = asyncio.Event()
        self._transport = transport

    def finish(self) -> None:
        """Close after all that was written has gone out."""
        self._transport.close()

    def drop(self, *, reset: bool = False) -> None:
        """
        Close now.

        :param reset: with a reset, instead of an orderly end.
        """
        if reset:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()


class WatchedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # uvicorn picks its parser when it is imported
    """uvicorn's protocol; the ASGI state of each request also holds the connection it came in on."""

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Number a new connection."""
        record: Record = self.app_state["record"]
        record.connections += 1
        self.app_state = {"connection": Connection(record.connections, transport)}
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request on the connection; uvicorn itself tells the latest alone."""
        connection: Connection = self.app_state["connection"]
        connection.lost.set()
        super().connection_lost(exc)
