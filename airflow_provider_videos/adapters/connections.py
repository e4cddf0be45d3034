"""Reason why Airflow did not find a connection: it says "not found" also where one of its sources failed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow_provider_videos.adapters.names import BaseHook, Connection
from airflow_provider_videos.adapters.release import is_before
from airflow_provider_videos.adapters.supervisor import find_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


async def read_connection(conn_id: str) -> tuple[Connection, dict[str, Any]]:
    """
    Return a connection and its extra fields, on an event loop.

    :param conn_id: the connection's id.
    """
    # Before 3.3.2 the asynchronous doors mask secrets by a question that can block the loop for good.
    if hasattr(Connection, "aextra_dejson"):
        found = await BaseHook.aget_connection(conn_id)
        return found, await found.aextra_dejson()
    from asgiref.sync import sync_to_async

    def read() -> tuple[Connection, dict[str, Any]]:
        found = BaseHook.get_connection(conn_id)
        return found, found.extra_dejson

    return await sync_to_async(read)()


def use_server_sources() -> None:
    """Have this process read connections as ``airflow connections`` does, also from Airflow's database."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"


def lookup_failure(conn_id: str) -> str | None:
    """
    Return what kept Airflow from finding a connection; None if every source says that there is none.

    Airflow's own lookup passes over a source that fails. Each is asked once more, so not on an event loop.

    :param conn_id: the connection's id.
    """
    for source, lookup in _lookups():
        try:
            found = lookup(conn_id)
        except Exception as error:  # noqa: BLE001 - whatever a source of connections may raise
            return f"{source}: {_kind(error)}"
        if found:
            return f"{source} has it now, and did not answer before"
    return None


def _lookups() -> Iterator[tuple[str, Callable[[str], Any]]]:
    for backend in _backends():
        yield type(backend).__name__, _lookup(backend)
    if is_before(3, 1) and not is_before(3, 0):
        yield "ExecutionAPI", find_connection  # no backend there, but asked last


def _backends() -> Any:
    if is_before(3, 0):
        from airflow.configuration import ensure_secrets_loaded

        return ensure_secrets_loaded()
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    return ensure_secrets_backend_loaded()


def _lookup(backend: Any) -> Callable[[str], Any]:
    # This one says None whatever happens; what it asks does not.
    if type(backend).__name__ == "ExecutionAPISecretsBackend":
        return find_connection
    lookup: Callable[[str], Any] = backend.get_connection
    return lookup


def _kind(error: Exception) -> str:
    """Name an error without its words, which may quote a connection."""
    reported = getattr(getattr(error, "error", None), "error", None)
    return str(getattr(reported, "value", None) or type(error).__name__)
