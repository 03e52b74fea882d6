"""A person unlike all others, planted in the data, does not come back in synthetic rows beyond chance."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from xinglin.privacy.noise import rho_for_epsilon
from xinglin.privacy.synthesis import Child, Column, Columns, Linked, Schema, fit, fit_linked

RHO = rho_for_epsilon(Fraction(1), Fraction(1, 10**6))
TRIALS = 40
CODES = tuple(f"c{number}" for number in range(12))
SCHEMA = Schema(
    (
        Column("one", levels=CODES, missing=False),
        Column("two", levels=CODES, missing=False),
        Column("three", levels=CODES, missing=False),
        Column("age", "integer", low=0, high=119, bins=12, missing=False),
    )
)


def ordinary(rows: int, random: np.random.Generator) -> Columns:
    """Codes c0 to c5 that go together, ages below 90: nobody has c11, or is 110."""
    one = random.integers(0, 6, rows)
    two = np.where(random.random(rows) < 0.8, one, random.integers(0, 6, rows))
    names = np.array(CODES, dtype=object)
    return {
        "one": names[one],
        "two": names[two],
        "three": names[random.integers(0, 6, rows)],
        "age": random.integers(20, 90, rows),
    }


def with_outlier(columns: Columns) -> Columns:
    person = {"one": "c11", "two": "c11", "three": "c11", "age": 110}
    return {
        name: np.concatenate([values[1:], np.array([person[name]], dtype=values.dtype)])
        for name, values in columns.items()
    }


def found(drawn: Columns) -> int:
    """Rows that share three of the planted person's four values."""
    hits = sum((drawn[name] == "c11").astype(int) for name in ("one", "two", "three")) + (drawn["age"] >= 105)
    return int((hits >= 3).sum())


@pytest.mark.slow
def test_a_planted_person_does_not_come_back_beyond_chance() -> None:
    hits = {False: 0, True: 0}
    for trial in range(TRIALS):
        for planted in (False, True):
            random = np.random.default_rng([trial, planted])
            data = ordinary(600, random)
            model = fit(with_outlier(data) if planted else data, SCHEMA, RHO, random.bytes, "mst")
            hits[planted] += found(model.draw(600, random.bytes)) > 0
    # ε = 1 allows e¹ times as often; the noise makes both come about as often as each other.
    assert hits[True] <= np.e * hits[False] + 5


def test_a_person_with_many_rows_moves_no_model_further_than_the_bound() -> None:
    """2,000 rows of one person under a bound of 3: what the model was told of them is lost in its noise."""
    linked = Linked(
        "persons",
        Schema((Column("sex", levels=("f", "m"), missing=False),)),
        "id",
        (Child("visits", Schema((Column("code", levels=CODES, missing=False),)), "id", 3),),
    )
    random = np.random.default_rng(1)
    ids = np.array([f"p{number}" for number in range(1_000)], dtype=object)
    names = np.array(CODES, dtype=object)
    owner = np.concatenate([np.repeat(ids, 2), np.repeat(ids[:1], 2_000)])
    code = np.concatenate([names[random.integers(0, 6, 2_000)], np.repeat(names[11:], 2_000)])
    sex = names[:0].tolist() + ["f", "m"] * 500
    tables = {"persons": {"id": ids, "sex": np.array(sex, dtype=object)}, "visits": {"id": owner, "code": code}}
    model = fit_linked(tables, linked, RHO, random.bytes)
    drawn = model.draw(1_000, random.bytes)
    assert (drawn["visits"]["code"] == "c11").mean() < 0.15
    assert len(drawn["visits"]["code"]) < 4_000
