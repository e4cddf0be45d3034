"""Values that no release writes where a field is persisted, and that JSON can hold."""

from __future__ import annotations

JUNK: tuple[object, ...] = (
    None,
    True,
    -1,
    0.5,
    10**400,
    "",
    "junk",
    "\ud800",
    [],
    [None, 1, "x", [], {}],
    {},
    {"a": {"b": [None]}},
)
