"""OMOP CDM 5.4 as a source: tables recognised, concepts looked up, and there and back from Synthea's own facts."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.records.errors import RecordsError
from xinglin.records.fhir import FhirReader
from xinglin.records.model import Mapped, Read, ReadContext
from xinglin.records.omop import WithOmop, mapping_for, omop_mapping, table_of
from xinglin.records.shape import shape_parts
from xinglin.records.tabular import TabularReader
from xinglin.records.tabular.errors import NoMapping
from xinglin.records.views import OMOP_TABLES, Mapping, omop_statements

BUNDLES = 3
PERSON = (
    "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,person_source_value\n"
    "1,8507,1970,3,,MRN1\n2,0,1980,,,MRN2\n"
)
CONDITION = (
    "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_type_concept_id,"
    "condition_source_value,condition_source_concept_id\n"
    "10,1,320128,2020-01-02,32817,I10,45591453\n11,1,0,2020-01-03,32840,X99,0\n12,,320128,2020-01-03,32840,I10,0\n"
)
MEASUREMENT = (
    "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_type_concept_id,operator_concept_id,"
    "value_as_number,value_as_concept_id,unit_concept_id,measurement_source_value,unit_source_value,value_source_value\n"
    "20,1,3004249,2020-01-02,32856,4171756,120,0,8876,SBP,mmHg,<120\n21,1,3004249,2020-01-02,32856,0,,45884084,0,POS,,positive\n"
)
CONCEPT = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\n"
    '320128\tEssential "primary" hypertension\tCondition\tSNOMED\tx\tS\t59621000\n'
    "45591453\tHypertension\tCondition\tICD10CM\tx\t\tI10\n"
    "3004249\tSystolic blood pressure\tMeasurement\tLOINC\tx\tS\t8480-6\n"
    "8876\tmillimeter mercury column\tUnit\tUCUM\tx\tS\tmm[Hg]\n45884084\tPositive\tMeas Value\tLOINC\tx\tS\tLA6576-8\n"
)


class From:
    source, namespace, message, zone, received_at = "omop", "", "00", "+08:00", 0


def zipped(files: dict[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return held.getvalue()


def read(body: bytes, mapping: str = "") -> list[Read]:
    return list(WithOmop(TabularReader()).read(body, ReadContext("omop", 0, mapping=mapping)))


def facts(parts: list[Read]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        for mapped in part.mapped:
            rows = found.setdefault(mapped.table, [])
            rows += [
                {name: value for name, value in zip(mapped.columns, row, strict=True) if value is not None}
                for row in mapped.rows
            ]
    return found


def adds_up(parts: list[Read]) -> None:
    for part in parts:
        assert part.received == part.accepted + len(part.unread) + sum(part.ignored.values()) + len(part.resources)


def test_every_shipped_mapping_is_one_of_the_engine() -> None:
    for table in (*OMOP_TABLES, "visit_detail"):
        if table == "observation_period":
            with pytest.raises(KeyError):
                omop_mapping(table)
        else:
            assert omop_mapping(table).name == f"omop_{table}"


def test_tables_are_known_by_their_columns_in_any_case() -> None:
    assert table_of(PERSON.split("\n", maxsplit=1)[0].upper().split(",")) == "person"
    assert table_of(CONCEPT.split("\n", maxsplit=1)[0].split("\t")) == "concept"
    assert table_of(["observation_period_id", "person_id", "x"]) == "ignored"
    assert table_of(["patient_id", "sex", "age"]) == ""
    assert mapping_for(["patient_id"]) is None
    assert mapping_for(CONCEPT.split("\n", maxsplit=1)[0].split("\t")) is None


def test_a_mapping_fits_the_columns_that_are_there_and_reads_one_table_alone() -> None:
    text = mapping_for(CONDITION.split("\n", maxsplit=1)[0].split(","))
    assert text is not None
    assert "condition_start_datetime" not in text
    for reader in (TabularReader(), WithOmop(TabularReader())):
        (part,) = reader.read(CONDITION.encode(), ReadContext("omop", 0, mapping=text))
        assert part.accepted == 2
        assert part.unread[0].code == "tabular.no_patient"
    rows = facts([part])["condition"]
    assert rows[0]["code"] == "320128"
    assert rows[0]["code_system"] == "urn:omop:concept"
    assert rows[0]["code_source"] == "I10"
    assert "code" not in rows[1]
    assert rows[1]["code_loss"] == "unmapped"


def test_an_archive_with_its_vocabulary_gives_codes() -> None:
    body = zipped(
        {
            "omop/PERSON.csv": PERSON,
            "omop/condition_occurrence.csv": CONDITION,
            "omop/measurement.csv": MEASUREMENT,
            "omop/CONCEPT.csv": CONCEPT,
            "omop/OBSERVATION_PERIOD.csv": "observation_period_id,person_id\n1,1\n",
            "omop/readme.csv": "a,b\n1,2\n",
        }
    )
    parts = read(body)
    adds_up(parts)
    found = facts(parts)
    first, second = found["patient"]
    assert (first["id"], first["sex"], first["birth_date"], first["birth_year"]) == (
        "Patient/1",
        "male",
        "1970-03",
        1970,
    )
    assert second["birth_date"] == "1980"
    assert "sex" not in second
    condition, unmapped = found["condition"]
    assert (condition["code"], condition["code_system"]) == ("59621000", "http://snomed.info/sct")
    assert (condition["code_source"], condition["code_source_system"]) == ("I10", "http://hl7.org/fhir/sid/icd-10-cm")
    assert condition["code_loss"] == "related"
    assert unmapped["code_source"] == "X99"
    number, coded = found["observation"]
    assert (number["code"], number["value_number"], number["value_comparator"]) == ("8480-6", 120.0, "<")
    assert (number["value_unit"], number["value_unit_source"]) == ("mm[Hg]", "mmHg")
    assert "value_source" not in number
    assert "value_text" not in number
    assert (coded["value"], coded["value_system"]) == ("LA6576-8", "http://loinc.org")
    assert sum(part.ignored.get("omop: a table that makes no rows here", 0) for part in parts) == 6
    assert sum(part.ignored.get("omop: no table of the data model", 0) for part in parts) == 1
    for table, rows in found.items():
        mapped = Mapped(table, tuple({name: 0 for row in rows for name in row}), [])
        assert mapped.columns


def test_parquet_and_a_single_table_need_no_mapping() -> None:
    table = pa.table({"person_id": [1], "gender_concept_id": [8532], "year_of_birth": [1990]})
    held = io.BytesIO()
    pq.write_table(table, held)
    assert facts(read(held.getvalue()))["patient"][0]["sex"] == "female"
    assert facts(read(PERSON.encode(), "[omop]\nzone = 'Europe/Paris'"))["patient"][0]["identifier"] == "MRN1"


def test_other_tables_pass_by() -> None:
    with pytest.raises(NoMapping):
        read(b"a,b\n1,2\n3,4\n")
    mapping = 'version = 1\nname = "x"\n[[table]]\ninto = "patient"\nid = "Patient/{a}"'
    assert facts(read(b"a,b\n1,2\n3,4\n", mapping))["patient"][0]["id"] == "Patient/1"
    with pytest.raises(RecordsError):
        read(b"a,b\n1,2\n", "version = 99")


@pytest.fixture(scope="module")
def canonical(shared_data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    reader, resources = FhirReader(), []
    with tarfile.open(shared_data / "synthea" / "bundles.tar.xz") as archive:
        names = [each for each in archive if each.name.endswith(".json")]
        for member in sorted(names, key=lambda each: each.size)[:BUNDLES]:
            body = archive.extractfile(member).read()  # type: ignore[union-attr]
            for part in reader.read(body, ReadContext("synthea", 0)):
                resources += part.resources
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("CREATE SCHEMA canonical")
        tables(engine, "canonical", Mapping().rows(resources, 0))
        for statement in omop_statements():
            engine.execute(statement)
        yield engine


def tables(engine: duckdb.DuckDBPyConnection, schema: str, mapped: list[Mapped]) -> None:
    parts: dict[str, list[tuple[Mapped, From]]] = {}
    for one in mapped:
        parts.setdefault(one.table, []).append((one, From()))
    for table in CANONICAL_TABLES:
        engine.register("made", shape_parts(table.name, parts.get(table.name, []), 1, 0))
        engine.execute(f'CREATE OR REPLACE TABLE {schema}."{table.name}" AS SELECT * FROM made')
        engine.unregister("made")


FACTS = {
    "encounter": "class, {started}, {ended} FROM {schema}.encounter WHERE started IS NOT NULL",
    "condition": "coalesce(code_source, code), {onset}, {abatement} FROM {schema}.condition WHERE onset IS NOT NULL",
    "procedure": "coalesce(code_source, code), {started}, status FROM {schema}.procedure WHERE started IS NOT NULL",
    "number": "coalesce(code_source, code), {effective}, value_number, value_unit_source FROM {schema}.observation"
    " WHERE value_number IS NOT NULL AND effective IS NOT NULL",
    "patient": "sex, birth_date, birth_date_precision, birth_year FROM {schema}.patient",
    "organization": "name FROM {schema}.organization",
}
TIMES = {
    name: f"omop.local_time({name}, {name}_zone)" for name in ("started", "ended", "onset", "abatement", "effective")
}
"""OMOP's times are local: their zone does not come back."""


