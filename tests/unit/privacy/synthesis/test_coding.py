"""Columns as level numbers and back: what is drawn lies in its bin, bins follow the people, rules are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.privacy.synthesis import BadColumns, Column, Meter, OnlyWhen, Ordered, Schema
from xinglin.privacy.synthesis.coding import decode, encode, find_codings, plain_codings, simplex
from xinglin.privacy.synthesis.rules import keep_rules


def seeded(seed: int):
    return np.random.default_rng(seed).bytes


COLUMNS = st.sampled_from(
    [
        Column("x", "integer", low=-3, high=3),
        Column("x", "integer", low=0, high=5_000, missing=False),
        Column("x", "number", low=-1.5, high=2.5, bins=7),
        Column("x", "number", low=0, high=1, edges=(0.0, 0.1, 0.5, 1.0), missing=False),
        Column("x", "date", low=18_000, high=19_000, edges=(18_000.0, 18_500.0, 19_001.0)),
        Column("x", "boolean"),
        Column("x", levels=("a", "b", "c")),
        Column("x", levels=("a",), missing=False),
    ]
)


@given(COLUMNS, st.integers(0, 2**32), st.integers(0, 60))
def test_what_is_drawn_from_a_level_is_of_that_level(column: Column, seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    spread = random.normal(0, 1, rows) * ((column.high or 1) - (column.low or 0)) + (column.low or 0)
    data = spread if column.numeric else random.choice([0.0, 1.0, np.nan], rows)
    if column.kind == "category":
        data = np.array(random.choice(["a", "b", "c", "other"], rows), dtype=object)
    codings = find_codings({"x": data}, Schema((column,)), Meter(10**12, seeded(seed)), 10**11)
    codes = encode({"x": data}, codings)
    assert codes.min(initial=0) >= 0 and codes.max(initial=0) < codings[0].size
    every = np.arange(codings[0].size, dtype=np.int32)[:, None].repeat(5, axis=0)
    values = decode(every, codings, random)
    assert (encode(values, codings) == every).all()
    if column.numeric:
        told = values["x"][~np.isnan(values["x"].astype(float))]
        assert told.min() >= column.low and told.max() <= column.high
        assert column.kind == "number" or (told == np.floor(told)).all()


def test_bins_follow_the_people_and_a_value_that_many_have_stands_alone() -> None:
    random = np.random.default_rng(0)
    values = np.where(random.random(20_000) < 0.7, 0, random.integers(1, 1_000, 20_000))
    schema = Schema((Column("stay", "integer", low=0, high=10_000, bins=10, missing=False),))
    coding = find_codings({"stay": values}, schema, Meter(10**11, seeded(1)), 10**11)[0]
    ends = np.asarray(coding.cells)[list(coding.bins)]
    assert 3 <= coding.size <= 11
    assert (ends[0], ends[1]) == (0, 1), "nought is a bin of its own"
    assert sum(end <= 1_000 for end in ends) > sum(end > 1_100 for end in ends)
    drawn = decode(encode({"stay": values}, (coding,)), (coding,), random)["stay"]
    assert abs(np.mean(drawn) - np.mean(values)) < 40
    assert abs(np.mean(drawn == 0) - 0.7) < 0.02


def test_values_at_and_beyond_the_ends_of_a_range_stay_at_the_ends() -> None:
    random = np.random.default_rng(2)
    values = np.concatenate([np.zeros(3_000), random.random(4_000), np.full(3_000, 7.5)])
    schema = Schema((Column("dose", "number", low=0, high=1, bins=8, missing=False),))
    coding = find_codings({"dose": values}, schema, Meter(10**11, seeded(3)), 10**11)[0]
    drawn = decode(encode({"dose": values}, (coding,)), (coding,), random)["dose"]
    assert abs(np.mean(drawn == 0) - 0.3) < 0.02 and abs(np.mean(drawn == 1) - 0.3) < 0.02


def test_the_nearest_table_without_negatives_keeps_its_sum() -> None:
    assert np.allclose(simplex(np.array([5.0, -3.0, 4.0])), [3.5, 0.0, 2.5])
    assert np.isclose(simplex(np.array([-5.0, -3.0])).sum(), 1)


def test_plain_codings_are_public() -> None:
    schema = Schema((Column("x", "integer", low=0, high=99, bins=10), Column("y", "number", low=0, high=1, bins=4)))
    whole, number = plain_codings(schema)
    assert whole.size == 11 and number.size == 5
    assert number.cells == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_rules_are_kept_in_their_order() -> None:
    schema = Schema(
        (
            Column("born", "date", low=0, high=100, missing=False),
            Column("died", "date", low=0, high=100),
            Column("dead", levels=("yes", "no"), missing=False),
            Column("cause", levels=("a", "b")),
        ),
        (OnlyWhen("died", "dead", ("yes",)), OnlyWhen("cause", "dead", ("yes",)), Ordered("born", "died")),
    )
    columns = {
        "born": np.array([10, 20, 30]),
        "died": np.array([5.0, 25.0, np.nan]),
        "dead": np.array(["yes", "no", "yes"], dtype=object),
        "cause": np.array(["a", "b", None], dtype=object),
    }
    kept = keep_rules(columns, schema)
    assert np.array_equal(kept["died"], [10, np.nan, np.nan], equal_nan=True)
    assert kept["cause"].tolist() == ["a", None, None]
    assert columns["died"][0] == 5.0, "what was handed in is left as it was"
    with pytest.raises(BadColumns, match="persons.born"):
        keep_rules(columns, Schema(schema.columns, (Ordered("persons.born", "died"),)))
