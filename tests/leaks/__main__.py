"""
A campaign against what servers repeat: 40 forms of echo at every door, on a real Airflow at DEBUG.

Afterwards every table, XCom, log and file is searched for pieces of what was sent. A prompt may stand in one
place alone, the field ``prompt`` of a video's dict. A needle that is planted on purpose has to be found.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from demo.standalone import Airflow
from tests.leaks.forms import FORMS, HEADER, KEY, NEEDLES, QUERY, pieces
from tests.leaks.stub import Stub

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RUN_SECONDS = 400.0
# Airflow itself logs XComs at DEBUG, as Python writes them.
_OWN_PROMPT = re.compile(r"""\\*["']prompt\\*["']: ?\\*["'].*?\\*["'], ?\\*["']seconds\\*["']""")
_PIECES = {name: pieces(needle) for name, needle in NEEDLES.items()}


def main() -> None:
    """Run the campaign and say what was found."""
    with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
        home = Path(folder)
        states = _campaign(home)
        found = [*_search(home)]
        (home / "logs" / "planted.log").write_text(f"planted {FORMS['base64'](KEY)[2:30]}")
        planted = [*_search(home)]
    sys.stdout.write("".join(f"FOUND {line}\n" for line in found))
    sys.stdout.write(f"{len(FORMS)} forms of echo; tasks {states}; {len(found)} places with a needle\n")
    if len(planted) == len(found):
        sys.exit("the needle that was planted was not found: the search is blind")
    sys.exit(bool(found) or states != {"doors": "success", "list": "success"})


def _campaign(home: Path) -> dict[str, str | None]:
    output = home / "output"
    output.mkdir()
    with Stub() as stub:
        connection = {
            "conn_type": "videos",
            "host": stub.base_url,
            "password": KEY,
            "extra": {"request_format": "json", "headers": {"x-api-token": HEADER}, "query": {"sig": QUERY}},
        }
        airflow = Airflow(
            home,
            ROOT / "tests" / "leaks" / "dags",
            connections={"videos_default": json.dumps(connection)},
            env={
                "PYTHONPATH": str(ROOT),
                "LEAKS_FOLDER": str(output),
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
                "AIRFLOW__CORE__PARALLELISM": "8",
            },
        )
        with airflow:
            run = airflow.rest.trigger("leaks")
            run.wait(RUN_SECONDS)
            return {task.name: task.state for task in run.tasks() if task.map_index < 0}


def _search(home: Path) -> Iterator[str]:
    for place, text in (*_files(home), *_rows(home)):
        for name, needles in _PIECES.items():
            searched = _OWN_PROMPT.sub("", text) if name == "prompt" else text
            lowered = searched.lower()
            piece = next((piece for piece in needles if piece in lowered), None)
            if piece:
                at = lowered.index(piece)
                yield f"{name} in {place}: ...{searched[max(at - 60, 0) : at + 60]!r}"


def _files(home: Path) -> Iterator[tuple[str, str]]:
    for path in home.rglob("*"):
        if path.is_file() and not path.name.startswith("airflow.db"):
            for line in path.read_bytes().decode("utf-8", "replace").splitlines():
                yield str(path.relative_to(home)), line


def _rows(home: Path) -> Iterator[tuple[str, str]]:
    with sqlite3.connect(home / "airflow.db") as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in database.execute(f'select * from "{table}"'):
                for value in row:
                    yield table, value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    main()
