"""
What is asked of a Videos server: the connection's settings and a builder for each operation.

A builder returns an :class:`Operation`, plain data that either client shell can send. The shapes are those of
the contract; what differs between servers is a field of :class:`Endpoint`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, Literal, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

import httpx

from airflow_provider_videos import __version__
from airflow_provider_videos.api import responses
from airflow_provider_videos.api.addresses import ResultHosts
from airflow_provider_videos.api.containers import (
    AVI,
    ENOUGH_TO_TELL,
    JPEG,
    MKV,
    MOV,
    MP4,
    PNG,
    WEBM,
    WEBP,
    Container,
    sniff,
)
from airflow_provider_videos.api.environment import address_of
from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.api.models import VideoDeleted
from airflow_provider_videos.api.redaction import Redactor
from airflow_provider_videos.api.retry import Call

if TYPE_CHECKING:
    from airflow_provider_videos.api.models import Character, Video, VideoPage

T = TypeVar("T")

# What servers take; what they hand out may be more.
_REFERENCES = frozenset({JPEG, PNG, WEBP})
_SOURCES = frozenset({MP4, MOV, WEBM, MKV, AVI})  # QuickTime and Matroska are what MP4 and WebM come from

RequestFormat = Literal["multipart", "json"]
SecondsType = Literal["string", "integer"]

_CHUNK = 1024 * 1024
_FRAMING = {"content-length", "transfer-encoding"}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# A short value of another name, such as a provider or an API version, is left legible in logs.
_SECRET_NAME = re.compile(r"auth|cookie|cred|key|pass|secret|session|sig|token", re.IGNORECASE)
_LIKE_A_KEY = 16
_USER_AGENT = f"airflow-provider-videos/{__version__}"
# An encoded answer is never decoded: a few kilobytes can be gigabytes.
_OURS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": _USER_AGENT}
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    How long one call may take, in seconds.

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
    parsed = _parsed(url)
    return parsed.scheme, address_of(parsed)


def merged_headers(*groups: Mapping[str, str]) -> dict[str, str]:
    """Return headers of which later ones replace earlier ones in any spelling: names have no case."""
    merged = {name.lower(): (name, value) for group in groups for name, value in group.items()}
    return dict(merged.values())


@dataclass(frozen=True, slots=True)
class Upload:
    """
    A file to send along.

    :param filename: the name the server is told.
    :param content: the bytes, or a seekable binary file, which is streamed.
    :param content_type: the media type.
    """

    filename: str
    content: bytes | BinaryIO = field(repr=False)
    content_type: str

    @classmethod
    def image(cls, filename: str, content: bytes | BinaryIO) -> Upload:
        """
        Make an upload of a JPEG, PNG or WebP image, its type read from its first bytes.

        :param filename: the name the server is told.
        :param content: the bytes, or a seekable binary file.
        :raises InvalidRequest: if it is none of these.
        """
        return cls._of(filename, content, _REFERENCES, "a JPEG, PNG or WebP image")

    @classmethod
    def video(cls, filename: str, content: bytes | BinaryIO) -> Upload:
        """
        Make an upload of an MP4, WebM or AVI video, its type read from its first bytes.

        :param filename: the name the server is told.
        :param content: the bytes, or a seekable binary file.
        :raises InvalidRequest: if it is none of these.
        """
        return cls._of(filename, content, _SOURCES, "an MP4, WebM or AVI video")

    @classmethod
    def _of(
        cls, filename: str, content: bytes | BinaryIO, kinds: AbstractSet[Container], wanted: str
    ) -> Upload:
        head = content[:ENOUGH_TO_TELL] if isinstance(content, bytes) else content.read(ENOUGH_TO_TELL)
        container = sniff(head)
        if container is None or container not in kinds:
            raise InvalidRequest(f"{filename!r} must be {wanted}, and it is not")
        return cls(filename, content, container.content_type)

    def stream(self) -> BinaryIO:
        """Return the content as a file, at its beginning."""
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        self.content.seek(0)
        return self.content

    def sha256(self) -> str:
        """Return the SHA-256 of the whole file, in hexadecimal."""
        digest, stream = hashlib.sha256(), self.stream()
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
        return digest.hexdigest()

    def data_url(self) -> str:
        """Return the whole file as a ``data:`` URL, for servers that take JSON only."""
        return f"data:{self.content_type};base64,{base64.b64encode(self.stream().read()).decode()}"


Reference = Upload | Mapping[str, Any]
"""An image: a file, or the contract's ``{"file_id": ...}`` or ``{"image_url": ...}``."""


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """
    One operation of the contract, ready to be sent.

    :param name: its name in messages.
    :param call: what it costs to repeat.
    :param method: the HTTP method.
    :param path: the path below the base URL, its ids already encoded.
    :param read: turns the answer into a value.
    :param video_id: the video it is about.
    :param query: query parameters.
    :param headers: headers of this request alone.
    :param payload: the fields of the body.
    :param files: the file parts of the body.
    :param as_json: whether the body is JSON; else it is multipart.
    :param rescue: finds the value in an answer that is not a success, or None.
    :param when_gone: the value where the server says that the video no longer exists.
    :param streams: whether the body of a success is left to be streamed.
    :param fresh: whether it goes out on a connection of its own, as a POST that buys does anyway: one that is
        kept leads to the same replica each time.
    :param longest: how many bytes the body of a success that is not streamed may have.
    :param job: asks for the job, which knows whether a file is elsewhere and whether a video is really gone.
    :param location: where a redirect has led.
    :param redacts: whether secrets are taken out of the answer; False where no word of it is kept or shown.
    """

    name: str
    call: Call
    method: str
    path: str
    read: Callable[[httpx.Response], T]
    video_id: str | None = None
    query: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    payload: Mapping[str, Any] | None = field(default=None, repr=False)
    files: Mapping[str, Upload] = field(default_factory=dict, repr=False)
    as_json: bool = True
    rescue: Callable[[httpx.Response], T | None] | None = None
    when_gone: T | None = None
    streams: bool = False
    fresh: bool = False
    longest: int = responses.MAX_ANSWER_BYTES
    job: Operation[Video] | None = None
    location: str | None = field(default=None, repr=False)
    redacts: bool = True

    def fingerprint(self, endpoint: Endpoint) -> str:
        """
        Return a hash that tells this request from any other; it gives nothing of the request away.

        :param endpoint: the server it goes to.
        """
        files = {name: upload.sha256() for name, upload in self.files.items()}
        given = {**endpoint.query, **endpoint.headers}
        # A key may be rotated between two tries.
        visible = {name: value for name, value in given.items() if not _SECRET_NAME.search(name)}
        whole = [self.name, endpoint.base_url, visible, self.path, self.payload, files]
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def redactor(self, endpoint: Endpoint) -> Redactor:
        """
        Return what takes the secrets of this request out of words: the server's, and prompts.

        :param endpoint: the server it goes to.
        """
        fields = (self.payload or {}).items()
        return endpoint.redactor.also(
            *(text for name, text in fields if "prompt" in name and text is not None)
        )

    def request(self, endpoint: Endpoint) -> httpx.Request:
        """
        Build the request anew, as each attempt needs it.

        :param endpoint: the server it goes to.
        """
        headers = merged_headers(_OURS, self.headers)
        if self.location and not endpoint.is_home_of(self.location):
            return httpx.Request(self.method, self.location, headers=headers)
        url = httpx.URL(self.location) if self.location else _parsed(endpoint.url(self.path))
        query = {**endpoint.query, **({} if self.location else self.query)}
        return httpx.Request(
            self.method,
            url.copy_merge_params(query) if query else url,
            headers=merged_headers(headers, endpoint.credentials()),
            **self._body(),
        )

    def _body(self) -> dict[str, Any]:
        if self.payload is None:
            return {}
        if self.as_json:
            return {"json": dict(self.payload)}
        # A plain field is a part of its own: `data=` alone would be sent urlencoded.
        fields = {name: (None, _as_text(value)) for name, value in self.payload.items()}
        return {"files": {**fields, **{name: _part(upload) for name, upload in self.files.items()}}}


