"""A whole space for end-to-end tests: four real hospitals, a researcher, one study that all of them countersigned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.sample import generate_space, read_heart_disease
from xinglin.sdk import Study
from xinglin.testing import SampleSpace

COLUMNS = ("age", "sex", "trestbps", "thalach", "exang", "disease")


@pytest.fixture(scope="session")
def heart_space(tmp_path_factory: pytest.TempPathFactory, heart_disease: Path) -> Iterator[SampleSpace]:
    """Processes on loopback over the four hospitals of the heart disease data."""
    space = SampleSpace(tmp_path_factory.mktemp("heart-space"), read_heart_disease(heart_disease))
    try:
        space.open()
        yield space
    finally:
        space.close()


@pytest.fixture(scope="session")
def heart_study(heart_space: SampleSpace) -> Study:
    """A study of ``COLUMNS`` there, agreed by every hospital."""
    return heart_space.study("end to end", COLUMNS)


@pytest.fixture(scope="session")
def generated_space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleSpace]:
    """Processes on loopback over the four generated hospitals; needs no data folder."""
    space = SampleSpace(tmp_path_factory.mktemp("generated-space"), generate_space())
    try:
        space.open()
        yield space
    finally:
        space.close()
