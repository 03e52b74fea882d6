"""What a statement is made of, counted over a lake."""

from __future__ import annotations

from pathlib import Path

from tests.unit.lake.clinic import RECORDED, clinic

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.confirming import settled_grades
from xinglin.catalogue.describe import describe_canonical, publishable
from xinglin.catalogue.model import DataSetDescription
from xinglin.catalogue.statement import data_set_statement
from xinglin.lake import Lake, read_current
from xinglin.lake.profiling import counted, profile_relation
from xinglin.lake.quality_coverage import count_for_statement


def described(lake: Lake) -> DataSetDescription:
    tables = []
    with read_current(lake, lake.current(["observation", "patient"])) as session:
        for name in ("observation", "patient"):
            table = canonical_table(name)
            assert table is not None
            columns = publishable(table)
            with counted(session.batches(f"SELECT * FROM {name}"), name) as ask:
                found = describe_canonical(table, profile_relation(ask, name, name, columns, "patient"))
            assert found is not None
            tables.append(found)
    return DataSetDescription("clinic", "did:x:y", "Clinic", tuple(tables))


def test_a_lake_is_counted_and_stated(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    description = described(lake)
    found = count_for_statement(lake, description, RECORDED)
    assert found.population is not None
    assert found.population.persons == 40
    assert {one.value: one.persons for one in found.population.sexes} == {"female": 20, "male": 20}
    bins = found.measured["observation"].bins["value_number"]
    assert sum(one.persons for one in bins) == 40
    grades = settled_grades(found.suggestions, ())
    said = data_set_statement(description, found.measured, found.population, RECORDED, grades=grades)
    assert (said.first_month, said.last_month, said.persons) == ("2023-10", "2023-10", 40)
    value = next(one for one in said.variables if one.name == "value_number")
    assert value.filled_percent == 100
    assert sum(one.percent for one in value.bins) in range(95, 106)
    told = {(one.table, one.column): (one.role, one.grade) for one in said.grades}
    assert told["patient", "name"] == ("identifier", "L3")
    assert told["observation", "note"] == ("identifier", "L3")
    assert told["observation", "value_number"] == ("data", "L2")
    assert "Patient/" not in str(said)
    assert "id-1" not in str(said)
