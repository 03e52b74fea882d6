"""OMOP CDM 5.4 over canonical tables made of real Synthea bundles, with and without a vocabulary."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.records.fhir import FhirReader
from xinglin.records.model import Mapped, ReadContext, Resource
from xinglin.records.shape import shape_parts
from xinglin.records.views import OMOP_TABLES, Mapping, canonical_views, omop_statements, omop_views, view_sql
from xinglin.records.views.cdm import UnknownZone

BUNDLES = 4


class From:
    source, namespace, message, zone, received_at = "synthea", "", "00", "+08:00", 0


@pytest.fixture(scope="module")
def resources(shared_data: Path) -> list[Resource]:
    reader, found = FhirReader(), []
    with tarfile.open(shared_data / "synthea" / "bundles.tar.xz") as archive:
        names = [each for each in archive if each.name.endswith(".json")]
        for member in sorted(names, key=lambda each: each.size)[:BUNDLES]:
            body = archive.extractfile(member).read()  # type: ignore[union-attr]
            for part in reader.read(body, ReadContext("synthea", 0)):
                found += part.resources
    return found


@pytest.fixture(scope="module")
def canonical(resources: list[Resource]) -> Iterator[duckdb.DuckDBPyConnection]:
    parts: dict[str, list[tuple[Mapped, From]]] = {}
    for mapped in Mapping().rows(resources, 0):
        parts.setdefault(mapped.table, []).append((mapped, From()))
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
        engine.execute("CREATE SCHEMA canonical")
        for table in CANONICAL_TABLES:
            engine.register("made", shape_parts(table.name, parts.get(table.name, []), 1, 0))
            engine.execute(f'CREATE TABLE canonical."{table.name}" AS SELECT * FROM made')
            engine.unregister("made")
        yield engine


def number(engine: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return engine.execute(sql).fetchall()[0][0]


def test_every_table_is_a_view_that_can_be_read(canonical: duckdb.DuckDBPyConnection) -> None:
    for statement in omop_statements():
        canonical.execute(statement)
    assert set(OMOP_TABLES) < set(omop_views())
    rows = {name: number(canonical, f"SELECT count(*) FROM omop.{name}") for name in OMOP_TABLES}
    assert rows["person"] == BUNDLES == rows["observation_period"]
    assert rows["visit_occurrence"] == number(canonical, "SELECT count(*) FROM canonical.encounter")
    assert rows["condition_occurrence"] == number(canonical, "SELECT count(*) FROM canonical.condition")
    timed = "SELECT count(*) FROM canonical.observation WHERE effective IS NOT NULL"
    assert rows["measurement"] + rows["observation"] == number(canonical, timed)
    assert rows["measurement"] > 0 < rows["observation"]
    assert rows["drug_exposure"] == number(
        canonical, "SELECT (SELECT count(*) FROM canonical.medication) + (SELECT count(*) FROM canonical.immunization)"
    )
    assert rows["care_site"] == number(canonical, "SELECT count(*) FROM canonical.organization")
    assert rows["provider"] == number(canonical, "SELECT count(*) FROM canonical.staff")
    for name in ("visit_occurrence", "condition_occurrence", "procedure_occurrence", "measurement", "drug_exposure"):
        persons = f"SELECT count(*) FROM omop.{name} WHERE person_id NOT IN (SELECT person_id FROM omop.person)"
        assert number(canonical, persons) == 0
        assert number(canonical, f"SELECT count(*) - count(DISTINCT {name}_id) FROM omop.{name}") == 0
    linked = "SELECT count(*) FROM omop.measurement JOIN omop.visit_occurrence USING (visit_occurrence_id, person_id)"
    assert number(canonical, linked) > 0
    assert number(canonical, "SELECT max(measurement_concept_id) FROM omop.measurement") == 0


def test_concepts_come_from_a_vocabulary_where_one_is_loaded(canonical: duckdb.DuckDBPyConnection) -> None:
    canonical.execute("CREATE SCHEMA IF NOT EXISTS omop")
    canonical.execute("DROP VIEW IF EXISTS omop.concept; DROP VIEW IF EXISTS omop.concept_relationship")
    canonical.execute(f"CREATE TABLE omop.concept AS {omop_views()['concept']}")
    canonical.execute(f"CREATE TABLE omop.concept_relationship AS {omop_views()['concept_relationship']}")
    canonical.execute(
        "INSERT INTO omop.concept VALUES "
        "(3036277, 'Body height', 'Measurement', 'LOINC', 'x', 'S', '8302-2'),"
        "(8582, 'centimeter', 'Unit', 'UCUM', 'x', 'S', 'cm'),"
        "(40213154, 'Influenza', 'Drug', 'CVX', 'x', NULL, '140'), (1, 'flu', 'Drug', 'RxNorm', 'x', 'S', '9')"
    )
    canonical.execute("INSERT INTO omop.concept_relationship VALUES (40213154, 1, 'Maps to', NULL)")
    try:
        for statement in omop_statements(vocabulary=True):
            canonical.execute(statement)
        height = "FROM omop.measurement WHERE measurement_source_value = '8302-2'"
        assert number(canonical, f"SELECT count(*) {height}") > 0
        assert canonical.execute(
            f"SELECT DISTINCT measurement_concept_id, measurement_source_concept_id, unit_concept_id {height}"
        ).fetchall() == [(3036277, 3036277, 8582)]
        flu = "SELECT DISTINCT drug_concept_id, drug_source_concept_id FROM omop.drug_exposure"
        assert (1, 40213154) in canonical.execute(flu).fetchall()
        assert number(canonical, "SELECT count(*) FROM omop.measurement") > 0
    finally:
        canonical.execute("DROP TABLE omop.concept; DROP TABLE omop.concept_relationship")


def test_times_are_local(canonical: duckdb.DuckDBPyConnection) -> None:
    for statement in omop_statements(zone="-05:30"):
        canonical.execute(statement)
    assert str(number(canonical, "SELECT omop.local_time(TIMESTAMPTZ '2024-01-01 00:00:00+00', '')")) == (
        "2023-12-31 18:30:00"
    )
    assert str(number(canonical, "SELECT omop.local_time(TIMESTAMPTZ '2024-01-01 00:00:00+00', '+08:00')")) == (
        "2024-01-01 08:00:00"
    )
    with pytest.raises(UnknownZone):
        omop_statements(zone="'; DROP")


def test_both_back_ends_give_the_same_rows_of_real_resources(resources: list[Resource]) -> None:
    by_type: dict[str, list[dict[str, Any]]] = {}
    for each in resources:
        by_type.setdefault(each.body["resourceType"], []).append(each.body)
    import orjson

    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("CREATE TABLE resources (json JSON)")
        for type_ in ("Patient", "Encounter", "Condition", "Procedure", "Immunization", "Practitioner"):
            bodies = by_type[type_][:40]
            engine.execute("DELETE FROM resources")
            engine.executemany("INSERT INTO resources VALUES (?)", [[orjson.dumps(body).decode()] for body in bodies])
            for view in canonical_views().by_resource[type_]:
                expected = [row for body in bodies for row in view.compiled.rows(body)]
                assert engine.execute(view_sql(view.compiled.view, "resources")).fetchall() == expected


def test_every_resource_is_mapped_without_a_flag_or_counted(resources: list[Resource]) -> None:
    mapping = Mapping()
    found = mapping.rows(resources, 0)
    places = {row[mapped.columns.index("place")] for mapped in found for row in mapped.rows}
    assert all(row[mapped.columns.index("flags")] is None for mapped in found for row in mapped.rows)
    assert set(mapping.without_table) <= {"CarePlan", "Goal", "Coverage", "ServiceRequest", "CareTeam"}
    assert len(places) <= len(resources)
    for mapped in found:
        made = shape_parts(mapped.table, [(mapped, From())], 1, 0)
        assert made.num_rows == len(mapped.rows)
        assert made["flags"].null_count == made.num_rows
