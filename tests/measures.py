"""
Measures of the code, printed and held by ``make lint``: sizes, comments, docstrings and banned names.

``EXCEPTIONS`` holds what is above a limit today, each with a limit of its own; it only shrinks.
"""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "airflow_provider_videos"
FOLDERS = (PACKAGE, "dags", "demo", "docs", "tests")
NOT_THE_PRODUCT = {"emulator"}

FUNCTION_LINES = 40
FUNCTION_MEDIAN = 8
MODULE_LINES = 500
CLASS_METHODS = 20
COMMENT_SHARE = 6.0
DOCSTRING_SHARE = (15.0, 40.0)
SUBJECTLESS = ("What", "Where", "Whether")

EXCEPTIONS = {
    f"{PACKAGE}/get_provider_info.py:get_provider_info": 80,  # one literal
    f"{PACKAGE}/hooks/videos.py:VideosHook": 25,  # the clients and the hook mirror the protocol
    f"{PACKAGE}/operators/videos.py": 750,  # one module a service, by Airflow's convention
    # These are to shrink to the limits.
    f"{PACKAGE}/polling/poller.py:Poller": 22,
    "tests/api/test_client.py": 800,
    "tests/api/test_models.py": 600,
    "tests/api/test_responses.py": 800,
    "tests/delivery/test_deliver.py": 650,
    "tests/emulator/test_faults.py": 550,
    "tests/submission/test_durable.py": 750,
}

# Identifiers (whole names) and the names of files (without a suffix) that a plainer word has replaced.
BANNED_IDENTIFIERS: frozenset[str] = frozenset()
BANNED_FILES: frozenset[str] = frozenset()
# Keys that are persisted or public keep their names; as strings they are no identifiers and never counted.
FROZEN: frozenset[str] = frozenset()

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function


@dataclass(frozen=True)
class Module:
    """
    One parsed source file.

    :param path: its path below the root.
    :param source: its text.
    """

    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def lines(self) -> int:
        return len(self.source.splitlines())

    @cached_property
    def written_lines(self) -> int:
        """Lines that are not blank."""
        return sum(bool(line.strip()) for line in self.source.splitlines())

    @cached_property
    def comment_lines(self) -> int:
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        return sum(token.type == tokenize.COMMENT for token in tokens)

    @cached_property
    def docstring_lines(self) -> int:
        expressions = [docstring_of(node) for node in ast.walk(self.tree) if isinstance(node, Documented)]
        return sum(_height(expression) for expression in expressions if expression is not None)

    @property
    def room(self) -> str:
        """First folder below the package; empty for modules beside the rooms."""
        _, *inner = Path(self.path).parts
        return inner[0] if len(inner) > 1 else ""

    def named(self, kind: type | tuple[type, ...]) -> Iterator[tuple[str, ast.AST]]:
        """
        Yield definitions of a kind, nested ones, too, with their dotted names.

        :param kind: classes of syntax nodes.
        """

        def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
            for child in ast.iter_child_nodes(node):
                name = f"{prefix}.{child.name}" if isinstance(child, ast.ClassDef | Function) else prefix
                if isinstance(child, kind):
                    yield f"{self.path}:{name.lstrip('.')}", child
                yield from walk(child, name)

        return walk(self.tree, "")


@dataclass
class Findings:
    """Breaches of the limits, and figures to print."""

    breaches: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    def hold(self, name: str, value: float, limit: float, unit: str) -> None:
        allowed = max(limit, EXCEPTIONS.get(name, 0))
        if value > allowed:
            self.breaches.append(f"{name}: {value:g} {unit}, at most {allowed:g}")


def docstring_of(node: Documented) -> ast.Expr | None:
    """
    Return the docstring's statement.

    :param node: a module, class or function.
    """
    if ast.get_docstring(node) is None:
        return None
    first = node.body[0]
    return first if isinstance(first, ast.Expr) else None


