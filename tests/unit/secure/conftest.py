"""Fixtures of the secure sum's tests."""

from __future__ import annotations

import pytest
from tests.unit.secure.space import Space


@pytest.fixture
def space() -> type[Space]:
    """The class whose objects are hospitals and a hub in one run."""
    return Space
