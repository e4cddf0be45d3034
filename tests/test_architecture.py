"""Import arrows between rooms, and what a DAG file loads to be parsed."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

import airflow_provider_videos
from airflow_provider_videos.adapters import names
from airflow_provider_videos.get_provider_info import get_provider_info

PACKAGE = Path(airflow_provider_videos.__file__).parent
NAME = "airflow_provider_videos"

ROOMS = {
    "api": {"api"},
    "submission": {"submission", "api"},
    "polling": {"polling", "api"},
    "delivery": {"delivery", "api"},
    "emulator": {"emulator"},
    "adapters": {"adapters", "api", "airflow"},
    "hooks": {"hooks", "adapters", "api", "get_provider_info"},
    "triggers": {"triggers", "hooks", "adapters", "polling", "api"},
    "operators": {"operators", "hooks", "adapters", "submission", "delivery", "api"},
    "sensors": {"sensors", "triggers", "hooks", "adapters", "polling", "api"},
}
# Those adapters that need more than Airflow's names and its release.
ADAPTERS = {
    "connections": {"supervisor"},
    "state": {"task_states", "variables"},
    "task_states": {"database", "supervisor"},
    "variables": {"database", "supervisor"},
}
# Modules beside the rooms, which Airflow or a shell loads by itself.
ALONE = {
    "__init__.py": set(),
    "get_provider_info.py": set(),
    "doctor.py": {"hooks", "adapters", "api"},
    "pytest_plugin.py": {"emulator", "api"},
}
# Lower on the list knows nothing of what stands above it.
API = [
    "capabilities",
    "client",
    "transport_adapter",
    "lanes",
    "reading",
    "transport",
    "content",
    "exchange",
    "requests",
    "responses",
    "failures",
    "operations",
    "uploads",
    "endpoint",
    "bounded_json",
    "models",
    "addresses",
    "headers",
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


@pytest.mark.parametrize("name", ALONE)
def test_a_module_beside_the_rooms_knows_only_what_the_design_lets_it(name):
    assert rooms(PACKAGE / name) <= ALONE[name]


def test_every_module_beside_the_rooms_is_on_the_plan():
    assert {path.name for path in PACKAGE.glob("*.py")} == set(ALONE)


@pytest.mark.parametrize("path", sorted((PACKAGE / "adapters").glob("*.py")), ids=lambda path: path.stem)
def test_an_adapter_stands_on_those_below_it(path):
    stands_on = {name.split(".")[2] for name in imports(path) if name.startswith(f"{NAME}.adapters.")}
    assert stands_on <= {"names", "release", *ADAPTERS.get(path.stem, ())}


def test_only_adapters_ask_which_airflow_is_installed():
    asks = re.compile(
        r"adapters\.release|adapters import release|importlib\.metadata|AIRFLOW_V|airflow\.(__)?version"
    )
    found = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if asks.search(path.read_text())}
    assert {path.parts[0] for path in found} == {"adapters"}


def test_what_is_only_for_old_releases_says_until_which():
    bounds = [bound for homes in names._BEFORE.values() for bound in homes]
    assert names._BEFORE.keys() <= names._MODULES.keys()
    assert set(bounds) <= {(3, 0), (3, 1), (3, 2), (3, 3)}
    adapters = (PACKAGE / "adapters").glob("*.py")
    asked = [ast.unparse(call) for path in adapters for call in calls(path, "is_before")]
    assert len(asked) > 10
    assert all(re.fullmatch(r"is_before\(3, [0-3]\)", call) for call in asked)


def calls(path: Path, name: str) -> list[ast.Call]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return [
        node
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


@pytest.mark.parametrize(
    ("installed", "name", "home"),
    [
        ((2, 11), "TaskDeferralTimeout", "airflow_provider_videos.adapters.stand_ins"),
        ((3, 0), "TaskDeferralTimeout", "airflow.exceptions"),
        ((3, 1), "TaskDeferralTimeout", "airflow.exceptions"),
        ((3, 2), "TaskDeferralTimeout", "airflow.sdk.exceptions"),
        ((2, 11), "Asset", "airflow.datasets:Dataset"),
        ((3, 0), "Asset", "airflow.sdk"),
        ((3, 0), "BaseHook", "airflow.hooks.base"),
        ((3, 4), "BaseHook", "airflow.sdk"),
    ],
)
def test_a_name_comes_from_where_the_release_has_it(installed, name, home):
    assert names._home(name, installed) == home


def test_one_adapter_alone_knows_the_task_runner():
    knows = {path.name for path in PACKAGE.rglob("*.py") if "task_runner" in path.read_text()}
    assert knows == {"supervisor.py"}


def airflow_by_name(source: str) -> set[str]:
    """Return the modules of Airflow that a text names to have them imported."""
    texts = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"airflow(\.\w+)+", text)}


def test_no_module_beside_the_adapters_names_one_of_airflow_s():
    others = [path for path in PACKAGE.rglob("*.py") if "adapters" not in path.parts]
    assert {path.name: found for path in others if (found := airflow_by_name(path.read_text()))} == {}
    assert airflow_by_name('import_module("airflow.sdk")') == {"airflow.sdk"}


def test_a_name_of_airflow_has_one_home_for_types_and_at_run_time():
    tree = ast.parse((PACKAGE / "adapters" / "names.py").read_text())
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow.")
        for alias in node.names
    }
    assert typed == names._MODULES
    assert sorted(names.__all__) == sorted(typed)
    assert [name for name in typed if not hasattr(names, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'Unknown'"):
        names.Unknown  # noqa: B018 - asking is the test


def test_the_names_of_airflow_load_nothing_until_they_are_asked_for():
    program = (
        f"import sys, {NAME}.adapters.names; print([m for m in sys.modules if m.split('.')[0] == 'airflow'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", API)
def test_the_protocol_is_built_from_the_bottom(module):
    above = {f"{NAME}.api.{name}" for name in API[: API.index(module)]}
    found = imports(PACKAGE / "api" / f"{module}.py")
    assert not {name for name in found if any(name.startswith(other) for other in above)}


def test_every_module_of_the_protocol_is_on_the_list():
    modules = {path.stem for path in (PACKAGE / "api").rglob("*.py")} - {"__init__"}
    assert modules == set(API)
    assert len(API) == len(set(API))


def names_used_of_the_protocol(tree: ast.AST) -> set[tuple[str, str]]:
    """Modules of the protocol and names out of them that a file takes."""
    nodes = list(ast.walk(tree))
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    used = {
        (str(node.module).removeprefix(f"{NAME}.api."), alias.name)
        for node in froms
        if str(node.module).startswith(f"{NAME}.api.")
        for alias in node.names
    }
    modules = {
        alias.asname or alias.name: alias.name
        for node in froms
        if node.module == f"{NAME}.api"
        for alias in node.names
    }
    attributes = [
        node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    ]
    return used | {
        (modules[node.value.id], node.attr)
        for node in attributes
        if isinstance(node.value, ast.Name) and node.value.id in modules
    }


def is_public(module: str, name: str) -> bool:
    return name in getattr(importlib.import_module(f"{NAME}.api.{module}"), "__all__", ())


def test_others_use_what_the_protocol_s_modules_call_public():
    rooms = [path for path in PACKAGE.rglob("*.py") if "api" not in path.relative_to(PACKAGE).parts]
    others = [path for folder in ("dags", "demo") for path in (PACKAGE.parent / folder).rglob("*.py")]
    used = {
        (path.name, *use)
        for path in rooms + others
        for use in names_used_of_the_protocol(ast.parse(path.read_text()))
    }
    assert len(used) > 100
    assert {use for use in used if not is_public(*use[1:])} == set()


@pytest.mark.parametrize(
    "source",
    [
        f"from {NAME}.api.transport import Transport",
        f"from {NAME}.api import requests as r\nr.nothing_public()",
        f"def late():\n    from {NAME}.api.retry import judge",
    ],
)
def test_a_use_of_what_is_not_public_is_found(source):
    (use,) = names_used_of_the_protocol(ast.parse(source))
    assert not is_public(*use)


@pytest.mark.parametrize("module", API)
def test_what_is_called_public_is_there(module):
    loaded = importlib.import_module(f"{NAME}.api.{module}")
    public = getattr(loaded, "__all__", [])
    assert not [name for name in public if name.startswith("_") or not hasattr(loaded, name)]
    assert len(public) == len(set(public))


def test_no_status_word_is_compared_outside_the_models():
    words = {"queued", "in_progress", "completed", "failed", "processing", "cancelled", "succeeded"}
    places = [path for room in ROOMS if room != "emulator" for path in (PACKAGE / room).rglob("*.py")]
    for path in places:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and path.name != "models.py":
                constants = {child.value for child in ast.walk(node) if isinstance(child, ast.Constant)}
                assert not constants & words, f"{path.name}:{node.lineno}"


def test_one_store_alone_knows_the_sdk_of_s3():
    knows = {"boto3", "botocore"}
    found = {path.name for path in PACKAGE.rglob("*.py") if {n.split(".")[0] for n in imports(path)} & knows}
    assert found == {"s3.py"}


def test_no_destination_is_told_by_comparing_its_scheme():
    """What differs between destinations is their store's, found in the registry."""
    for room in ("delivery", "operators", "adapters", "hooks", "sensors", "triggers"):
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Compare) and any(
                    isinstance(op, ast.Eq | ast.NotEq) for op in node.ops
                ):
                    assert "scheme" not in ast.unparse(node), f"{path.name}:{node.lineno}"


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
    places = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "emulator" / "profiles.py"]
    assert len(places) > 40
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
    heavy += ["airflow.triggers", "airflow.listeners", "airflow.providers", f"{NAME}.adapters.storage"]
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
