"""Lineage of products out of their SELECTs, and versions of a fact."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.lake.clinic import RECORDED, clinic, rates, shaped

from xinglin.catalogue.lineage import Field
from xinglin.lake import materialise
from xinglin.lake.lineage import LineageUnknown, product_edges, select_edges, versions_of_fact

TABLES = {"observation": ("patient", "code", "value_number", "status"), "patient": ("patient", "sex", "birth_year")}
SELECT = """
WITH seen AS (SELECT patient, code AS kind, value_number FROM observation WHERE status = 'final')
SELECT s.patient, s.kind AS code, avg(s.value_number) AS mean, p.birth_year + 1 AS year, 'x' AS constant
FROM seen s JOIN patient p ON s.patient = p.patient GROUP BY ALL
"""


def of(product: str, name: str, select: str = SELECT) -> set[tuple[str, str]]:
    edges = select_edges(product, select, TABLES)
    return {(str(edge.source), edge.how) for edge in edges if edge.target == Field("product", product, name)}


def test_columns_through_common_tables_and_joins() -> None:
    assert of("means", "patient") == {("observation.patient", "same")}
    assert of("means", "code") == {("observation.code", "same")}
    assert of("means", "mean") == {("observation.value_number", "counted")}
    assert of("means", "year") == {("patient.birth_year", "made")}
    assert of("means", "constant") == set()
    assert {("observation.status", "chosen"), ("patient.patient", "chosen")} <= of("means", "*")


def test_stars_unions_and_windows() -> None:
    assert of("p", "sex", "SELECT * FROM patient") == {("patient.sex", "same")}
    both = "SELECT sex AS x FROM patient UNION ALL SELECT code AS x FROM observation"
    assert {name for name, _ in of("p", "x", both)} == {"patient.sex", "observation.code"}
    assert of("p", "code", "SELECT code FROM rows_observation") == {("observation.code", "same")}


def test_what_cannot_be_followed_is_said() -> None:
    with pytest.raises(LineageUnknown):
        select_edges("p", "SELECT FROM WHERE", TABLES)


def test_a_product_of_the_lake(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    materialise(
        lake, "means", "SELECT patient, avg(value_number) AS mean FROM observation GROUP BY patient", ["observation"]
    )
    edges = {(edge.target.name, str(edge.source), edge.how) for edge in product_edges(lake, "means")}
    assert ("mean", "observation.value_number", "counted") in edges
    assert product_edges(lake, "observation") == ()


def test_versions_of_a_fact(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    again = {**rates(1)[0], "place": "OBX[1]", "version_at": RECORDED}
    lake.append_batch(2, {"observation": shaped("observation", [again], batch=2, at=RECORDED + 1)})
    found = versions_of_fact(lake, "observation", "Observation/0")
    assert [(one.place, one.batch) for one in found] == [("OBX[1]", 2), ("line 0", 1)]
    assert all(len(one.message) == 64 for one in found)
    assert versions_of_fact(lake, "observation", "' OR 1=1 --") == ()
    assert "Observation/0" not in repr(found)
