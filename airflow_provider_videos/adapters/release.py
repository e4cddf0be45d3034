"""Release of Airflow that is installed; only the adapters next to this module ask for it."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version


@cache
def release() -> tuple[int, int]:
    """Return the first two numbers of the installed Airflow, which a pre-release shares with its release."""
    found = re.match(r"(\d+)\.(\d+)", version("apache-airflow"))
    if not found:
        raise RuntimeError("the installed apache-airflow has no version that can be read; install it anew")
    return int(found[1]), int(found[2])


def is_before(major: int, minor: int) -> bool:
    """
    Tell if the installed Airflow is older than a release; what depends on it can go with the last such one.

    :param major: the release's first number.
    :param minor: its second one.
    """
    return release() < (major, minor)
