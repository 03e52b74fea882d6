"""A twin out of published facts: names, kinds, ranges and levels as described, and nothing else."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.privacy.synthesis import BadSchema, TooWide, fit, schema_of, twin, twins

TABLE = TableDescription(
    "visits",
    (
        ColumnDescription("patient", "text", "person"),
        ColumnDescription("name", "text", "identifier"),
        ColumnDescription("ward", "category", levels=("a", "b", "c")),
        ColumnDescription("age", "integer", low=0, high=120),
        ColumnDescription("weight", "number", low=0.5, high=200),
        ColumnDescription("smoker", "boolean"),
        ColumnDescription("day", "date"),
        ColumnDescription("at", "instant"),
    ),
    "patient",
)


def seeded(seed: int):
    return np.random.default_rng(seed).bytes


def test_a_twin_has_the_published_names_kinds_levels_and_ranges() -> None:
    found = twin(TABLE, 400, seeded(1), persons=100)
    assert list(found) == ["patient", "ward", "age", "weight", "smoker", "day", "at"]
    assert len(set(found["patient"])) == 100
    assert set(found["ward"]) == {"a", "b", "c", None}
    assert (np.nanmin(found["age"]), np.nanmax(found["age"])) == (0, 120)
    assert (np.nanmin(found["weight"]), np.nanmax(found["weight"])) == (0.5, 200)
    assert set(found["smoker"][~np.isnan(found["smoker"])]) == {0, 1}
    for name in ("age", "weight", "smoker", "day", "at"):
        assert 0 < np.isnan(found[name]).sum() < 60
    for name in ("age", "day", "at"):
        whole = found[name][~np.isnan(found[name])]
        assert (whole == np.floor(whole)).all()


def test_a_twin_cannot_read_data_and_is_the_same_for_the_same_entropy() -> None:
    assert list(inspect.signature(twin).parameters) == ["columns", "rows", "entropy", "persons", "days"]
    one, other = twin(TABLE, 50, seeded(2)), twin(TABLE.columns, 50, seeded(2))
    assert all(np.array_equal(one[name].astype(str), other[name].astype(str)) for name in one)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_small_twin_is_a_twin(rows: int) -> None:
    assert {len(values) for values in twin(TABLE, rows, seeded(3)).values()} == {rows}


def test_a_schema_out_of_the_catalogue_fits_a_twin() -> None:
    schema = schema_of(TABLE, days=(10_000, 20_000))
    assert [(column.name, column.kind) for column in schema.columns] == [
        ("ward", "category"), ("age", "integer"), ("weight", "number"), ("smoker", "boolean"), ("day", "date"),
    ]  # fmt: skip
    drawn = fit(twin(TABLE, 200, seeded(6)), schema, 10**10, seeded(7), "mst").draw(10, seeded(8))
    assert list(drawn) == [column.name for column in schema.columns]
    with pytest.raises(BadSchema):
        schema_of([TABLE.columns[0]], days=(0, 1))
    with pytest.raises(BadSchema, match="range"):
        schema_of([ColumnDescription("x", "number")], days=(0, 1))


def test_twins_of_a_data_set_name_the_same_persons() -> None:
    data_set = DataSetDescription("d", "did:x", "D", (TABLE, TableDescription("again", TABLE.columns, "patient")))
    found = twins(data_set, 30, seeded(4))
    assert set(found) == {"visits", "again"}
    assert set(found["visits"]["patient"]) == set(found["again"]["patient"])
    assert len(found["visits"]["patient"]) == 60


def test_what_was_not_published_cannot_be_stood_in_for() -> None:
    with pytest.raises(BadSchema):
        twin([ColumnDescription("x", "number")], 3, seeded(5))
    with pytest.raises(BadSchema):
        twin([ColumnDescription("x", "category")], 3, seeded(5))
    with pytest.raises(TooWide):
        twin(TABLE, 1_000_001, seeded(5))
