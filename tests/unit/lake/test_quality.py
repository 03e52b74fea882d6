"""Checks over current views: a sound clinic passes, each planted fault is found by its check and by no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.lake.clinic import ICD10, LOINC, RECORDED, clinic, people, rates, shaped

from xinglin.catalogue.quality import quality_statement
from xinglin.catalogue.quality_checks import quality_checks
from xinglin.kernel.errors import LimitExceeded
from xinglin.lake import Lake
from xinglin.lake.quality import (
    FailingRow,
    UnknownCheck,
    failing_rows,
    keep_run,
    last_run,
    run_quality,
)

RATE: dict[str, Any] = {**rates(1)[0], "id": "Observation/x", "value_number": 61.5}
SOON = "2023-12-24T08:00:00+08:00"
LATE = "timeliness.late."


def failed(lake: Lake, *tables: str) -> set[str]:
    found = run_quality(lake, RECORDED, tables=tables or None)
    return {one.check for one in found.results if one.failing and not one.check.startswith(LATE)}


def test_a_sound_clinic_fails_nothing(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    card = run_quality(lake, RECORDED)
    assert {one.check for one in card.results if one.state == "failed"} <= {
        f"{LATE}encounter.started",
        f"{LATE}observation.effective",
        f"{LATE}condition.recorded",
    }
    assert len(card.results) > 80
    assert {one.kind for one in card.results if one.rows} >= {"completeness", "validity", "plausibility", "integrity"}


PLANTED: dict[str, dict[str, Any]] = {
    "plausibility.range_8867-4_min.observation.value_number": {"value_number": 720.0},
    "plausibility.future.observation.effective": {"effective": SOON},
    "completeness.value.observation.effective": {"effective": None},
    "validity.value_set.observation.status": {"status": "guessed"},
    "integrity.encounter.observation.encounter": {"encounter": "Encounter/none"},
    "validity.loinc.observation.code": {"code": "8867/4"},
    "validity.domain.observation.code": {"code_system": "urn:own"},
    "validity.unit.observation.value_unit": {"value_unit": None},
    "integrity.patient.observation.patient": {"patient": "Patient/none"},
    "completeness.standard_code.observation.code": {"code": None},
    "validity.tooth.observation.tooth": {"tooth": "19"},
}


def test_a_planted_fault_is_found_by_its_check_alone(tmp_path: Path) -> None:
    rows = [{**RATE, **fault, "id": check, "place": check} for check, fault in PLANTED.items()]
    rows = [{**row, "value_number": row["value_number"] + n / 100} for n, row in enumerate(rows)]
    lake = clinic(tmp_path, observation=rows)
    found = run_quality(lake, RECORDED, tables=["observation"])
    counted = {one.check: one.failing for one in found.results if one.failing and not one.check.startswith(LATE)}
    assert counted == dict.fromkeys(PLANTED, 1) | {"plausibility.visit.observation.effective": 1}
    assert [row.id for row in failing_rows(lake, "validity.loinc.observation.code")] == [
        "validity.loinc.observation.code"
    ]


def test_dates_and_lives(tmp_path: Path) -> None:
    rows = {
        "encounter": [
            {
                "id": "Encounter/a",
                "patient": "Patient/1",
                "class": "AMB",
                "started": "2023-10-09",
                "ended": "2023-10-02",
            },
            {"id": "Encounter/b", "patient": "Patient/2", "class": "AMB", "started": "1925-01-01"},
        ],
        "death": [{"id": "Death/3", "patient": "Patient/3", "died_at": "2023-01-01"}],
    }
    seen = failed(clinic(tmp_path, **rows))
    assert {
        "plausibility.order.encounter.ended",
        "plausibility.birth.encounter.started",
        "plausibility.death.encounter.started",
        "plausibility.death.observation.effective",
    } <= seen


SEXES = [
    ("Patient/0", "O80", ICD10, "female"),
    ("Patient/0", "C53.9", ICD10, "female"),
    ("Patient/0", "N70", ICD10, "female"),
    ("Patient/1", "N40", ICD10, "male"),
    ("Patient/1", "C61", ICD10, "male"),
    ("Patient/1", "N51.8", ICD10, "male"),
    ("Patient/0", "72892002", "http://snomed.info/sct", "female"),
    ("Patient/1", "O80", ICD10, ""),
    ("Patient/0", "N40", ICD10, ""),
    ("Patient/0", "N69", ICD10, ""),
    ("Patient/1", "N52", ICD10, ""),
    ("Patient/0", "C50", ICD10, ""),
]


def test_sex_and_diagnosis(tmp_path: Path) -> None:
    rows = [
        {"id": f"{n} {only}", "patient": patient, "code": code, "code_system": system, "recorded": "2023-10-01"}
        for n, (patient, code, system, only) in enumerate(SEXES)
    ]
    lake = clinic(tmp_path, condition=rows)
    for sex in ("female", "male"):
        found = {row.id for row in failing_rows(lake, f"plausibility.sex_{sex}.condition.code")}
        assert found == {row["id"] for row in rows if row["id"].endswith(f" {sex}")}


def test_age_narrows_a_range(tmp_path: Path) -> None:
    height = {**RATE, "code": "8302-2", "value_unit": "cm", "value_number": 60.0}
    seen = failed(clinic(tmp_path, observation=[height]), "observation")
    assert "plausibility.range_8302-2_cm_18_200.observation.value_number" in seen
    assert "plausibility.range_8302-2_cm.observation.value_number" not in seen


def test_repeated_facts_and_persons(tmp_path: Path) -> None:
    twin = {**people(2)[1], "id": "Patient/twin", "patient": "Patient/twin"}
    lake = clinic(tmp_path, observation=[{**rates(2)[1], "id": "Observation/again"}], patient=[twin])
    assert {"uniqueness.same.observation", "uniqueness.national_id.patient.national_id"} <= failed(
        lake, "patient", "observation"
    )
    shown = failing_rows(lake, "uniqueness.same.observation")
    assert [(row.id, row.place) for row in shown] == [("Observation/again", "line 1")]
    lake.append_batch(
        1,
        {
            "person_link": shaped_link("Patient/twin", "Patient/1"),
        },
        app_id="xinglin.patients",
    )
    assert "uniqueness.national_id.patient.national_id" not in failed(lake, "patient")


def shaped_link(patient: str, person: str) -> Any:
    from tests.unit.lake.rows import link

    return link(2, (patient, person))


def test_what_was_taken_back_fails_nothing(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[{**RATE, "value_number": 720.0, "version_at": 1}])
    gone = shaped("observation", [{**RATE, "status": "entered-in-error", "version_at": 2}], batch=2)
    lake.append_batch(2, {"observation": gone})
    assert not any("range" in one for one in failed(lake, "observation"))


def test_drilling_down_leads_to_message_and_place(tmp_path: Path) -> None:
    lake = clinic(tmp_path, observation=[{**RATE, "value_number": 720.0, "place": "OBX[3]"}])
    (row,) = failing_rows(lake, "plausibility.range_8867-4_min.observation.value_number")
    assert (row.id, row.patient, row.place, row.value) == ("Observation/x", "Patient/0", "OBX[3]", "720.0")
    assert row.message is not None
    assert len(row.message) == 64
    assert repr(row) == "FailingRow(…)"
    assert isinstance(row, FailingRow)


def test_drilling_has_limits(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    with pytest.raises(LimitExceeded):
        failing_rows(lake, "uniqueness.same.observation", 1_001)
    with pytest.raises(UnknownCheck):
        failing_rows(lake, "uniqueness.same.observation; DROP TABLE observation")


def test_every_check_runs_on_tables_of_every_kind(tmp_path: Path) -> None:
    """All 200 and more SELECTs are valid over the physical columns."""
    from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
    from xinglin.records.shape import arrow_schema

    lake = Lake(tmp_path / "lake")
    for number, table in enumerate(CANONICAL_TABLES, 1):
        lake.append(table.name, arrow_schema(table.name).empty_table())
        assert number
    card = run_quality(lake, RECORDED)
    assert {one.check for one in card.results} == {check.id for check in quality_checks()}
    assert {one.state for one in card.results} == {"nothing"}


def test_runs_are_kept(tmp_path: Path) -> None:
    lake = clinic(tmp_path)
    assert last_run(lake) is None
    first = run_quality(lake, RECORDED, tables=["encounter"])
    keep_run(lake, first)
    second = run_quality(lake, RECORDED + 1, tables=["condition"])
    keep_run(lake, second)
    found = last_run(lake)
    assert found == second
    assert found is not None
    assert found.digest() == second.digest() != first.digest()


def test_the_public_statement_tells_of_no_few(tmp_path: Path) -> None:
    tables = ["observation"]
    bad = [{**RATE, "id": f"Observation/b{n}", "patient": f"Patient/{n}", "value_number": 720.0} for n in range(9)]
    lake = clinic(tmp_path, observation=bad)
    told = quality_statement(run_quality(lake, RECORDED, tables=tables))
    (one,) = [r for r in told.results if r.check == "plausibility.range_8867-4_min.observation.value_number"]
    assert (one.failing_percent, one.state) == (-1, "passed")
    lake = clinic(tmp_path / "more", observation=[*bad, {**bad[0], "id": "Observation/c", "patient": "Patient/9"}])
    told = quality_statement(run_quality(lake, RECORDED, tables=tables))
    (one,) = [r for r in told.results if r.check == "plausibility.range_8867-4_min.observation.value_number"]
    assert (one.failing_percent, one.state) == (20, "failed")
    assert LOINC not in str(told)
