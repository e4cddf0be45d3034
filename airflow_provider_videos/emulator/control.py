"""The endpoints under `/_emulator`: what `Emulator` offers in Python, over HTTP."""

from __future__ import annotations

import ipaddress
import json
from contextlib import suppress
from secrets import compare_digest
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from airflow_provider_videos.emulator.errors import ContractError
from airflow_provider_videos.emulator.faults import Fault

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_videos.emulator.state import State


async def _object(request: Request) -> dict[str, Any]:
    try:
        given = json.loads(await request.body())
    except ValueError as error:
        raise ContractError(400, "The body is no JSON.") from error
    if not isinstance(given, dict):
        raise ContractError(400, "The body is no JSON object.")
    return given


def check_access(request: Request, api_key: str | None) -> None:
    """
    Refuse who does not know the key, and web pages: a browser next to the emulator can reach it, too.

    :param request: the request.
    :param api_key: the key; None where the emulator asks for none.
    :raises ContractError: if it is refused.
    """
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _is_own_name(hosts[0]):
        raise ContractError(403, "The Host must be an address, localhost or a name without a dot.")
    origin = request.headers.get("origin")
    if origin not in {None, f"{request.url.scheme}://{hosts[0]}"}:
        raise ContractError(403, "Pages of other origins have no access.")
    given = request.headers.get("authorization", "").encode("latin-1")
    if api_key is not None and not compare_digest(given, f"Bearer {api_key}".encode()):
        raise ContractError(
            401, "The control endpoints ask for the emulator's key, too.", code="invalid_api_key"
        )


def _is_own_name(host: str) -> bool:
    """Say whether a name can't be one that a stranger has pointed to here: those have a domain."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0].lower().rstrip(".")
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return bool(name) and ("." not in name or name.endswith(".localhost"))


A_CENTURY = 100 * 365 * 86400.0


class Control:
    """
    One method an endpoint.

    :param state: the server they look into.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    async def inject(self, request: Request) -> Response:
        """Put a fault in force."""
        try:
            fault = Fault.from_json(await _object(request))
        except ValueError as error:
            raise ContractError(400, str(error)) from error
        self._state.faults.inject(fault)
        return JSONResponse(fault.to_json(), 201)

    async def faults(self, _: Request) -> Response:
        """The faults in force."""
        return JSONResponse({"faults": self._state.faults.to_json()})

    async def clear(self, _: Request) -> Response:
        """Call all faults off."""
        self._state.faults.clear()
        return Response(status_code=204)

    async def record(self, _: Request) -> Response:
        """What the emulator did."""
        return JSONResponse(self._state.record.to_json())

    async def clear_record(self, _: Request) -> Response:
        """Start counting afresh."""
        self._state.record.clear()
        return Response(status_code=204)

    async def clock(self, request: Request) -> Response:
        """Put the clock forward."""
        seconds = (await _object(request)).get("advance")
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not abs(seconds) < A_CENTURY:
            raise ContractError(400, 'Say how far, in seconds: {"advance": 60}.')
        self._state.clock.advance(seconds)
        return JSONResponse({"now": self._state.clock.now()})

    async def restart(self, _: Request) -> Response:
        """Lose all jobs."""
        self._state.restart()
        return Response(status_code=204)
