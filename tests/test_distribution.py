"""Requirements of the package: every distribution that is imported is declared, and no registry is named."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"airflow_provider_videos", "dags", "demo", "docs", "tests", "example_video_to_storage"}
NOT_INSTALLED = {
    "_typeshed",  # a type checker's own
    "flask_appbuilder",  # the connection form before 3.2, where it is the one that asks for it
    "gcp_storage_emulator",  # `make test-stores` installs it into an environment of its own
    "wtforms",  # the same form
}
BY_PYTEST_ALONE = {"pytest"}  # who loads the fixture's plugin has it
TYPES_ALONE = {"mypy-boto3-s3"}
BY_AIRFLOW_2 = {"sqlalchemy"}  # its tasks read the database with what it brings
BY_ITS_OWN_CALL = {
    "apache-airflow-providers-openlineage"
}  # it asks for its own classes; without it nobody asks


def declared(*extras: str) -> set[str]:
    """Names of the requirements that the package itself and some of its extras declare."""
    lines = [*PROJECT["dependencies"]]
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return {_name(line) for line in lines}


def _name(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def imported(folder: str) -> set[str]:
    """Names of the modules that a folder's files import, early or late."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return {
        name for name in found if name.split(".")[0] not in OURS | sys.stdlib_module_names | NOT_INSTALLED
    }


def distributions(module: str) -> set[str]:
    """Names of the distributions that bring a module; of Airflow's, the one that brings this very module."""
    if module.startswith("airflow.providers."):
        provider = module.removeprefix("airflow.providers.").split(".")
        length = 2 if provider[0] == "common" else 1
        return {f"apache-airflow-providers-{'-'.join(provider[:length])}"}
    if module.split(".", maxsplit=1)[0] == "airflow":
        return {"apache-airflow"}
    return {name.lower().replace("_", "-") for name in _distributions()[module.split(".", maxsplit=1)[0]]}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def undeclared(folder: str, names: set[str]) -> dict[str, set[str]]:
    brought = {module: distributions(module) for module in sorted(imported(folder))}
    return {module: homes for module, homes in brought.items() if not homes & names}


def test_every_distribution_that_the_package_imports_is_declared():
    names = declared("amazon", "emulator") | BY_PYTEST_ALONE | TYPES_ALONE | BY_AIRFLOW_2 | BY_ITS_OWN_CALL
    assert undeclared("airflow_provider_videos", names) == {}


def test_outside_the_emulator_and_its_decoder_no_extra_is_needed():
    of_extras = declared("emulator") - declared()
    needed = {
        f"{path.parent.name}/{path.name}"
        for path in (ROOT / "airflow_provider_videos").rglob("*.py")
        if path.parent.name != "emulator" and _imports_of(path) & {"av", "PIL", "starlette", "uvicorn"}
    }
    assert of_extras
    assert needed <= {"delivery/decoding.py"}


def _imports_of(path: Path) -> set[str]:
    nodes = [*ast.walk(ast.parse(path.read_text()))]
    plain = {
        alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    return plain | {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("folder", ["tests", "demo", "docs", "dags"])
def test_every_distribution_that_a_developer_imports_is_declared(folder):
    assert undeclared(folder, declared("amazon", "emulator", "dev")) == {}


def test_no_registry_has_an_address_in_the_project_file():
    text = (ROOT / "pyproject.toml").read_text()
    assert not re.search(r"https?://|index-url|find-links", text)
