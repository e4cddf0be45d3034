"""The fields of a connection: those of the client, of the reader, of the form and of the README."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_videos.adapters.names import Connection
from airflow_provider_videos.api.addresses import ResultHosts
from airflow_provider_videos.api.endpoint import Endpoint, Timeouts
from airflow_provider_videos.get_provider_info import get_provider_info
from airflow_provider_videos.hooks import connection
from airflow_provider_videos.hooks.connection import endpoint_of

INFO: Any = get_provider_info()
FORM = INFO["connection-types"][0]["conn-fields"]
README = (Path(__file__).parents[2] / "README.md").read_text()

COLUMNS = {
    "base_url": ({"host": "https://cloud.example/v2"}, "https://cloud.example/v2"),
    "api_key": ({"password": "another-key"}, "another-key"),
    "conn_id": ({"conn_id": "other"}, "other"),
}
# Of each field of the form: what a user enters, and what the client is told.
ENTERED: dict[str, tuple[Any, Any]] = {
    "model": ("wan-2", "wan-2"),
    "request_format": ("json", "json"),
    "seconds_type": ("integer", "integer"),
    "key_header": ("api-key", "api-key"),
    "auth_scheme": ("Key", "Key"),
    "headers": ('{"x-team": "film"}', {"x-team": "film"}),
    "query": ('{"api-version": "1"}', {"api-version": "1"}),
    "timeout": ("30", Timeouts(30, 30, 30)),
    "verify": ("false", False),
    "requests_per_minute": ("12", 12.0),
    "result_hosts": ("cdn.example.com", ResultHosts.parse(["cdn.example.com"])),
}
# Airflow masks what is called auth_header, so the form has another name for it.
RENAMED = {"key_header": "auth_header"}


def read(extra=None, **columns):
    given = {"conn_id": "it", "conn_type": "videos", "host": "http://gpu/v1", "password": "a-key", **columns}
    return endpoint_of(Connection(**given), extra or {})


def is_extra(node):
    return isinstance(node, ast.Name) and node.id == "extra"


def names_read():
    """Return the names that the reader takes out of a connection's extra."""
    calls = [
        node for node in ast.walk(ast.parse(inspect.getsource(connection))) if isinstance(node, ast.Call)
    ]
    asking = [
        call for call in calls if is_extra(getattr(call.func, "value", None)) or any(map(is_extra, call.args))
    ]
    constants = ([part.value for part in call.args if isinstance(part, ast.Constant)] for call in asking)
    return {found[0] for found in constants if found}


def test_each_field_of_the_client_comes_from_the_connection():
    from_the_form = {RENAMED.get(name, name) for name in ENTERED}
    assert {field.name for field in fields(Endpoint) if field.init} == from_the_form | set(COLUMNS)


def test_the_form_has_what_is_read_and_nothing_else():
    assert set(FORM) == set(ENTERED)
    assert names_read() == set(FORM) | set(RENAMED.values())


@pytest.mark.parametrize("field", FORM)
def test_a_field_of_the_form_changes_that_of_the_client_alone(field):
    entered, told = ENTERED[field]
    assert read({field: entered}) == replace(read(), **{RENAMED.get(field, field): told})
    assert read({field: entered}) != read()


@pytest.mark.parametrize("field", COLUMNS)
def test_a_column_changes_the_field_of_the_client_alone(field):
    columns, told = COLUMNS[field]
    assert read(**columns) == replace(read(), **{field: told})


@pytest.mark.parametrize("field", FORM)
def test_a_field_that_is_left_empty_changes_nothing(field):
    assert read({field: None}) == read()


@pytest.mark.parametrize("field", FORM)
def test_a_field_of_the_form_is_in_the_readme(field):
    assert f"`{field}`" in README
