"""
The unit tests on the Airflow and Python versions that are promised, each in an environment of its own.

First the wheel's floors are resolved against each release's pins, plain and with its extras; ``--resolve``
does only that. Releases that are named are the only ones: ``python -m tests.matrix 2.11.2``. The newest
pre-release of Airflow may fail, with its reason shown; everything else has to pass.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "tests" / "releases"
CACHE = ROOT / ".cache" / "matrix"
CURRENT = "3.3.2"
TESTED = ("2.11.2", "3.0.6", "3.1.8", "3.2.2", CURRENT)
RESOLVED = ("2.11.0", "2.11.2", "3.0.6", "3.1.8", "3.2.1", "3.2.2", "3.3.1", CURRENT)
EXTRAS = ("", "[emulator]", "[amazon]")
OLDEST = (3, 11)
NEWEST = {"2.11": (3, 12), "3.0": (3, 12), "3.1": (3, 13), "3.2": (3, 14)}
"""The newest Python of those releases that do not support the newest there is."""
PRE_RELEASE = re.compile(r"\d+(?:\.\d+)*(?:a|b|rc)\d+")


def pins(release: str) -> Path:
    """Return the file of a release's pins."""
    return ROOT / "constraints.txt" if release == CURRENT else PINS / f"{release}.txt"


def wanted(release: str) -> list[str]:
    """Return what is installed to test a release."""
    tools = ["--requirement", str(PINS / "tools.txt"), "--editable", ".[amazon,emulator]"]
    if release == CURRENT:
        return ["--constraint", str(pins(release)), "--editable", ".[dev]"]
    if PRE_RELEASE.fullmatch(release):
        return ["--prerelease", "allow", f"apache-airflow=={release}", *tools]
    return ["--constraint", str(pins(release)), f"apache-airflow=={release}", *tools]


@dataclass(frozen=True)
class Cell:
    """
    One combination.

    :param airflow: the release.
    :param python: the interpreter.
    """

    airflow: str
    python: Path

    @property
    def name(self) -> str:
        """What it is called in the table."""
        version = ".".join(map(str, _version(self.python) or ()))
        return f"Airflow {self.airflow}, Python {version}"

    @property
    def may_fail(self) -> bool:
        """Whether it is a pre-release."""
        return bool(PRE_RELEASE.fullmatch(self.airflow))

    def run(self) -> str:
        """Install, test, and return why it failed; nothing if it passed."""
        venv = CACHE / re.sub(r"[ ,]+", "-", self.name.lower())
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([self.python, "-m", "venv", venv], check=True)
        python = venv / "bin" / "python"
        install = _captured(uv(), "pip", "install", "--quiet", "--python", python, *wanted(self.airflow))
        if install.returncode:
            return f"does not install: {_last_line(install.stderr)}"
        tests = _captured(
            *(python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"),
            *("-m", "not system and not gateway and not stores", "-p", "no:cacheprovider"),
        )
        print(tests.stdout[-6000:] if tests.returncode else _last_line(tests.stdout), flush=True)  # noqa: T201
        return f"tests fail: {_last_line(tests.stdout)}" if tests.returncode else ""


def resolve(release: str, extra: str) -> str:
    """Resolve the package beside a release's pins, and return why that fails; nothing if it does not."""
    package = f"airflow-provider-videos{extra} @ {ROOT.as_uri()}"
    done = subprocess.run(
        [uv(), "pip", "compile", "--quiet", "--python", sys.executable, "--constraint", pins(release), "-"],
        input=f"{package}\napache-airflow=={release}\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""


def uv() -> Path:
    """Return the installer, which finds out in seconds what can be installed together."""
    found = CACHE / "uv" / "bin" / "uv"
    if not found.exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE / "uv"], check=True)
        subprocess.run([CACHE / "uv" / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"], check=True)
    return found


def _captured(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


def _version(python: Path) -> tuple[int, int] | None:
    found = _captured(python, "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])")
    major, minor = found.stdout.split() if not found.returncode else (0, 0)
    return (int(major), int(minor)) if found.returncode == 0 else None


def pythons(release: str) -> list[Path]:
    """Find the oldest Python that is promised and the newest one there is that a release supports."""
    found = [Path(path) for minor in range(11, 30) if (path := shutil.which(f"python3.{minor}"))]
    if shutil.which("pyenv"):
        found += Path(_captured("pyenv", "root").stdout.strip()).glob("versions/*/bin/python")
    versions = {version: python for python in [*found, Path(sys.executable)] if (version := _version(python))}
    newest = NEWEST.get(release.rpartition(".")[0], max(versions))
    promised = sorted(version for version in versions if OLDEST <= version <= newest)
    return [versions[version] for version in dict.fromkeys([promised[0], promised[-1]])]


def newest_pre_release() -> str | None:
    """Find the newest pre-release of Airflow that is newer than any release."""
    listed = _captured(sys.executable, "-m", "pip", "index", "versions", "--pre", "apache-airflow").stdout
    newest = next(iter(re.findall(r"apache-airflow \((.+?)\)", listed)), "")
    return newest if PRE_RELEASE.fullmatch(newest) else None


def cells(releases: list[str]) -> list[Cell]:
    """Return all combinations of some releases, or of all that are promised."""
    if releases:
        return [Cell(release, python) for release in releases for python in pythons(release)]
    pre_release = newest_pre_release()
    newest = [Cell(pre_release, pythons(pre_release)[0])] if pre_release else []
    return [Cell(release, python) for release in TESTED for python in pythons(release)] + newest


def main() -> int:
    """Resolve, run all combinations and print what became of each."""
    releases = [argument for argument in sys.argv[1:] if argument != "--resolve"]
    outcomes: dict[str, str] = {}
    for release in [one for one in RESOLVED if one in releases or not releases]:
        for extra in EXTRAS:
            outcomes[f"resolving beside {release}{extra}"] = resolve(release, extra)
    failed = any(outcomes.values())
    for cell in [] if "--resolve" in sys.argv else cells(releases):
        print(f"== {cell.name}", flush=True)  # noqa: T201
        outcomes[cell.name] = failure = cell.run()
        failed |= bool(failure) and not cell.may_fail
    for name, failure in outcomes.items():
        print(f"{name}: {failure or 'passed'}")  # noqa: T201
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
