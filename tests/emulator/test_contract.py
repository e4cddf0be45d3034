"""The contract, check by check, on the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.videos_contract import CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.videos_contract import Subject


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(check: Callable[[Subject], None], server: Subject) -> None:
    check(server)
