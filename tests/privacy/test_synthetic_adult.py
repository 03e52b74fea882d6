"""The census extract at ε = 1, as promised: close, useful, quick, and nobody of the data is told by it."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from bench import synthesis as bench
from tests.conftest import missing

from xinglin.privacy.noise import rho_for_epsilon
from xinglin.privacy.synthesis import fit, report


@pytest.fixture
def adult(shared_data: Path, monkeypatch: pytest.MonkeyPatch):
    archive = shared_data / "adult" / "adult.tar.gz"
    if not archive.is_file():
        missing("data", "the data folder holds no adult")
    monkeypatch.setattr(bench, "ARCHIVE", archive)
    return bench.adult


@pytest.mark.slow
def test_adult_at_epsilon_one(adult) -> None:
    train, holdout, schema = adult()
    random = np.random.default_rng(11)
    began = time.process_time()
    model = fit(train, schema, rho_for_epsilon(Fraction(1), bench.DELTA), random.bytes)
    assert time.process_time() - began <= 25
    assert model.guarantee(bench.DELTA).epsilon_spent <= 1
    drawn = model.draw(len(train["sex"]), random.bytes)
    found = report(train, holdout, drawn, schema, target=bench.TARGET, entropy=random.bytes)
    assert found.distances[1].mean <= 0.035
    assert found.uses[0].synthetic >= 0.85 and found.uses[0].real >= 0.88
    assert bench.usefulness(drawn, holdout, model) >= 0.855
    assert found.detection <= 0.65
    assert found.flags == ()
    began = time.process_time()
    assert len(model.draw(1_000_000, random.bytes)["sex"]) == 1_000_000
    assert time.process_time() - began <= 60


@pytest.mark.slow
def test_adult_by_a_tree_is_quick_and_less_close(adult) -> None:
    train, _, schema = adult()
    random = np.random.default_rng(12)
    model = fit(train, schema, rho_for_epsilon(Fraction(1), bench.DELTA), random.bytes, "mst")
    drawn = model.draw(len(train["sex"]), random.bytes)
    assert 0.035 < bench.distance(train, drawn, model, 2) <= 0.055
