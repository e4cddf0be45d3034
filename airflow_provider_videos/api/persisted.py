"""
Codec of what survives a process: a JSON object becomes a dataclass, and that dataclass the object again.

An object may come from an older release, a newer one or a person's hand. A field that is missing, or whose
value its reader cannot use, gets its default; without a default that is one clear error. A field that this
release does not know is kept and written back. Each room declares what it keeps:

.. code-block:: python

    @dataclass(slots=True)
    class Wait:
        video_id: str = stored(text)  # required
        attempts: int = stored(count, default=0)
        clock_offset: float | None = stored(number, default=None, key="ahead")  # the key in the JSON
        answers: dict[str, Answer] = stored(map_of(record_of(Answer)), factory=dict)
        unknown: Unknown = unknown_fields()


    wait = decode(Wait, store.get("wait"))
    store.set("wait", encode(wait))

A reader is told any JSON value and returns what it means, or None if it makes no sense; a room with stricter
rules (a longest text, a latest moment) passes its own. Fields that are not :func:`stored` are not persisted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from airflow_provider_videos.api.errors import VideosError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "Instance",
    "Reader",
    "T",
    "Unknown",
    "count",
    "decode",
    "encode",
    "flag",
    "json_object",
    "list_of",
    "map_of",
    "number",
    "record_of",
    "stored",
    "text",
    "unknown_fields",
]

T = TypeVar("T")
Instance = TypeVar("Instance", bound="DataclassInstance")

Reader = Callable[[object], T | None]
Unknown = Mapping[str, Any]
"""The fields of an object that this release does not know."""

_READER, _KEY = "reader", "key"


@overload
def stored(reader: Reader[T], *, key: str | None = None) -> T: ...
@overload
def stored(reader: Reader[T], *, default: T, key: str | None = None) -> T: ...
@overload
def stored(reader: Reader[T], *, factory: Callable[[], T], key: str | None = None) -> T: ...
def stored(
    reader: Reader[Any], *, default: Any = MISSING, factory: Any = MISSING, key: str | None = None
) -> Any:
    """
    Declare a field of a dataclass that is persisted.

    :param reader: reads its value; None where that makes no sense.
    :param default: what it is where it is missing or garbled; without one, that is an error.
    :param factory: makes the default, where that is a list or a dictionary.
    :param key: its name in the JSON object; the field's own by default.
    """
    metadata = {_READER: reader, _KEY: key}
    if factory is not MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def unknown_fields() -> Unknown:
    """Declare ``unknown``, the field of a dataclass that keeps what this release does not know."""
    kept: Unknown = field(default_factory=dict, compare=False, repr=False)
    return kept


def decode(kind: type[Instance], value: object) -> Instance:
    """
    Read a dataclass out of what was persisted.

    :param kind: the dataclass; it has a field ``unknown``.
    :param value: what the store returned; anything but a JSON object counts as an empty one.
    :raises VideosError: if a field that has no default is missing or garbled.
    """
    given = dict(value) if isinstance(value, dict) else {}
    known: dict[str, Any] = {}
    for one in _stored_fields(kind):
        found = _read(one, given.pop(_key(one), None))
        if found is not None:
            known[one.name] = found
        elif one.default is MISSING and one.default_factory is MISSING:
            raise VideosError(
                f"what is persisted of a {kind.__name__} has no usable {_key(one)!r}: expected one as a "
                "release of this provider writes it; remove what is persisted to begin anew"
            )
    return kind(**known | {"unknown": given})


def encode(record: DataclassInstance) -> dict[str, Any]:
    """
    Return a dataclass as plain JSON, with the fields that this release does not know.

    :param record: the dataclass; it has a field ``unknown``.
    """
    unknown: Unknown = getattr(record, "unknown")  # noqa: B009 - a dataclass is all that is known of its type
    return {**unknown, **{_key(one): _plain(getattr(record, one.name)) for one in _stored_fields(record)}}


def text(value: object) -> str | None:
    """Read a text that is not empty and can be stored."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.encode(errors="ignore").decode() == value else None


def number(value: object) -> float | None:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def count(value: object) -> int | None:
    """Read a number of things: an integer from zero on, also one that was written with a point."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if value >= 0 else None
    found = number(value)
    return int(found) if found is not None and found >= 0 and found.is_integer() else None


def flag(value: object) -> bool | None:
    """Read a truth value."""
    return value if isinstance(value, bool) else None


def json_object(value: object) -> dict[str, Any] | None:
    """Read an object of which nothing more is known."""
    return dict(value) if isinstance(value, dict) else None


def list_of(reader: Reader[T]) -> Reader[list[T]]:
    """
    Return a reader of lists; what makes no sense in one is left out.

    :param reader: reads one of its values.
    """

    def read(value: object) -> list[T] | None:
        if not isinstance(value, list | tuple):
            return None
        return [found for one in value if (found := reader(one)) is not None]

    return read


def map_of(reader: Reader[T]) -> Reader[dict[str, T]]:
    """
    Return a reader of objects whose keys are free; what makes no sense in one is left out.

    :param reader: reads one of its values.
    """

    def read(value: object) -> dict[str, T] | None:
        if not isinstance(value, dict):
            return None
        return {key: found for key, one in value.items() if (found := reader(one)) is not None}

    return read


def record_of(kind: type[Instance]) -> Reader[Instance]:
    """
    Return a reader of a dataclass inside another one; one that lacks what it needs makes no sense.

    :param kind: the dataclass.
    """

    def read(value: object) -> Instance | None:
        try:
            return decode(kind, value)
        except VideosError:
            return None

    return read


def _stored_fields(kind: DataclassInstance | type[DataclassInstance]) -> list[Field[Any]]:
    return [one for one in fields(kind) if _READER in one.metadata]


def _key(one: Field[Any]) -> str:
    return one.metadata[_KEY] or one.name


def _read(one: Field[Any], value: object) -> Any:
    return None if value is None else one.metadata[_READER](value)


def _plain(value: Any) -> Any:
    """Return a field's value as JSON: a dataclass, a container of dataclasses, or JSON already."""
    if isinstance(value, dict):
        return {key: _encoded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(one) for one in value]
    return _encoded(value)


def _encoded(value: Any) -> Any:
    return encode(value) if is_dataclass(value) and not isinstance(value, type) else value
