"""Operations of the contract: their facts, and the form in which either client can send one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx

from airflow_provider_videos import __version__
from airflow_provider_videos.api.bounded_json import MAX_ANSWER_BYTES
from airflow_provider_videos.api.endpoint import merged_headers, parsed_url
from airflow_provider_videos.api.retry import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_videos.api.endpoint import Endpoint
    from airflow_provider_videos.api.models import Video
    from airflow_provider_videos.api.redaction import Redactor
    from airflow_provider_videos.api.uploads import Upload

__all__ = ["KINDS", "Operation", "OperationKind"]

T = TypeVar("T")

_USER_AGENT = f"airflow-provider-videos/{__version__}"
# An encoded answer is never decoded: a few kilobytes can be gigabytes.
_OURS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": _USER_AGENT}
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class OperationKind:
    """
    Facts of one operation, the same for each of its requests.

    :param key: what records know it by; it never changes.
    :param label: what it is called in messages, which is all that depends on it.
    :param call: what it costs to repeat.
    :param is_everywhere: whether every server has it, so that a 404 means another address than a server's.
    :param not_found_may_mean: what a 404 in a web framework's own words means unless the server lacks the
        operation; None where servers do not lack it.
    :param listed_fields: the fields of its request that the list shows as they were sent: a video that shows
        another value is not the one whose answer was lost.
    """

    key: str
    label: str
    call: Call
    is_everywhere: bool = False
    not_found_may_mean: str | None = None
    listed_fields: tuple[str, ...] = ("model", "size", "seconds")


_NOT_V1 = "the base URL does not end in /v1"
_NO_SUCH_ID = "does not know the id"

CREATE = OperationKind("create", "create", Call.BUY, is_everywhere=True)
REMIX = OperationKind("remix", "remix", Call.BUY, not_found_may_mean=_NO_SUCH_ID)
EDIT = OperationKind("edit", "edit", Call.BUY, not_found_may_mean=_NO_SUCH_ID)
# Its own seconds are the total, which the request does not know.
EXTEND = replace(EDIT, key="extend", label="extend", listed_fields=("model", "size"))
# It costs what a purchase costs when it is repeated blindly: there would be two.
CREATE_CHARACTER = OperationKind("create character", "create character", Call.BUY, not_found_may_mean=_NOT_V1)
GET_CHARACTER = OperationKind("get character", "get character", Call.READ, not_found_may_mean=_NO_SUCH_ID)
RETRIEVE = OperationKind("retrieve", "retrieve", Call.READ)
DELETE = OperationKind("delete", "delete", Call.DELETE)
LIST = OperationKind("list", "list", Call.READ, not_found_may_mean=_NOT_V1)
DOWNLOAD = OperationKind("download", "download", Call.READ)
PROBE = OperationKind("probe", "probe", Call.READ)
LIST_MODELS = OperationKind("list models", "list models", Call.READ, is_everywhere=True)

KINDS = (
    *(CREATE, REMIX, EDIT, EXTEND, CREATE_CHARACTER),
    *(GET_CHARACTER, RETRIEVE, DELETE, LIST, DOWNLOAD, PROBE, LIST_MODELS),
)


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """
    One operation of the contract, ready to be sent.

    :param kind: which operation it is.
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

    kind: OperationKind
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
    longest: int = MAX_ANSWER_BYTES
    job: Operation[Video] | None = None
    location: str | None = field(default=None, repr=False)
    redacts: bool = True

    @property
    def name(self) -> str:
        """The operation's name in messages."""
        return self.kind.label

    @property
    def call(self) -> Call:
        """What it costs to repeat it."""
        return self.kind.call

    def fingerprint(self, endpoint: Endpoint) -> str:
        """
        Return a hash that tells this request from any other; it gives nothing of the request away.

        :param endpoint: the server it goes to.
        """
        files = {name: upload.sha256() for name, upload in self.files.items()}
        # A key may be rotated between two tries.
        whole = [self.kind.key, endpoint.base_url, endpoint.public_settings(), self.path, self.payload, files]
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
        url = httpx.URL(self.location) if self.location else parsed_url(endpoint.url(self.path))
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
        return {"files": {**fields, **{name: upload.part() for name, upload in self.files.items()}}}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