@functools.lru_cache(maxsize=2048)
def _parsed(url: str) -> httpx.URL:
    # A triggerer asks for the same addresses again and again, and to read one is half of building a request.
    return httpx.URL(url)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _part(upload: Upload) -> tuple[str, BinaryIO, str]:
    # A name of bytes that are no text is text with half characters in Python.
    return upload.filename.encode("utf-8", "replace").decode(), upload.stream(), upload.content_type


def as_text(name: str, value: object) -> str:
    """
    Return a field's value as the string it has to be.

    Where a DAG renders its templates as native objects, Airflow makes Python values of strings that look like
    one. A whole number is taken as its digits, like the id of a server that sends numbers.

    :param name: the field, for messages.
    :param value: its value.
    :raises InvalidRequest: if it is something else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    kind = "None" if value is None else type(value).__name__
    raise InvalidRequest(
        f"{name} must be a string, not {kind}; where render_template_as_native_obj has made a Python value "
        "of it, end the template with the filter pprint"
    )


def create(
    endpoint: Endpoint,
    prompt: str,
    *,
    model: str | None = None,
    seconds: str | int | None = None,
    size: str | None = None,
    input_reference: Reference | None = None,
    characters: Sequence[str] | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> Operation[Video]:
    """Build ``POST /videos``. The parameters are those of :meth:`VideosClient.create`."""
    by_reference = input_reference is not None and not isinstance(input_reference, Upload)
    # A reference by id or URL is JSON in the contract.
    as_json = endpoint.request_format == "json" or by_reference
    payload: dict[str, Any] = {
        "prompt": _checked_prompt(prompt),
        "model": _optional("model", model) or endpoint.model,
        "seconds": _seconds(endpoint, seconds),
        "size": _optional("size", size),
        "characters": _characters(characters),
    }
    files: dict[str, Upload] = {}
    if isinstance(input_reference, Upload) and not as_json:
        files["input_reference"] = input_reference
    elif isinstance(input_reference, Upload):
        payload["input_reference"] = {"image_url": input_reference.data_url()}
    elif isinstance(input_reference, Mapping):
        payload["input_reference"] = dict(input_reference)
    elif input_reference is not None:
        raise InvalidRequest(
            "input_reference must be a file, or a dict with a file_id or an image_url, not "
            f"{type(input_reference).__name__}"
        )
    return Operation(
        name="create",
        call=Call.BUY,
        method="POST",
        path="/videos",
        payload=_merged(payload, extra_body),
        files=files,
        as_json=as_json,
        read=responses.read_video,
        longest=responses.MAX_PAGE_BYTES,
    )


def remix(video_id: str, prompt: str, *, extra_body: Mapping[str, Any] | None = None) -> Operation[Video]:
    """Build ``POST /videos/{id}/remix``."""
    video_id = _checked_id(video_id)
    return Operation(
        name="remix",
        call=Call.BUY,
        method="POST",
        path=f"{_video_path(video_id)}/remix",
        video_id=video_id,
        payload=_merged({"prompt": _checked_prompt(prompt)}, extra_body),
        read=responses.read_video,
        longest=responses.MAX_PAGE_BYTES,
    )


def edit(
    video: str | Upload, prompt: str, *, extra_body: Mapping[str, Any] | None = None
) -> Operation[Video]:
    """Build ``POST /videos/edits``."""
    return _derive("edit", "/videos/edits", video, {"prompt": _checked_prompt(prompt)}, extra_body)


def extend(
    endpoint: Endpoint,
    video: str | Upload,
    prompt: str,
    *,
    seconds: str | int,
    extra_body: Mapping[str, Any] | None = None,
) -> Operation[Video]:
    """Build ``POST /videos/extensions``."""
    payload = {"prompt": _checked_prompt(prompt), "seconds": _seconds(endpoint, seconds)}
    return _derive("extend", "/videos/extensions", video, payload, extra_body)


def _derive(
    name: str,
    path: str,
    video: str | Upload,
    payload: Mapping[str, Any],
    extra_body: Mapping[str, Any] | None,
) -> Operation[Video]:
    """Build a purchase made from a video: the server's by its id as JSON, one of ours as a file part."""
    video_id = None if isinstance(video, Upload) else _checked_id(video)
    return Operation(
        name=name,
        call=Call.BUY,
        method="POST",
        path=path,
        video_id=video_id,
        payload=_merged({**payload, "video": video_id and {"id": video_id}}, extra_body),
        files={"video": video} if isinstance(video, Upload) else {},
        as_json=not isinstance(video, Upload),
        read=responses.read_video,
        longest=responses.MAX_PAGE_BYTES,
    )


