"""An answer that is an error, in the contract's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def envelope(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """
    The body of an error.

    :param status: the HTTP status it goes with; it decides the error's type.
    :param message: what a person reads.
    :param param: the request's field at fault.
    :param code: what a program reads.
    """
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class ContractError(Exception):
    """
    Raised anywhere behind the door, answered at the door.

    :param status: the HTTP status.
    :param message: what a person reads.
    :param param: the request's field at fault.
    :param code: what a program reads.
    :param envelope: draws the body, where that is not the server's usual way.
    :param headers: further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        envelope: Callable[..., Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.envelope = envelope
        self.headers = headers or {}


def not_found(what: str, identity: str, status: int = 404, code: str | None = None) -> ContractError:
    """The answer to an id that names nothing here."""
    return ContractError(status, f"{what} with id '{identity}' not found.", code=code)
