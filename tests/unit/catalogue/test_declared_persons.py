"""What is declared of the persons in a table is what the table holds."""

from __future__ import annotations

import pytest

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.catalogue.checks import check_data_set
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription

PERSONAL = {"patient", "person", "subject", "beneficiary", "national_id", "insurance_id", "birth_date"}


def described(name: str, key: str) -> DataSetDescription:
    columns = (
        ColumnDescription(key, "text", "person"),
        ColumnDescription("number", "number", "data", low=0.0, high=1.0),
    )
    did = "did:xinglin:" + "a" * 26
    return DataSetDescription("heart", did, "Heart", (TableDescription(name, columns, key),))


@pytest.mark.parametrize("table", [one for one in CANONICAL_TABLES if not one.of_person], ids=lambda one: one.name)
def test_a_table_that_says_that_it_holds_no_persons_has_no_column_of_one(table: object) -> None:
    assert not PERSONAL & {column.name for column in table.columns}  # type: ignore[attr-defined]


@pytest.mark.parametrize("table", CANONICAL_TABLES, ids=lambda one: one.name)
def test_a_canonical_table_is_published_with_its_own_patient_key_or_not_at_all(table: object) -> None:
    name, holds_patients = table.name, table.of_person  # type: ignore[attr-defined]
    assert bool(check_data_set(described(name, "patient"))) == holds_patients
    assert not check_data_set(described(name, "visit"))
    assert check_data_set(described(f"{name}_2024", "visit")), "a table of the hospital's own"
