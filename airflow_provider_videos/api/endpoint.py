"""Settings of a connection: a server, and how to talk to it."""

from __future__ import annotations

import base64
import functools
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

import httpx

from airflow_provider_videos.api.addresses import ResultHosts
from airflow_provider_videos.api.environment import address_of
from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.api.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Endpoint", "RequestFormat", "SecondsType", "Timeouts"]

RequestFormat = Literal["multipart", "json"]
SecondsType = Literal["string", "integer"]

_FRAMING = {"content-length", "transfer-encoding"}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# A short value of another name, such as a provider or an API version, is left legible in logs.
_SECRET_NAME = re.compile(r"auth|cookie|cred|key|pass|secret|session|sig|token", re.IGNORECASE)
_LIKE_A_KEY = 16
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    Limits on how long one call may take, in seconds.

    :param connect: until a connection is made.
    :param read: between two pieces of an answer, and for each piece of a request.
    :param total: for all attempts and waits of a call together; a download's body is not counted, and has as
        long to begin.
    """

    connect: float = 10.0
    read: float = 60.0
    total: float = 120.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A Videos server and how to talk to it.

    :param base_url: the address all paths are added to, usually ending in ``/v1``.
    :param api_key: the key; None sends none.
    :param model: the model for requests that name none.
    :param request_format: how create is encoded.
    :param seconds_type: whether JSON carries ``seconds`` as a string or as an integer.
    :param auth_header: the header that carries the key.
    :param auth_scheme: the word before the key; may be empty.
    :param headers: further headers for each request to this server.
    :param query: further query parameters for each request to this server.
    :param timeout: how long a call may take.
    :param verify: whether TLS certificates are checked, or the path of a CA bundle to check them with.
    :param requests_per_minute: how many requests all waits of a triggerer may make together; None for any.
    :param result_hosts: where redirects and addresses of results may lead; any public host if it names none.
    :param conn_id: the id of the connection that all this is from, for messages.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    request_format: RequestFormat = "multipart"
    seconds_type: SecondsType = "string"
    auth_header: str = "Authorization"
    auth_scheme: str = "Bearer"
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    query: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    timeout: Timeouts = field(default_factory=Timeouts)
    verify: bool | str = True
    requests_per_minute: float | None = None
    result_hosts: ResultHosts = field(default_factory=ResultHosts)
    conn_id: str | None = None
    redactor: Redactor = field(init=False, repr=False, compare=False)
    """Takes this server's secrets out of words."""

    @property
    def name(self) -> str:
        """The server's connection and address, for messages."""
        address = "://".join(_origin(self.base_url))
        return f"connection {self.conn_id!r}, {address}" if self.conn_id else address

    def __post_init__(self) -> None:
        parts = _split(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidRequest(
                "the base URL must be http:// or https:// with a host, such as http://gpu-box:8000/v1; "
                f"got a {parts.scheme or 'bare'} address"
            )
        if parts.query or parts.fragment or parts.username or parts.password:
            raise InvalidRequest(
                "the base URL must be an address alone: a key belongs into the password, "
                "query parameters into the connection's extra field `query`"
            )
        for name, value in self.credentials().items():
            if not _HEADER_NAME.fullmatch(name):
                raise InvalidRequest(f"{name!a} is not the name of an HTTP header")
            if name.lower() in _FRAMING:
                raise InvalidRequest(f"header {name!a} follows from each request's body; it cannot be set")
            if not value.isascii() or not value.isprintable() or value != value.strip():
                raise InvalidRequest(f"header {name!a} holds a character that no HTTP header can carry")
        object.__setattr__(self, "redactor", Redactor(self.secrets(), keys=self.keys()))

    def url(self, path: str) -> str:
        """Return the address of a path of this server."""
        return self.base_url.rstrip("/") + path

    def credentials(self) -> dict[str, str]:
        """Return the headers that belong to this server alone."""
        key = {self.auth_header: f"{self.auth_scheme} {self.api_key}".strip()} if self.api_key else {}
        return merged_headers(key, self.headers)

    def secrets(self) -> set[str]:
        """Return what must never be repeated: the key, and headers and query values that may hold another."""
        given = {*self.headers.items(), *self.query.items()}
        return self.keys() | _with_parts(value for _, value in given if len(value) >= _LIKE_A_KEY)

    def keys(self) -> set[str]:
        """Return those of the secrets that are given as such: the key, and what has a name that says so."""
        given = {*self.headers.items(), *self.query.items()}
        return _with_parts(
            [self.api_key or "", *(value for name, value in given if _SECRET_NAME.search(name))]
        )

    def public_settings(self) -> dict[str, str]:
        """Return those headers and query parameters whose names do not say that they hold a secret."""
        given = {**self.query, **self.headers}
        return {name: value for name, value in given.items() if not _SECRET_NAME.search(name)}

    def is_home_of(self, url: str) -> bool:
        """Say whether an address is on this server, which alone may see our credentials."""
        return _origin(url) == _origin(self.base_url)


def _with_parts(values: Iterable[str]) -> set[str]:
    """Add to secrets the parts of them that give access by themselves, such as what stands behind Bearer."""
    last = {word for value in values for word in (value, *value.split()[-1:])}
    decoded = {text for word in last for text in _decoded(word)}
    return (last | decoded) - {""}


def _decoded(word: str) -> tuple[str, ...]:
    """Return user and password, and the password alone, where a word is those of HTTP's basic scheme."""
    try:
        text = base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ()
    user, colon, password = text.partition(":")
    return (text, password) if user and colon and text.isprintable() else ()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        # What a connection would trip over, found before there is one.
        _ = parts.port, httpx.URL(url).raw_host, (parts.hostname or "").encode("idna")
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidRequest(f"the base URL is not an address: {error}") from None
    return parts


def is_address(url: str) -> bool:
    """Say whether something can be asked for at an address: http:// or https:// and a host that may exist."""
    try:
        parts = _split(url)
    except InvalidRequest:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _origin(url: str) -> tuple[str, str]:
    parsed = parsed_url(url)
    return parsed.scheme, address_of(parsed)


@functools.lru_cache(maxsize=2048)
def parsed_url(url: str) -> httpx.URL:
    """Return an address, read once."""
    # A triggerer asks for the same addresses again and again, and to read one is half of building a request.
    return httpx.URL(url)


def merged_headers(*groups: Mapping[str, str]) -> dict[str, str]:
    """Return headers of which later ones replace earlier ones in any spelling: names have no case."""
    merged = {name.lower(): (name, value) for group in groups for name, value in group.items()}
    return dict(merged.values())