def create_character(name: str, video: Upload) -> Operation[Character]:
    """Build ``POST /videos/characters``."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidRequest("name must be a text of at least one character; it is empty")
    return Operation(
        name="create character",
        # It costs what a purchase costs when it is repeated blindly: there would be two.
        call=Call.BUY,
        method="POST",
        path="/videos/characters",
        payload={"name": name},
        files={"video": video},
        as_json=False,
        read=responses.read_character,
        longest=responses.MAX_PAGE_BYTES,
    )


def get_character(character_id: str) -> Operation[Character]:
    """Build ``GET /videos/characters/{id}``."""
    return Operation(
        name="get character",
        call=Call.READ,
        method="GET",
        path=f"/videos/characters/{quote(_checked_id(character_id, 'character_id'), safe='')}",
        read=responses.read_character,
    )


def retrieve(video_id: str, *, fresh: bool = False) -> Operation[Video]:
    """Build ``GET /videos/{id}``."""
    video_id = _checked_id(video_id)
    return Operation(
        name="retrieve",
        call=Call.READ,
        method="GET",
        path=_video_path(video_id),
        video_id=video_id,
        read=responses.read_video,
        rescue=lambda response: responses.find_failed_video(response, video_id),
        fresh=fresh,
    )


def delete(video_id: str) -> Operation[VideoDeleted]:
    """Build ``DELETE /videos/{id}``."""
    video_id = _checked_id(video_id)
    return Operation(
        name="delete",
        call=Call.DELETE,
        method="DELETE",
        path=_video_path(video_id),
        video_id=video_id,
        # What servers say of a delete differs too much to be read; any success is one.
        read=lambda _: VideoDeleted(id=video_id, deleted=True),
        when_gone=VideoDeleted(id=video_id, deleted=False),
        # A 404 is also what a server says that has no such operation, or a replica that has no such video.
        job=retrieve(video_id, fresh=True),
    )


def list_page(*, after: str | None, limit: int | None, order: str | None) -> Operation[VideoPage]:
    """Build ``GET /videos`` for one page."""
    query = {"after": after, "limit": limit, "order": order}
    return Operation(
        name="list",
        call=Call.READ,
        method="GET",
        path="/videos",
        query={name: str(value) for name, value in query.items() if value is not None},
        read=responses.read_page,
        longest=responses.MAX_PAGE_BYTES,
    )


def uncached(operation: Operation[T]) -> Operation[T]:
    """Build the same question anew: past caches, and on a connection of its own."""
    return replace(operation, fresh=True, headers={**operation.headers, "cache-control": "no-cache"})


DEFAULT_VARIANT = "video"

LONGEST_PAGE = 100
"""How many videos of the list servers hand out at once."""


def download_content(
    video_id: str, *, variant: str = DEFAULT_VARIANT, offset: int = 0, etag: str | None = None
) -> Operation[httpx.Response]:
    """Build ``GET /videos/{id}/content``, from an offset on if the file is still the same."""
    video_id = _checked_id(video_id)
    return Operation(
        name="download" if variant == DEFAULT_VARIANT else f"download of the {variant}",
        call=Call.READ,
        method="GET",
        path=f"{_video_path(video_id)}/content",
        video_id=video_id,
        # Named only when it is not the default: one server answers 404 to its own default.
        query={} if variant == DEFAULT_VARIANT else {"variant": variant},
        headers={"range": f"bytes={offset}-", "if-range": etag} if offset and etag else {},
        read=responses.read_file,
        streams=True,
        fresh=True,  # behind replicas, asking again has to be able to reach another one
        # What a job names is the video; a thumbnail is not looked for there.
        job=retrieve(video_id, fresh=True) if variant == DEFAULT_VARIANT else None,
    )


def probe(method: str, path: str) -> Operation[httpx.Response]:
    """Build a request whose answer is looked at whatever it is: see :mod:`.capabilities`."""
    return Operation(name="probe", call=Call.READ, method=method, path=path, read=_as_it_is, rescue=_as_it_is)


def _as_it_is(response: httpx.Response) -> httpx.Response:
    return response


def list_models() -> Operation[list[str]]:
    """Build ``GET /models``, which costs nothing and shows whether address and key are right."""
    return Operation(
        name="list models",
        call=Call.READ,
        method="GET",
        path="/models",
        read=responses.read_model_names,
        longest=responses.MAX_PAGE_BYTES,
    )


def _video_path(video_id: str) -> str:
    return f"/videos/{quote(video_id, safe='')}"


def _checked_id(given: object, name: str = "video_id") -> str:
    text = as_text(name, given)
    if text.strip(". ") == "" or not _is_whole(text):
        raise InvalidRequest(f"{name} must be an id that a server gave; got {text!r}")
    return text


def _is_whole(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode() == text


def _checked_prompt(prompt: object) -> str:
    text = as_text("prompt", prompt)
    if not text.strip():
        raise InvalidRequest("prompt must be a text of at least one character; it is empty")
    return text


def _optional(name: str, value: object) -> str | None:
    return None if value is None else as_text(name, value)


def _characters(given: object) -> list[dict[str, str]]:
    if not isinstance(given or (), list | tuple | set | frozenset):
        raise InvalidRequest(f"characters must be a list of ids, not {type(given).__name__}")
    return [{"id": _checked_id(character, "each of characters")} for character in given or ()]  # type: ignore[attr-defined]


def _seconds(endpoint: Endpoint, seconds: object) -> str | int | None:
    if seconds in (None, ""):
        return None
    if isinstance(seconds, float) and math.isfinite(seconds):
        seconds = str(seconds)  # as the text of a template was
    text = as_text("seconds", seconds)
    if endpoint.seconds_type == "string":
        return text
    with suppress(ValueError, OverflowError):
        if (number := float(text)).is_integer():
            return int(number)
    raise InvalidRequest(f"seconds: this server takes whole seconds; got {text!r}")


def _merged(payload: Mapping[str, Any], extra_body: Mapping[str, Any] | None) -> dict[str, Any]:
    # A template that renders to nothing is an unset field, and an unset field is never sent.
    if not isinstance(extra_body or {}, Mapping):
        raise InvalidRequest(f"extra_body must be a dict of fields; got a {type(extra_body).__name__}")
    given = {name: value for name, value in payload.items() if value not in (None, "", [])}
    return _sendable(given | {name: value for name, value in (extra_body or {}).items() if value is not None})


def _sendable(fields: dict[str, Any]) -> dict[str, Any]:
    for name, value in fields.items():
        if not isinstance(name, str):
            raise InvalidRequest("the names of extra_body's fields must be texts")
        try:
            json.dumps({name: value}, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidRequest(
                f"field {name!a} of the request is nothing that JSON can carry: {_kind_of(error)}"
            ) from None
    return fields


def _kind_of(error: Exception) -> str:
    # What an encoding error quotes is a part of the prompt.
    return "half a character" if isinstance(error, UnicodeError) else str(error)
