"""
Keep a program from outliving whoever started it.

`Kept` starts this module as a process of its own, in a session of its own, and that one starts the program.
The keeper's standard input is a pipe whose other end only the owner holds: when the owner closes it, or dies
in whatever way (`kill -9` included), the keeper interrupts the program, kills whatever is left below itself
after a grace period, and goes. Nothing here depends on the owner's signal handlers, or on what sessions and
groups the program's processes move to: the keeper adopts their orphans (Linux's "child subreaper").
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

LEFT_BEHIND = 70
KILL_SECONDS = 10.0
PR_SET_CHILD_SUBREAPER = 36


class Kept:
    """
    A program that ends, with all its descendants, when this object is stopped or this process dies.

    :param command: the program and its arguments
    :param log: the file that receives the program's standard output and error
    :param env: its environment; this process's own by default
    :param grace: seconds between the interrupt and the kill
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        grace: float = 8.0,
    ) -> None:
        self.command = [*command]
        self.log = log
        self.env = env
        self.grace = grace
        self._keeper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program; whether it works is for the caller to find out."""
        with self.log.open("ab") as log:
            self._keeper = subprocess.Popen(  # noqa: S603 - the caller's own command
                [sys.executable, str(Path(__file__)), str(self.grace), *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.env,
                # Ctrl-C in the owner's terminal is the owner's to handle.
                start_new_session=True,
            )

    def stop(self) -> None:
        """Stop the program and see that no process of it is left; harmless when it has ended."""
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        keeper.communicate()  # closes the pipe, which is the signal, and waits
        if keeper.returncode == LEFT_BEHIND:
            raise RuntimeError(f"processes of {self.command} survived being killed:\n{self.log_tail(5)}")

    @property
    def running(self) -> bool:
        """Whether the program still runs."""
        return self._keeper is not None and self._keeper.poll() is None

    def pids(self) -> dict[int, str]:
        """The command lines of the program's live processes, by process id."""
        if self._keeper is None:
            return {}
        return {pid: command_line(pid) for pid in descendants(self._keeper.pid)}

    def log_tail(self, lines: int = 20, containing: str = "") -> str:
        """The last lines of the program's output."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([line for line in text.splitlines() if containing in line][-lines:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def descendants(ancestor: int) -> list[int]:
    """Ids of the live processes below a process; the dead that nobody has waited for do not count."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found, unvisited = [], [ancestor]
    while unvisited:
        below = children.get(unvisited.pop(), [])
        found += below
        unvisited += below
    return sorted(found)


def command_line(pid: int) -> str:
    """What a process shows as its command line; empty when it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def _parents() -> dict[int, int]:
    """The parent of each live process of this machine."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # "pid (name) state parent ...", where the name may hold spaces and parentheses
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    parents[int(entry.name)] = int(parent)
    return parents


def _keep(grace: float, command: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the owner's own command
    while program.poll() is None and not _owner_has_gone(0.2):
        pass
    result = program.poll()
    if result is None:
        program.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(grace)
    return (result or 0) if _kill_the_rest() else LEFT_BEHIND


def _owner_has_gone(seconds: float) -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable)


def _kill_the_rest() -> bool:
    deadline = time.monotonic() + KILL_SECONDS
    while remaining := descendants(os.getpid()):
        if time.monotonic() > deadline:
            print(f"still there: {remaining}", file=sys.stderr)  # noqa: T201 - this is the log
            return False
        for pid in remaining:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return True


def _let_go(*_: object) -> None:
    """Make a plain SIGTERM to the keeper mean what the end of its input means."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _let_go)
    sys.exit(_keep(float(sys.argv[1]), sys.argv[2:]))
