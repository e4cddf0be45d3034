"""Reader of a connection: its fields become what the client needs to know of the server."""

from __future__ import annotations

import json
import logging
import math
import re
from contextlib import contextmanager, suppress
from dataclasses import fields
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_videos.api.addresses import ResultHosts
from airflow_provider_videos.api.endpoint import Endpoint, RequestFormat, SecondsType, Timeouts
from airflow_provider_videos.api.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_videos.adapters.names import Connection

Choice = TypeVar("Choice", bound=str)

_log = logging.getLogger(__name__)

_PROTOCOLS = {"http", "https"}
_MASK = "***"
_NOTHING = "none"  # Airflow's form cannot store an empty text
_YES_NO = {"true": True, "yes": True, "": True, "none": True, "false": False, "no": False}
_LONGEST_TIMEOUT = 7 * 24 * 3600.0


def endpoint_of(connection: Connection, extra: dict[str, Any]) -> Endpoint:
    """
    Read a connection.

    :param connection: a connection of type ``videos``.
    :param extra: its extra fields.
    :raises InvalidRequest: if it lacks something or holds something unfit; the message names both.
    """
    with prefix_errors(connection.conn_id):
        extra = _without_masks(connection.conn_id, extra)
        auth_header = _auth_header(extra)
        return Endpoint(
            base_url=_base_url(connection),
            api_key=_key(connection) if auth_header else None,
            model=extra.get("model") or None,
            request_format=_choice(extra, "request_format", get_args(RequestFormat)),
            seconds_type=_choice(extra, "seconds_type", get_args(SecondsType)),
            auth_header=auth_header,
            auth_scheme=_text(extra.get("auth_scheme"), default="Bearer"),
            headers=_texts(extra, "headers"),
            query=_texts(extra, "query"),
            timeout=_timeouts(extra),
            verify=_verify(extra),
            requests_per_minute=_requests_per_minute(extra),
            result_hosts=_hosts(extra),
            conn_id=connection.conn_id,
        )


@contextmanager
def prefix_errors(conn_id: str) -> Iterator[None]:
    """
    Have errors of a connection name it.

    :param conn_id: the connection's id.
    """
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(f"connection {conn_id!r}: {error.message}") from None


def _without_masks(conn_id: str, extra: dict[str, Any]) -> dict[str, Any]:
    """Leave out values that Airflow's form has replaced with its mask."""
    masked: list[str] = []
    kept = {name: _unmasked(value, name, masked) for name, value in extra.items()}
    if masked:
        _log.warning(
            "connection %r: %s: Airflow has stored its mask %s instead of a value, which is read as if the "
            "field were empty; enter it again",
            conn_id,
            ", ".join(masked),
            _MASK,
        )
    return kept


def _unmasked(value: Any, name: str, masked: list[str]) -> Any:
    if isinstance(value, str) and _MASK in value:
        inner = _try_json(value)
        if not isinstance(inner, dict):
            masked.append(name)
            return None
        value = inner
    if isinstance(value, dict):
        return {key: _unmasked(item, f"{name}.{key}", masked) for key, item in value.items()}
    return value


def _base_url(connection: Connection) -> str:
    """Compose the address out of the pieces that Airflow's URI form takes it apart into."""
    if not connection.host:
        raise InvalidRequest("it has no base URL; put it into the host field, such as http://gpu-box:8000/v1")
    host, schema = connection.host.strip(), (connection.schema or "").strip()
    schema = schema.lower() if schema.lower() in _PROTOCOLS else schema
    protocol = schema if schema in _PROTOCOLS else "http"
    path = "" if schema in _PROTOCOLS or not schema else f"/{schema.strip('/')}"
    try:
        parts = urlsplit(_with_brackets(host if "://" in host else f"{protocol}://{host}"))
        port = f":{connection.port}" if connection.port and not parts.port else ""
    except ValueError as error:
        raise InvalidRequest(f"the base URL is not an address: {error}") from None
    return urlunsplit(parts._replace(netloc=parts.netloc + port, path=parts.path.rstrip("/") + path))


def _with_brackets(url: str) -> str:
    """Put the brackets back around an IPv6 address, which Airflow takes off."""
    protocol, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    address, _, port = authority.removeprefix("[").partition("]")
    try:
        # In a URL the zone follows %25, but a name is resolved with the zone as it is.
        return f"{protocol}://[{IPv6Address(address.replace('%25', '%'))}]{port}{slash}{path}"
    except ValueError:
        return url


def _auth_header(extra: dict[str, Any]) -> str:
    # Airflow masks fields named auth_header, so its form can only hold the other name.
    return _text(extra.get("key_header") or extra.get("auth_header"), default="Authorization")


def _key(connection: Connection) -> str:
    key = (connection.password or "").strip()
    if not key:
        raise InvalidRequest(
            "it has no key; put it into the password field, "
            'or set "key_header" to "none" in its extra if the server wants none'
        )
    if key == _MASK:
        raise InvalidRequest(f"its password is Airflow's mask {_MASK}, not a key; enter the key again")
    return key


def _text(value: object, *, default: str) -> str:
    text = default if value is None else str(value).strip()
    return "" if text.lower() == _NOTHING else text


def _choice(extra: dict[str, Any], name: str, choices: tuple[Choice, ...]) -> Choice:
    value = extra.get(name) or choices[0]
    if value not in choices:
        raise InvalidRequest(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return choices[choices.index(value)]


def _mapping(extra: dict[str, Any], name: str) -> dict[str, Any]:
    # The URI form and the web form carry an object as JSON text.
    value = extra.get(name) or {}
    value = _try_json(value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        raise InvalidRequest(f'{name} must be a JSON object, such as {{"name": "value"}}')
    return value


def _try_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _texts(extra: dict[str, Any], name: str) -> dict[str, str]:
    items = _mapping(extra, name).items()
    return {str(key): str(value).strip() for key, value in items if value is not None}


def _timeouts(extra: dict[str, Any]) -> Timeouts:
    value: Any = extra.get("timeout")
    known = [field.name for field in fields(Timeouts)]
    try:
        given = _mapping(extra, "timeout") if _is_object(value) else dict.fromkeys(known, value)
        timeouts = Timeouts(**{name: float(seconds) for name, seconds in given.items()})
        if all(0 < getattr(timeouts, name) <= _LONGEST_TIMEOUT for name in known):
            return timeouts
    except (TypeError, ValueError):
        pass
    raise InvalidRequest(f"timeout must be a number of seconds above 0, or an object of {', '.join(known)}")


def _is_object(value: object) -> bool:
    return value in (None, "") or isinstance(value, dict) or str(value).lstrip().startswith("{")


def _requests_per_minute(extra: dict[str, Any]) -> float | None:
    value = extra.get("requests_per_minute")
    if value in (None, ""):
        return None
    with suppress(TypeError, ValueError):
        if 0 < (number := float(str(value))) < math.inf:
            return number
    raise InvalidRequest(f"requests_per_minute must be a number above 0; got {value!r}")


def _hosts(extra: dict[str, Any]) -> ResultHosts:
    value = extra.get("result_hosts") or ""
    texts = value if isinstance(value, list) else re.split(r"[\s,]+", str(value))
    return ResultHosts.parse(str(text).strip() for text in texts if str(text).strip())


def _verify(extra: dict[str, Any]) -> bool | str:
    value = str(extra.get("verify", "true")).strip()
    if value.lower() in _YES_NO:
        return _YES_NO[value.lower()]
    if not Path(value).exists():
        raise InvalidRequest(f"verify must be true, false or the path of a CA bundle; there is no {value!r}")
    return value
