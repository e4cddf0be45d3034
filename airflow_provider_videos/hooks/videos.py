"""The hook: an Airflow connection becomes a client of the Videos API."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from functools import cached_property
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_videos.adapters.connections import lookup_failure
from airflow_provider_videos.adapters.names import AirflowNotFoundException, BaseHook, mask_secret
from airflow_provider_videos.api.addresses import ResultHosts
from airflow_provider_videos.api.capabilities import examine
from airflow_provider_videos.api.client import AsyncVideosClient, VideosClient, prepare
from airflow_provider_videos.api.errors import (
    InvalidRequest,
    NotConnected,
    NotFound,
    TransportError,
    Unreadable,
    VideosError,
)
from airflow_provider_videos.api.requests import Endpoint, RequestFormat, SecondsType, Timeouts, as_text
from airflow_provider_videos.api.retry import Backoff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_videos.adapters.names import Connection
    from airflow_provider_videos.api.capabilities import Finding
    from airflow_provider_videos.api.client import Content
    from airflow_provider_videos.api.models import Character, Video, VideoDeleted
    from airflow_provider_videos.api.requests import Upload

Choice = TypeVar("Choice", bound=str)

_log = logging.getLogger(__name__)

_PROTOCOLS = {"http", "https"}
_MASK = "***"
_NOTHING = "none"  # Airflow's form cannot store an empty text
_READ_PAUSES = (1.0, 4.0)
_YES_NO = {"true": True, "yes": True, "": True, "none": True, "false": False, "no": False}
_LONGEST_TIMEOUT = 7 * 24 * 3600.0
_TEST_PATIENCE = Backoff(attempts=1)
_TEST_TIMEOUTS = Timeouts(connect=5.0, read=10.0, total=15.0)


class VideosHook(BaseHook):
    """
    Talk to any server that speaks the Videos API.

    :param videos_conn_id: the connection that names the server and holds its key.
    """

    conn_name_attr = "videos_conn_id"
    default_conn_name = "videos_default"
    conn_type = "videos"
    hook_name = "Videos API"

    def __init__(self, videos_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.videos_conn_id = as_text("videos_conn_id", videos_conn_id)

    def get_conn(self) -> VideosClient:
        """
        Return a client that blocks; close it, or use it in a ``with`` block.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        :raises NotConnected: if Airflow could not say what the connection is.
        """
        endpoint = self._endpoint
        with _naming(self.videos_conn_id):
            return VideosClient(endpoint)

    async def get_async_conn(self) -> AsyncVideosClient:
        """
        Return a client for an event loop; close it, or use it in an ``async with`` block.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        """
        endpoint = await self.get_async_endpoint()
        with _naming(self.videos_conn_id):
            await prepare(endpoint)
        return AsyncVideosClient(endpoint)

    async def get_async_endpoint(self) -> Endpoint:
        """
        Return what the connection says of the server, read anew.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        :raises NotConnected: if Airflow could not say what the connection is.
        """
        from asgiref.sync import sync_to_async

        from airflow_provider_videos.adapters.names import get_async_connection, get_async_extra_dejson

        try:
            connection = await get_async_connection(self.videos_conn_id)
        except Exception as error:
            raise await sync_to_async(self._read_error)(error) from error
        endpoint = endpoint_of(connection, await get_async_extra_dejson(connection))
        await sync_to_async(_mask)(endpoint)
        return endpoint

    def test_connection(self) -> tuple[bool, str]:
        """Ask the server for its models and what else it offers; that buys nothing. Say how it went."""
        try:
            with self._impatient() as client:
                client.list_models()
                findings = list(examine(client))
        except NotFound as error:
            return False, f"The server answered 404: does the base URL end in /v1? Asked {error.server}"
        except TransportError as error:
            return False, f"{error}. Is the base URL right, and is the server up?"
        except Unreadable:
            return False, "The server answers, but not as a Videos server does: is it a login page?"
        except VideosError as error:
            return False, str(error)
        offers = ", ".join(f"{finding.name} {finding.offer.value}" for finding in findings[1:])
        return True, f"The server answers. Models: {findings[0].words}. It offers: {offers}"

    def examine(self) -> tuple[str, list[Finding]]:
        """
        Find out what the server offers, and return its address and the findings; nothing is bought.

        :raises InvalidRequest: if the connection is missing or lacks something; the message says what.
        """
        with self._impatient() as client:
            return client.endpoint.base_url, list(examine(client))

    @contextmanager
    def _impatient(self) -> Iterator[VideosClient]:
        endpoint = replace(self._endpoint, timeout=_TEST_TIMEOUTS)
        with _naming(self.videos_conn_id), VideosClient(endpoint, backoff=_TEST_PATIENCE) as client:
            yield client

    def create(self, prompt: str, **fields: Any) -> Video:
        """Buy a video: see :meth:`.VideosClient.create`."""
        return self._client.create(prompt, **fields)

    def remix(self, video_id: str, prompt: str, **fields: Any) -> Video:
        """Buy a variation of a video: see :meth:`.VideosClient.remix`."""
        return self._client.remix(video_id, prompt, **fields)

    def edit(self, video: str | Upload, prompt: str, **fields: Any) -> Video:
        """Buy a changed version of a video: see :meth:`.VideosClient.edit`."""
        return self._client.edit(video, prompt, **fields)

    def extend(self, video: str | Upload, prompt: str, **fields: Any) -> Video:
        """Buy a longer version of a video: see :meth:`.VideosClient.extend`."""
        return self._client.extend(video, prompt, **fields)

    def create_character(self, name: str, video: Upload) -> Character:
        """Make a character that videos can share: see :meth:`.VideosClient.create_character`."""
        return self._client.create_character(name, video)

    def get_character(self, character_id: str) -> Character:
        """Ask for a character: see :meth:`.VideosClient.get_character`."""
        return self._client.get_character(character_id)

    def retrieve(self, video_id: str) -> Video:
        """Ask for a video's state: see :meth:`.VideosClient.retrieve`."""
        return self._client.retrieve(video_id)

    def list(self, **query: Any) -> Iterator[Video]:
        """Go through the server's videos: see :meth:`.VideosClient.list`."""
        return self._client.list(**query)

    def delete(self, video_id: str) -> VideoDeleted:
        """Delete a video: see :meth:`.VideosClient.delete`."""
        return self._client.delete(video_id)

    def download_content(
        self, video_id: str, **fields: Any
    ) -> AbstractContextManager[Content[Iterator[bytes]]]:
        """Open a video's file as a stream: see :meth:`.VideosClient.download_content`."""
        return self._client.download_content(video_id, **fields)

    @cached_property
    def _client(self) -> VideosClient:
        return self.get_conn()

    @cached_property
    def _endpoint(self) -> Endpoint:
        connection = self._read_connection()
        endpoint = endpoint_of(connection, connection.extra_dejson)
        _mask(endpoint)
        return endpoint

    def _read_connection(self) -> Connection:
        for pause in (*_READ_PAUSES, None):
            try:
                return self.get_connection(self.videos_conn_id)
            except Exception as error:
                problem = self._read_error(error)
                if pause is None or not isinstance(problem, NotConnected):
                    raise problem from error
            time.sleep(pause)
        raise AssertionError("unreachable: the last pause is None")

    def _read_error(self, error: Exception) -> VideosError:
        """Tell a connection that is missing from an Airflow that cannot say."""
        variable = f"AIRFLOW_CONN_{self.videos_conn_id.upper()}"
        if not isinstance(error, AirflowNotFoundException):
            failure: str | None = type(error).__name__
        elif variable in os.environ:
            return InvalidRequest(f"{variable} is neither a connection's JSON nor its URI")
        else:
            failure = lookup_failure(self.videos_conn_id)
        if failure is None:
            return InvalidRequest(
                f"there is no connection {self.videos_conn_id!r}: add one of type {self.conn_type!r} in the "
                f"UI, or set {variable}"
            )
        return NotConnected(
            f"connection {self.videos_conn_id!r} could not be read, which says nothing of whether there is "
            f"one ({failure}); a retry reads it again"
        )


def endpoint_of(connection: Connection, extra: dict[str, Any]) -> Endpoint:
    """
    Read a connection.

    :param connection: a connection of type ``videos``.
    :param extra: its extra fields.
    :raises InvalidRequest: if it lacks something or holds something unfit; the message names both.
    """
    with _naming(connection.conn_id):
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
            requests_per_minute=_pace(extra),
            result_hosts=_hosts(extra),
            conn_id=connection.conn_id,
        )


def _mask(endpoint: Endpoint) -> None:
    # Airflow itself masks the password, and those parts of the extra that have a name it knows.
    for secret in endpoint.secrets():
        mask_secret(secret)


@contextmanager
def _naming(conn_id: str) -> Iterator[None]:
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


def _pace(extra: dict[str, Any]) -> float | None:
    value = extra.get("requests_per_minute")
    if value in (None, ""):
        return None
    with suppress(TypeError, ValueError):
        if 0 < (pace := float(str(value))) < math.inf:
            return pace
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
