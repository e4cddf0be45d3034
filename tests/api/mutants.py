"""
Mutants of the readers: small mistakes drawn from a seed, each of which a test of the readers has to catch.

``make readers`` runs it; ``MUTANT_SEED`` draws others, ``MUTANTS`` more.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

# Loaded once; each mutant is a fork of this process.
import httpx  # noqa: F401
import pydantic  # noqa: F401
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ROOT = Path(__file__).parents[2]
READERS = [
    f"airflow_provider_videos.api.{name}"
    for name in ("responses", "failures", "headers", "bounded_json", "models", "containers")
]
TESTS = [f"tests/api/test_{name}.py" for name in ("responses", "models", "containers", "errors")]
LONGEST_CONTROL = 600

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
}


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it is, and the module's source with it."""

    module: str
    line: int
    change: str
    source: str


def path_of(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


def mutants(module: str) -> Iterator[Mutant]:
    """Every mistake that can be made in a module."""
    tree = ast.parse(path_of(module).read_text())
    for number, node in enumerate(ast.walk(tree)):
        if _is_code(tree, node):
            for change in range(_ways(node)):
                mistaken = copy.deepcopy(tree)
                there = next(found for at, found in enumerate(ast.walk(mistaken)) if at == number)
                before = ast.unparse(there)
                _mutate(there, change)
                after, line = ast.unparse(there), getattr(node, "lineno", 0)
                yield Mutant(module, line, f"{before}  ->  {after}"[:110], ast.unparse(mistaken))


def _is_code(tree: ast.Module, node: ast.AST) -> bool:
    """Whether a node runs: no annotation, no docstring, nothing for type checkers."""
    return isinstance(node, ast.expr | ast.If | ast.Return) and id(node) not in _silent(tree)


def _silent(tree: ast.Module) -> set[int]:
    if not hasattr(tree, "silent"):
        roots: list[ast.AST] = []
        for node in ast.walk(tree):
            roots += [
                part for part in (getattr(node, "annotation", None), getattr(node, "returns", None)) if part
            ]
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                roots.append(node)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                roots.append(node)
        tree.silent = {id(inner) for root in roots for inner in ast.walk(root)}  # type: ignore[attr-defined]
    return tree.silent  # type: ignore[attr-defined]


def _ways(node: ast.AST) -> int:
    match node:
        case ast.Compare(ops=[op]) if type(op) in SWAPS:
            return 1
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.If() | ast.IfExp() | ast.BinOp(op=ast.Add()):
            return 1
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            return 1
        case ast.Constant(value=bool() | int()):
            return 1
        case ast.Set(elts=elements) | ast.Tuple(elts=elements, ctx=ast.Load()) if len(elements) > 1:
            return len(elements)
    return 0


def _mutate(node: ast.AST, change: int) -> None:
    match node:
        case ast.Compare(ops=[op]):
            node.ops = [SWAPS[type(op)]()]  # type: ignore[list-item]
        case ast.BoolOp(op=op) | ast.BinOp(op=op):
            node.op = SWAPS[type(op)]()  # type: ignore[assignment]
        case ast.UnaryOp(operand=operand):
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), operand)
        case ast.If(test=test) | ast.IfExp(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
        case ast.Return():
            node.value = ast.Constant(None)
        case ast.Constant(value=value):
            node.value = not value if isinstance(value, bool) else value + 1  # type: ignore[operator]
        case ast.Set(elts=elements) | ast.Tuple(elts=elements):
            del elements[change]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives out a mutant for its module."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.mutant.module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.source, "mutant", "exec"), module.__dict__)


def is_caught(mutant: Mutant | None, patience: int) -> bool:
    """Whether the tests of the readers fail with it, or do not end in so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        child = os.fork()
        if child == 0:
            signal.alarm(patience)  # a mutant may never end
            tempfile.tempdir = folder  # os._exit tidies nothing up
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            if mutant:
                # Before pytest puts a finder of its own in front.
                sys.meta_path.insert(0, _Finder(mutant))
                importlib.import_module(mutant.module)
            os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *TESTS])))
        return os.waitpid(child, 0)[1] != 0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="readers")
    parser.add_argument("--count", type=int, default=20)
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    started = time.monotonic()
    if is_caught(None, LONGEST_CONTROL):
        sys.exit("the readers' tests fail without any mutant")
    patience = 60 + int(20 * (time.monotonic() - started))
    everything = [mutant for module in READERS for mutant in mutants(module)]
    drawn = random.Random(given.seed).sample(everything, min(given.count, len(everything)))
    caught = 0
    for mutant in drawn:
        if is_caught(mutant, patience):
            caught += 1
        else:
            sys.stdout.write(f"NOT CAUGHT {mutant.module}:{mutant.line}  {mutant.change}\n")
            sys.stdout.flush()
    whole = (
        f"{len(drawn)} mutants of the readers caught (seed {given.seed!r}, of {len(everything)} there are)"
    )
    sys.stdout.write(f"{caught} of {whole}\n")
    sys.exit(caught < len(drawn))


if __name__ == "__main__":
    main()