def test_there_and_back(canonical: duckdb.DuckDBPyConnection) -> None:
    """Synthea to canonical rows, to OMOP, and back: the same facts, apart from their keys."""
    files: dict[str, str | bytes] = {}
    for name in OMOP_TABLES:
        held = io.BytesIO()
        pq.write_table(canonical.sql(f"SELECT * FROM omop.{name}").to_arrow_table(), held)
        files[f"{name}.parquet"] = held.getvalue()
    parts = read(zipped(files))
    adds_up(parts)
    assert not [one for part in parts for one in part.unread]
    canonical.execute("CREATE SCHEMA IF NOT EXISTS back")
    tables(canonical, "back", [one for part in parts for one in part.mapped])
    for what, sql in FACTS.items():
        both = [f"SELECT {sql.format(schema=schema, **TIMES)}" for schema in ("canonical", "back")]
        before, after = (Counter(canonical.execute(one).fetchall()) for one in both)
        assert before, what
        assert after == before, what
    medicines = "SELECT (SELECT count(*) FROM canonical.medication) + (SELECT count(*) FROM canonical.immunization)"
    assert (
        canonical.execute("SELECT count(*) FROM back.medication").fetchall() == canonical.execute(medicines).fetchall()
    )
    linked = (
        "SELECT count(*) FROM {0}.observation o JOIN {0}.encounter e ON o.encounter = e.id AND o.patient = e.patient"
    )
    sizes = [canonical.execute(linked.format(schema)).fetchall() for schema in ("canonical", "back")]
    assert sizes[0][0][0] > 0
    assert sizes[0] == sizes[1]
    flagged = canonical.execute("SELECT DISTINCT flags FROM back.observation WHERE flags IS NOT NULL").fetchall()
    assert flagged == []
