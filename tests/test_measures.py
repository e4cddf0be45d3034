from __future__ import annotations

import pytest

from tests import measures
from tests.measures import Module

SHORT = "def f():\n    pass\n"


def breaches(source: str, path: str = "airflow_provider_videos/api/made_up.py") -> list[str]:
    return measures.measure([Module(path, source)]).breaches


def function(lines: int, docstring: int = 0) -> str:
    words = '    """\n' + "    Word.\n" * (docstring - 2) + '    """\n' if docstring else ""
    return SHORT * 9 + f"def long():\n{words}" + "    pass\n" * (lines - 1)


def kinds(found: list[str]) -> list[str]:
    return [line for line in found if "docstrings" not in line]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (function(40), []),
        (function(40, docstring=20), []),
        (function(41), ["airflow_provider_videos/api/made_up.py:long: 41 lines, at most 40"]),
        ("def f():\n" + "    pass\n" * 8, ["median function: 9 lines, at most 8"]),
        (SHORT + "x = 1\n" * 499, ["airflow_provider_videos/api/made_up.py: 501 lines, at most 500"]),
        (SHORT + "# why\n" * 2 + "x = 1\n" * 9, ["comments: 15.3846 %, at most 6"]),
        (
            "class C:\n" + "    def m(self):\n        pass\n" * 21,
            ["airflow_provider_videos/api/made_up.py:C: 21 methods, at most 20"],
        ),
        (
            '"""What it is."""\n' + SHORT,
            ["airflow_provider_videos/api/made_up.py: the docstring begins without its subject"],
        ),
        (
            SHORT + 'class C:\n    """\n    Whether it is.\n    """\n',
            ["airflow_provider_videos/api/made_up.py:C: the docstring begins without its subject"],
        ),
    ],
)
def test_each_measure_is_held_at_its_limit(source, expected):
    assert kinds(breaches(source)) == expected


def test_a_room_without_docstrings_is_a_breach_and_the_emulator_may_be_one():
    assert breaches(SHORT) == ["api: 0.0 % docstrings, 15 to 40 % expected"]
    assert breaches(SHORT, "airflow_provider_videos/emulator/made_up.py") == []


def test_a_banned_name_is_found_in_code_and_in_a_file_s_name_but_not_in_words(monkeypatch):
    monkeypatch.setattr(measures, "BANNED_IDENTIFIERS", frozenset({"courier", "adopted"}))
    monkeypatch.setattr(measures, "BANNED_FILES", frozenset({"courier"}))
    monkeypatch.setattr(measures, "FROZEN", frozenset({"adopted"}))
    path = "tests/courier.py"
    found = breaches(SHORT + 'courier = adopted = "courier"\n', path)
    assert found == [f"{path}: a banned file name", f"{path}: the banned name courier"]
    assert breaches(SHORT + 'carrier = "courier"  # courier\n', "tests/c.py")[1:] == []


def test_an_exception_names_what_is_there_and_is_above_the_limit():
    found = {module.path for module in measures.sources()}
    assert {name.split(":")[0] for name in measures.EXCEPTIONS} <= found