def _height(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def function_lines(node: Function) -> int:
    """
    Count a function's lines from ``def`` on, without its docstring.

    :param node: the function.
    """
    docstring = docstring_of(node)
    return _height(node) - (_height(docstring) if docstring else 0)


def check_functions(modules: Iterable[Module], findings: Findings) -> None:
    """
    Hold the length of functions.

    :param modules: the code to look at.
    :param findings: gets what was found.
    """
    functions = [
        (function_lines(node), name)
        for module in modules
        for name, node in module.named((ast.FunctionDef, ast.AsyncFunctionDef))
        if isinstance(node, Function)
    ]
    for lines, name in functions:
        findings.hold(name, lines, FUNCTION_LINES, "lines")
    median = statistics.median(lines for lines, _ in functions)
    findings.hold("median function", median, FUNCTION_MEDIAN, "lines")
    longest, where = max(functions)
    findings.figures.append(
        f"{len(functions)} functions: median {median:g} lines, longest {longest} ({where})"
    )


def check_modules(modules: Iterable[Module], findings: Findings) -> None:
    """
    Hold the length of modules and the number of a class's methods.

    :param modules: the code to look at.
    :param findings: gets what was found.
    """
    for module in modules:
        findings.hold(module.path, module.lines, MODULE_LINES, "lines")
        for name, node in module.named(ast.ClassDef):
            methods = sum(isinstance(child, Function) for child in ast.iter_child_nodes(node))
            findings.hold(name, methods, CLASS_METHODS, "methods")
    longest = max(modules, key=lambda module: module.lines)
    findings.figures.append(
        f"{sum(1 for _ in modules)} modules: longest {longest.lines} lines ({longest.path})"
    )


def check_comments(modules: Iterable[Module], findings: Findings) -> None:
    """
    Hold the share of lines with a comment.

    :param modules: the code to look at.
    :param findings: gets what was found.
    """
    share = _share(modules, "comment_lines")
    findings.hold("comments", share, COMMENT_SHARE, "%")
    findings.figures.append(f"comments: {share:.1f} %")


def check_docstrings(modules: Iterable[Module], findings: Findings) -> None:
    """
    Hold each product room's share of docstrings, and the first words of all of modules and classes.

    :param modules: the code to look at.
    :param findings: gets what was found.
    """
    rooms: dict[str, list[Module]] = {}
    for module in modules:
        if module.path.startswith(PACKAGE) and module.room not in NOT_THE_PRODUCT | {""}:
            rooms.setdefault(module.room, []).append(module)
    low, high = DOCSTRING_SHARE
    for room, inside in rooms.items():
        share = _share(inside, "docstring_lines")
        findings.figures.append(f"docstrings of {room}: {share:.0f} %")
        if not low <= share <= high:
            findings.breaches.append(f"{room}: {share:.1f} % docstrings, {low:g} to {high:g} % expected")
    for module in modules:
        for name, node in [(module.path, module.tree), *module.named(ast.ClassDef)]:
            if isinstance(node, Documented) and (ast.get_docstring(node) or "-").split()[0] in SUBJECTLESS:
                findings.breaches.append(f"{name}: the docstring begins without its subject")


def check_names(modules: Iterable[Module], findings: Findings) -> None:
    """
    Hold that no banned name is back, as an identifier or as a file.

    :param modules: the code to look at.
    :param findings: gets what was found.
    """
    for module in modules:
        if Path(module.path).stem in BANNED_FILES:
            findings.breaches.append(f"{module.path}: a banned file name")
        for name in sorted(identifiers(module) & (BANNED_IDENTIFIERS - FROZEN)):
            findings.breaches.append(f"{module.path}: the banned name {name}")


def identifiers(module: Module) -> set[str]:
    """
    Collect every name of a module's code; what strings and comments say is not in it.

    :param module: the code to look at.
    """
    tokens = tokenize.generate_tokens(io.StringIO(module.source).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def _share(modules: Iterable[Module], measure: str) -> float:
    counted = sum(getattr(module, measure) for module in modules)
    return 100 * counted / max(1, sum(module.written_lines for module in modules))


def measure(modules: list[Module]) -> Findings:
    """
    Take every measure.

    :param modules: the code to look at.
    """
    findings = Findings()
    for check in (check_functions, check_modules, check_comments, check_docstrings, check_names):
        check(modules, findings)
    return findings


def sources() -> list[Module]:
    """Read all code of the repository."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [Module(str(path.relative_to(ROOT)), path.read_text()) for path in paths]


def main() -> int:
    """Print the figures and the breaches; 1 if there are any."""
    findings = measure(sources())
    sys.stdout.write("\n".join([*findings.figures, *findings.breaches, ""]))
    return int(bool(findings.breaches))


if __name__ == "__main__":
    sys.exit(main())
