"""Whoever objected to research is in no published count, level or range; the hospital itself counts as it did."""

from __future__ import annotations

from pathlib import Path

from tests.unit.lake.clinic import PERSONS, RECORDED, clinic
from tests.unit.lake.rows import link
from tests.unit.lake.test_quality_coverage import described

from xinglin.lake.quality_coverage import count_for_statement
from xinglin.node.consent import published_persons, record, withdraw
from xinglin.node.intake.connecting import describe
from xinglin.node.intake.quality import make_statement
from xinglin.terms.consent import Choice, IdentityCheck, PersonFilter, Rule, Where

LATER = RECORDED + 10**12


def test_whoever_objected_is_not_counted(tmp_path: Path) -> None:
    lake = clinic(tmp_path / "lake")
    node = tmp_path / "node"
    node.mkdir()
    assert published_persons(node, LATER) == PersonFilter()
    for n in range(5):
        withdraw(node, f"Patient/{n}", "desk")
    withdraw(node, "Patient/5", "desk", Where(commercial=True))
    withdraw(node, "Patient/6", "desk", Where(institutions=("did:web:pharma.example",)))
    withdraw(node, "Patient/7", "desk", Where(purposes=("education",)))
    withdraw(node, "Patient/8", "desk", Where(studies=("heart",)))
    allowed = published_persons(node, LATER)
    assert allowed == PersonFilter(tuple(f"Patient/{n}" for n in range(7)))
    description = described(lake)
    everybody = count_for_statement(lake, description, RECORDED)
    assert everybody.population is not None and everybody.population.persons == PERSONS
    found = count_for_statement(lake, description, RECORDED, allowed)
    assert found.population is not None and found.population.persons == PERSONS - 7
    measured = found.measured["observation"]
    assert measured.profile.persons == PERSONS - 7
    assert sum(one.persons for one in measured.bins["value_number"]) == PERSONS - 7
    assert sum(one.persons for one in measured.months) == PERSONS - 7
    assert make_statement(lake, description, RECORDED, persons=allowed).persons == 30


def test_a_level_that_only_they_fill_is_not_published(tmp_path: Path) -> None:
    lake = clinic(tmp_path)

    def provinces(allowed: PersonFilter) -> set[str]:
        found = describe(lake, "clinic", "Clinic", "did:x:y", min_persons=14, persons=allowed)
        (patient,) = [table for table in found.tables if table.name == "patient"]
        (column,) = [one for one in patient.columns if one.name == "province"]
        return set(column.levels)

    assert provinces(PersonFilter()) == {"Shanghai", "Jiangsu"}, "14 persons of Jiangsu"
    assert provinces(PersonFilter(("Patient/3",))) == {"Shanghai"}


def test_what_is_said_of_one_record_holds_for_all_of_the_person(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    links = link(2, ("Patient/1", "person-a"), ("Patient/2", "person-a"))
    lake.append_batch(1, {"person_link": links}, app_id="xinglin.patients")
    description = described(lake)
    for said in ("Patient/1", "Patient/2", "person-a"):
        found = count_for_statement(lake, description, RECORDED, PersonFilter((said,)))
        assert found.population is not None and found.population.persons == PERSONS - 2, said


def test_a_permission_gives_nothing_back_to_who_denied_later(tmp_path: Path) -> None:
    checked = IdentityCheck("card", "Li", 1)
    record(tmp_path, [Choice("p1", Rule("permit"), 5, "desk", identity=checked), Choice("p1", Rule("deny"), 6, "desk")])
    record(tmp_path, [Choice("p2", Rule("deny"), 5, "desk"), Choice("p2", Rule("permit"), 6, "desk", identity=checked)])
    assert published_persons(tmp_path, LATER) == PersonFilter(("p1",))
