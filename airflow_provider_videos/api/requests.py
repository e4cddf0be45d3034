"""
Requests to a Videos server: a builder for each operation.

A builder returns an :class:`.Operation`, plain data that either client shell can send. The shapes are those
of the contract; what differs between servers is a field of :class:`.Endpoint`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from airflow_provider_videos.api import operations, responses
from airflow_provider_videos.api.bounded_json import MAX_PAGE_BYTES
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.api.errors import InvalidRequest
from airflow_provider_videos.api.failures import find_failed_video
from airflow_provider_videos.api.models import VideoDeleted
from airflow_provider_videos.api.operations import Operation
from airflow_provider_videos.api.uploads import Reference, Upload

if TYPE_CHECKING:
    import httpx

    from airflow_provider_videos.api.models import Character, Video, VideoPage
    from airflow_provider_videos.api.operations import OperationKind

__all__ = [
    "DEFAULT_VARIANT",
    "LONGEST_PAGE",
    "Endpoint",
    "Operation",
    "Timeouts",
    "Upload",
    "as_text",
    "create",
    "create_character",
    "delete",
    "download_content",
    "edit",
    "extend",
    "get_character",
    "list_models",
    "list_page",
    "probe",
    "remix",
    "retrieve",
    "uncached",
]

T = TypeVar("T")


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
    # A reference by id or URL is JSON in the contract.
    as_json = endpoint.request_format == "json" or isinstance(input_reference, Mapping)
    part = None if as_json or not isinstance(input_reference, Upload) else input_reference
    payload: dict[str, Any] = {
        "prompt": _checked_prompt(prompt),
        "model": _optional("model", model) or endpoint.model,
        "seconds": _seconds(endpoint, seconds),
        "size": _optional("size", size),
        "characters": _characters(characters),
        "input_reference": None if part else _reference(input_reference),
    }
    return Operation(
        kind=operations.CREATE,
        method="POST",
        path="/videos",
        payload=_merged(payload, extra_body),
        files={"input_reference": part} if part else {},
        as_json=as_json,
        read=responses.read_video,
        longest=MAX_PAGE_BYTES,
    )


def _reference(given: object) -> dict[str, Any] | None:
    if isinstance(given, Upload):
        return {"image_url": given.data_url()}
    if given is None or isinstance(given, Mapping):
        return None if given is None else dict(given)
    raise InvalidRequest(
        "input_reference must be a file, or a dict with a file_id or an image_url, not "
        f"{type(given).__name__}"
    )


def remix(video_id: str, prompt: str, *, extra_body: Mapping[str, Any] | None = None) -> Operation[Video]:
    """Build ``POST /videos/{id}/remix``."""
    video_id = _checked_id(video_id)
    return Operation(
        kind=operations.REMIX,
        method="POST",
        path=f"{_video_path(video_id)}/remix",
        video_id=video_id,
        payload=_merged({"prompt": _checked_prompt(prompt)}, extra_body),
        read=responses.read_video,
        longest=MAX_PAGE_BYTES,
    )


def edit(
    video: str | Upload, prompt: str, *, extra_body: Mapping[str, Any] | None = None
) -> Operation[Video]:
    """Build ``POST /videos/edits``."""
    return _derive(operations.EDIT, "/videos/edits", video, {"prompt": _checked_prompt(prompt)}, extra_body)


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
    return _derive(operations.EXTEND, "/videos/extensions", video, payload, extra_body)


def _derive(
    kind: OperationKind,
    path: str,
    video: str | Upload,
    payload: Mapping[str, Any],
    extra_body: Mapping[str, Any] | None,
) -> Operation[Video]:
    """Build a purchase made from a video: the server's by its id as JSON, one of ours as a file part."""
    video_id = None if isinstance(video, Upload) else _checked_id(video)
    return Operation(
        kind=kind,
        method="POST",
        path=path,
        video_id=video_id,
        payload=_merged({**payload, "video": video_id and {"id": video_id}}, extra_body),
        files={"video": video} if isinstance(video, Upload) else {},
        as_json=not isinstance(video, Upload),
        read=responses.read_video,
        longest=MAX_PAGE_BYTES,
    )


def create_character(name: str, video: Upload) -> Operation[Character]:
    """Build ``POST /videos/characters``."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidRequest("name must be a text of at least one character; it is empty")
    return Operation(
        kind=operations.CREATE_CHARACTER,
        method="POST",
        path="/videos/characters",
        payload={"name": name},
        files={"video": video},
        as_json=False,
        read=responses.read_character,
        longest=MAX_PAGE_BYTES,
    )


def get_character(character_id: str) -> Operation[Character]:
    """Build ``GET /videos/characters/{id}``."""
    return Operation(
        kind=operations.GET_CHARACTER,
        method="GET",
        path=f"/videos/characters/{quote(_checked_id(character_id, 'character_id'), safe='')}",
        read=responses.read_character,
    )


def retrieve(video_id: str, *, fresh: bool = False) -> Operation[Video]:
    """Build ``GET /videos/{id}``."""
    video_id = _checked_id(video_id)
    return Operation(
        kind=operations.RETRIEVE,
        method="GET",
        path=_video_path(video_id),
        video_id=video_id,
        read=responses.read_video,
        rescue=lambda response: find_failed_video(response, video_id),
        fresh=fresh,
    )


def delete(video_id: str) -> Operation[VideoDeleted]:
    """Build ``DELETE /videos/{id}``."""
    video_id = _checked_id(video_id)
    return Operation(
        kind=operations.DELETE,
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
        kind=operations.LIST,
        method="GET",
        path="/videos",
        query={name: str(value) for name, value in query.items() if value is not None},
        read=responses.read_page,
        longest=MAX_PAGE_BYTES,
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
        kind=_download_of(variant),
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


def _download_of(variant: str) -> OperationKind:
    if variant == DEFAULT_VARIANT:
        return operations.DOWNLOAD
    return replace(operations.DOWNLOAD, label=f"download of the {variant}")


def probe(method: str, path: str) -> Operation[httpx.Response]:
    """Build a request whose answer is looked at whatever it is: see :mod:`.capabilities`."""
    return Operation(kind=operations.PROBE, method=method, path=path, read=_as_it_is, rescue=_as_it_is)


def _as_it_is(response: httpx.Response) -> httpx.Response:
    return response


def list_models() -> Operation[list[str]]:
    """Build ``GET /models``, which costs nothing and shows whether address and key are right."""
    return Operation(
        kind=operations.LIST_MODELS,
        method="GET",
        path="/models",
        read=responses.read_model_names,
        longest=MAX_PAGE_BYTES,
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
