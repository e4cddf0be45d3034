"""The tests of delivery once more, on clouds' own file systems."""

from __future__ import annotations

import pytest

from tests.delivery.test_deliver import *  # noqa: F403 - all of them

pytestmark = pytest.mark.stores
