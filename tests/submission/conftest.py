from __future__ import annotations

import json

import pytest


class Registry(dict):
    """Variables in memory, which fail as often as they are told to before they work."""

    failures = 0

    def keys(self, prefix=""):
        return sorted(key for key in self if key.startswith(prefix))

    def set(self, key, value):
        self._fail()
        self[key] = json.loads(json.dumps(value))

    def delete(self, key):
        self._fail()
        self.pop(key, None)

    def _fail(self):
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the API server restarts")


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def store():
    """A task state store in memory."""
    return Registry()
