"""Fixtures of the SDK's tests: a hub in memory, an analyst's space over it, and a study that is agreed to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.sdk.fake_hub import FakeHub

from xinglin.sdk.space import Space
from xinglin.sdk.study import Study

VIEW = "SELECT age, sex, disease FROM cardiac"
VARIABLES = ("cardiac.age", "cardiac.sex", "cardiac.disease")


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def space(hub: FakeHub, tmp_path: Path) -> Space:
    return hub.analyst(tmp_path)


@pytest.fixture
def study(hub: FakeHub, space: Space) -> Study:
    made = space.propose("Heart", data_set="cardiology", cohort={"cardiac": VIEW}, variables=VARIABLES)
    hub.approve()
    return made.refresh()
