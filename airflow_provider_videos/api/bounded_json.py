"""JSON of an answer, parsed within limits of time and memory; no content type or charset is believed."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

MAX_ANSWER_BYTES = 64 * 1024
"""The longest answer about one video, and how much of a refusal is read."""

MAX_PAGE_BYTES = 4 * 1024 * 1024
"""The longest page of the list, list of models, and answer to a purchase, whose id has been paid for."""

# JSON costs time and memory by its values, not by its bytes. The marks of a value are counted before parsing.
_MARKS = (b"{", b"[", b",")
_BYTES_A_MARK = 8
_MAX_MARKS = 100_000
_MAX_DEPTH = 64
_MAX_DIGITS = 1000

_READ = 10_000
_MOST_OBJECTS = 20
_HALVES_BEGIN = (b"\\ud", b"\\uD", b"\xed")


def limit_of(response: httpx.Response) -> int:
    return response.extensions.get("limit", MAX_PAGE_BYTES)  # type: ignore[no-any-return] # extensions hold anything


def json_of(response: httpx.Response) -> Any:
    """Return a body's JSON, or None; a content type or charset is never believed."""
    limit = limit_of(response)
    return None if len(response.content) > limit else parse_json(response.content, limit // _BYTES_A_MARK)


def text_of(response: httpx.Response) -> str:
    return response.content[:_READ].decode("utf-8", "replace")


def parse_json(text: bytes, most: int = _MAX_MARKS) -> Any:
    marks = [text.count(mark) for mark in _MARKS]
    if sum(marks) > min(most, _MAX_MARKS):
        return None
    try:
        value = _DECODER.decode(text.decode(json.detect_encoding(text), "surrogatepass"))
        # Going through a page of the list costs twice what reading it does.
        value = value if not any(begin in text for begin in _HALVES_BEGIN) else _storable(value)
    except (ValueError, RecursionError):
        return None
    return None if sum(marks[:2]) > _MAX_DEPTH and _is_deep(value) else value


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("more digits than any number of this protocol has")
    return int(digits)


_DECODER = json.JSONDecoder(parse_int=_int)


_NESTING = (list, dict)  # a union would be made anew for each of a page's values


def _is_deep(value: Any) -> bool:
    """Say whether values are nested so deeply that going through them could exhaust the stack."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        lists = [
            item.values() if isinstance(item, dict) else item for item in level if isinstance(item, _NESTING)
        ]
        if not lists:
            return False
        level = list(chain.from_iterable(lists))
    return True


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Find the JSON objects inside a text, as a gateway wraps what it was told."""
    at = text.find("{")
    for _ in range(_MOST_OBJECTS):
        if at < 0:
            return
        try:
            found, end = _DECODER.raw_decode(text, at)
            yield _storable(found)
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _storable(value: Any) -> Any:
    """Replace what JSON can carry and no database can store: halves of characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value
