"""What may be told of a set follows from its model alone; what is expected before follows from its cost."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.privacy.synthesis.test_fit import seeded  # the suite's own entropy

from xinglin.privacy.synthesis import Column, Schema, fit, from_bytes
from xinglin.privacy.synthesis.quality import expected, quality

SCHEMA = Schema((Column("sex", levels=("f", "m")), Column("age", "integer", low=0, high=120), Column("ill", "boolean")))


def table(rows: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    sex = np.array(random.choice(["f", "m"], rows), dtype=object)
    return {"sex": sex, "age": random.integers(20, 90, rows), "ill": (random.random(rows) < 0.3).astype(float)}


@pytest.mark.parametrize("method", ["aim", "mst"])
def test_every_figure_is_of_the_model(method: str) -> None:
    model = fit(table(4_000), SCHEMA, 10**10, seeded(1), method)
    told = quality("rows", model)
    assert told == quality("rows", from_bytes(model.to_bytes())), "the data are not an argument"
    assert abs(told.total - 4_000) < 1_000
    assert [one.columns for one in told.alone] == [("sex",), ("age",), ("ill",)]
    assert told.together and all(len(one.columns) > 1 for one in told.together)
    assert sum(one.rho_units for one in told.spends) <= 10**10
    assert all(0 < one.distance <= 1 and one.sd > 0 for one in (*told.alone, *told.together))


def test_what_is_expected_is_what_comes() -> None:
    for method in ("aim", "mst"):
        before = expected(SCHEMA, 10**10, method=method)
        told = quality("rows", fit(table(2_000), SCHEMA, 10**10, seeded(2), method))
        assert all(one.sd == pytest.approx(before.alone, rel=0.05) for one in told.alone)
        assert min(one.sd for one in told.together) <= before.together * 1.06
    assert expected(SCHEMA, 10**10, rows_per_person=4).alone == pytest.approx(
        4 * expected(SCHEMA, 10**10).alone, rel=1e-4
    )
    assert expected(SCHEMA, 4 * 10**10).alone == pytest.approx(expected(SCHEMA, 10**10).alone / 2, rel=1e-3)
