"""Who may import whom, and what a DAG file loads to be parsed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

import airflow_provider_videos
from airflow_provider_videos.get_provider_info import get_provider_info

PACKAGE = Path(airflow_provider_videos.__file__).parent
NAME = "airflow_provider_videos"

ROOMS = {
    "api": {"api"},
    "submission": {"submission", "api"},
    "polling": {"polling", "api"},
    "delivery": {"delivery", "api"},
    "emulator": {"emulator"},
    "hooks": {"hooks", "api", "airflow"},
    "triggers": {"triggers", "hooks", "polling", "api", "airflow"},
    "operators": {"operators", "hooks", "submission", "delivery", "api", "airflow"},
    "sensors": {"sensors", "triggers", "hooks", "polling", "api", "airflow"},
}
# Lower on the list knows nothing of what stands above it.
API = [
    "capabilities",
    "client",
    "lanes",
    "transport",
    "exchange",
    "requests",
    "responses",
    "models",
    "addresses",
    "redaction",
    "retry",
    "containers",
    "environment",
    "persisted",
    "errors",
    "clock",
]


def imports(path: Path) -> set[str]:
    """Every module a file names, also where it is imported late or for types alone."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return plain | {f"{node.module}.{alias.name}" for node in parts for alias in node.names}


def rooms(path: Path) -> set[str]:
    named = {tuple(name.split(".")) for name in imports(path)}
    ours = {parts[1] for parts in named if parts[0] == NAME and parts[1] != "__version__"}
    return ours | ({"airflow"} if any(parts[0] == "airflow" for parts in named) else set())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_what_the_design_lets_it(room):
    files = list((PACKAGE / room).rglob("*.py"))
    assert files
    assert {path.name: rooms(path) - ROOMS[room] for path in files if rooms(path) - ROOMS[room]} == {}


def test_every_room_is_on_the_plan():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(ROOMS)


@pytest.mark.parametrize("module", API)
def test_the_protocol_is_built_from_the_bottom(module):
    above = {f"{NAME}.api.{name}" for name in API[: API.index(module)]}
    found = imports(PACKAGE / "api" / f"{module}.py")
    assert not {name for name in found if any(name.startswith(other) for other in above)}


def test_no_status_word_is_compared_outside_the_models():
    words = {"queued", "in_progress", "completed", "failed", "processing", "cancelled", "succeeded"}
    places = [path for room in ROOMS if room != "emulator" for path in (PACKAGE / room).rglob("*.py")]
    for path in places:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and path.name != "models.py":
                constants = {child.value for child in ast.walk(node) if isinstance(child, ast.Constant)}
                assert not constants & words, f"{path.name}:{node.lineno}"


SERVERS = (
    *("vllm", "omni", "sglang", "fastvideo", "aquiles", "qvac", "litellm", "tensorrt", "trtllm", "unsloth"),
    *("new-api", "newapi", "bifrost", "llmgateway", "llm-gateway", "openrouter", "aisix", "eden", "azure"),
    *("openai", "sora"),
)


def conditions(tree: ast.AST) -> list[ast.AST]:
    """Everything that decides: comparisons, the tests of branches and loops, patterns, keys of tables."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.BoolOp | ast.match_case | ast.comprehension):
            found.append(node)
        elif isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            found.append(node.test)
        elif isinstance(node, ast.Dict):
            found += [key for key in node.keys if key]
        elif isinstance(node, ast.Set):
            found += node.elts
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.append(node)
    return found


def servers_named(source: str) -> set[str]:
    texts = [
        str(part.value if isinstance(part, ast.Constant) else part.id).lower()
        for node in conditions(ast.parse(source))
        for part in ast.walk(node)
        if isinstance(part, ast.Constant | ast.Name)
    ]
    return {name for name in SERVERS if any(name in text for text in texts)}


def test_no_condition_names_a_server():
    places = [path for path in PACKAGE.rglob("*.py") if "emulator" not in path.parts]
    assert len(places) > 20
    assert {path.name: servers_named(path.read_text()) for path in places} == {
        path.name: set() for path in places
    }


@pytest.mark.parametrize(
    "source",
    [
        'if "litellm" in url: pass',
        'x = a == "LiteLLM"',
        'y = {"litellm": 1}[name]',
        'z = name.startswith("litellm")',
        "while is_litellm: pass",
        'w = [v for v in vs if v.owner == "litellm"]',
    ],
)
def test_a_condition_that_names_one_is_found(source):
    assert servers_named(source) == {"litellm"}


def test_parsing_a_dag_file_loads_neither_clients_nor_codecs():
    heavy = ["boto3", "botocore", "av", "PIL", "starlette", "uvicorn", f"{NAME}.emulator", f"{NAME}.delivery"]
    heavy += [f"{NAME}.api.client", f"{NAME}.api.requests", f"{NAME}.polling", f"{NAME}.submission"]
    program = f"""
import sys
import airflow.sdk
before = set(sys.modules)
from {NAME}.operators.videos import VideoCreateOperator
from {NAME}.sensors.videos import VideoSensor
loaded = set(sys.modules) - before
print([name for name in {heavy!r} if any(m == name or m.startswith(name + ".") for m in loaded)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_importing_the_package_and_its_provider_info_loads_nothing_else():
    program = (
        f"import sys; b = set(sys.modules); import {NAME}.get_provider_info; print(*set(sys.modules) - b)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {NAME, f"{NAME}.get_provider_info", "__future__"}


def test_the_provider_info_is_what_airflow_s_schema_asks_for():
    schema = json.loads((Path(airflow.__path__[0]) / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_airflow_finds_the_provider():
    (found,) = [point for point in entry_points(group="apache_airflow_provider") if NAME in point.value]
    assert found.load() is get_provider_info


def test_all_that_the_provider_info_names_exists():
    info = get_provider_info()
    modules = {
        name
        for kind in ("hooks", "operators", "sensors", "triggers")
        for e in info[kind]
        for name in e["python-modules"]
    }
    for module in modules:
        __import__(module)
    (connection,) = info["connection-types"]
    from airflow_provider_videos.hooks.videos import VideosHook

    assert connection["hook-class-name"] == f"{VideosHook.__module__}.{VideosHook.__qualname__}"
    assert (connection["connection-type"], connection["hook-name"]) == (
        VideosHook.conn_type,
        VideosHook.hook_name,
    )
