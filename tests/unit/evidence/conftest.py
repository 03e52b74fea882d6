"""The fixture that the tests of evidence share."""

from __future__ import annotations

import pytest
from tests.unit.evidence.space import Space


@pytest.fixture(scope="session")
def space() -> Space:
    """A space whose log holds 700 entries: two full tiles, a partial one, and a second level."""
    return Space(700)
