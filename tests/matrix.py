"""
The unit tests on the Airflow and Python versions that are promised, each in an environment of its own.

The newest pre-release of Airflow may fail, with its reason shown; everything else has to pass.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
PRE_RELEASE = re.compile(r"\d+(?:\.\d+)*(?:a|b|rc)\d+")


@dataclass(frozen=True)
class Cell:
    """
    One combination.

    :param python: the interpreter.
    :param airflow: a pre-release; None is what the constraints file says.
    """

    python: Path
    airflow: str | None = None

    @property
    def name(self) -> str:
        """What it is called in the table."""
        version = ".".join(map(str, _version(self.python) or ()))
        return f"Airflow {self.airflow or _constrained()}, Python {version}"

    def run(self) -> str:
        """Install, test, and return why it failed; nothing if it passed."""
        venv = ROOT / ".cache" / "matrix" / re.sub(r"[ ,]+", "-", self.name.lower())
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([self.python, "-m", "venv", venv], check=True)
        python = venv / "bin" / "python"
        wanted = ["--constraint", "constraints.txt"] if self.airflow is None else [self._pinned()]
        install = _captured(python, "-m", "pip", "install", "--quiet", *wanted, "--editable", ".[dev]")
        if install.returncode:
            return f"does not install: {_last_line(install.stderr)}"
        tests = _captured(
            *(python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"),
            *("-m", "not system and not gateway", "-p", "no:cacheprovider"),
        )
        print(tests.stdout[-6000:] if tests.returncode else _last_line(tests.stdout), flush=True)  # noqa: T201
        return f"tests fail: {_last_line(tests.stdout)}" if tests.returncode else ""

    def _pinned(self) -> str:
        return f"apache-airflow=={self.airflow}"


def _captured(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


def _constrained() -> str:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    return next(pin.removeprefix("apache-airflow==") for pin in pins if pin.startswith("apache-airflow=="))


def _version(python: Path) -> tuple[int, int] | None:
    found = _captured(python, "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])")
    major, minor = found.stdout.split() if not found.returncode else (0, 0)
    return (int(major), int(minor)) if found.returncode == 0 else None


def pythons() -> list[Path]:
    """Find the oldest Python that is promised and the newest other one there is."""
    found = [Path(path) for minor in range(11, 30) if (path := shutil.which(f"python3.{minor}"))]
    if shutil.which("pyenv"):
        found += Path(_captured("pyenv", "root").stdout.strip()).glob("versions/*/bin/python")
    versions = {version: python for python in [*found, Path(sys.executable)] if (version := _version(python))}
    promised = sorted(version for version in versions if version >= OLDEST)
    return [versions[version] for version in dict.fromkeys([promised[0], promised[-1]])]


def newest_pre_release() -> str | None:
    """Find the newest pre-release of Airflow that is newer than any release."""
    listed = _captured(sys.executable, "-m", "pip", "index", "versions", "--pre", "apache-airflow").stdout
    newest = next(iter(re.findall(r"apache-airflow \((.+?)\)", listed)), "")
    return newest if PRE_RELEASE.fullmatch(newest) else None


def main() -> int:
    """Run all combinations and print what became of each."""
    cells = [Cell(python) for python in pythons()]
    if pre_release := newest_pre_release():
        cells.append(Cell(pythons()[0], pre_release))
    outcomes = {}
    for cell in cells:
        print(f"== {cell.name}", flush=True)  # noqa: T201
        outcomes[cell] = cell.run()
    for cell, failure in outcomes.items():
        print(f"{cell.name}: {failure or 'passed'}")  # noqa: T201
    return int(any(failure and not cell.airflow for cell, failure in outcomes.items()))


if __name__ == "__main__":
    sys.exit(main())
