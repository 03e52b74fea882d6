"""Imputed products mark every cell that they fill, and leave the table alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.lake.clinic import clinic, rates

from xinglin.kernel.errors import LimitExceeded
from xinglin.lake import Lake, NotAProduct, lineage_of
from xinglin.lake.lineage import product_edges
from xinglin.lake.quality_impute import COLUMNS, CannotImpute, Method, impute, impute_select

GAP: dict[str, Any] = {**rates(1)[0], "id": "Observation/z", "effective": "2023-10-30", "value_number": None}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    first = {**GAP, "id": "Observation/first", "effective": "2022-01-01"}
    return clinic(tmp_path, observation=[GAP, first])


def cells(lake: Lake, name: str) -> dict[str, tuple[Any, bool]]:
    rows = lake.open(name).to_pyarrow_table().to_pylist()
    return {row["id"]: (row["value_number"], row["value_number_imputed"]) for row in rows}


@pytest.mark.parametrize(
    ("method", "extra", "last", "first"),
    [
        ("median", {}, (79.5, True), (79.5, True)),
        ("mode", {}, (60.0, True), (60.0, True)),
        ("constant", {"constant": 70.0}, (70.0, True), (70.0, True)),
        ("locf", {"order": "effective", "within": ("patient", "code")}, (60.0, True), (None, False)),
    ],
)
def test_methods(lake: Lake, method: Method, extra: dict[str, Any], last: Any, first: Any) -> None:
    impute(lake, "filled", "observation", ["value_number"], method, **extra)
    found = cells(lake, "filled")
    assert (found["Observation/z"], found["Observation/first"]) == (last, first)
    assert found["Observation/3"] == (63.0, False)
    assert sum(marked for _, marked in found.values()) == last[1] + first[1]
    assert lake.open("observation").to_pyarrow_table().column("value_number").null_count == 2


def test_the_derivation_is_told(lake: Lake) -> None:
    impute(lake, "filled", "observation", ["value_number"], "median")
    made = lineage_of(lake, "filled")
    assert made is not None
    assert "median" in made.select
    edges = {(edge.target.name, str(edge.source)) for edge in product_edges(lake, "filled")}
    assert ("value_number_imputed", "observation.value_number") in edges


@pytest.mark.parametrize(
    ("columns", "method", "extra"),
    [
        ([], "median", {}),
        (["nothing"], "median", {}),
        (["patient"], "mode", {}),
        (["value_number"], "guess", {}),
        (["value_number"], "constant", {}),
        (["value_number"], "median", {"constant": 1.0}),
        (["value_number"], "locf", {}),
    ],
)
def test_what_cannot_be_imputed(lake: Lake, columns: list[str], method: Any, extra: dict[str, Any]) -> None:
    with pytest.raises(CannotImpute):
        impute(lake, "filled", "observation", columns, method, **extra)


def test_limits_and_names(lake: Lake) -> None:
    with pytest.raises(LimitExceeded):
        impute_select("t", ["x"] * (COLUMNS.value + 1), "median")
    with pytest.raises(NotAProduct):
        impute(lake, "observation", "observation", ["value_number"], "median")
    assert impute_select("t", ["x"], "constant", constant="it's").count("'it''s'") == 1
