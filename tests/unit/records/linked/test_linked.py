"""What one resource tells of another one of the same object, through the intake's own steps and the current views."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xinglin.intake.model import Source
from xinglin.intake.ports import Kept, Work
from xinglin.intake.preparing import Preparation
from xinglin.intake.standard import standard_steps
from xinglin.records.fhir.bounds import PART_RESOURCES
from xinglin.records.linked import reader
from xinglin.records.sniffing import FHIR, FHIR_LINES, HL7V2

Json = dict[str, Any]
PERSON = {"reference": "Patient/1"}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
MEDICATION: Json = {
    "resourceType": "Medication",
    "id": "m",
    "code": {"coding": [{"system": RXNORM, "code": "860975"}], "text": "二甲双胍"},
}
ORDER: Json = {
    "resourceType": "MedicationRequest", "id": "r", "status": "active", "intent": "order", "subject": PERSON,
    "medicationReference": {"reference": "Medication/m"},
}  # fmt: skip
PATIENT: Json = {"resourceType": "Patient", "id": "1"}
DEAD: Json = PATIENT | {"deceasedDateTime": "2024-03-01T08:00:00+08:00"}


def condition(name: str, **more: Any) -> Json:
    code = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}
    return {"resourceType": "Condition", "id": name, "subject": PERSON, "code": code, **more}


def visit(*diagnoses: Json, name: str = "e", status: str = "finished") -> Json:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    return {"resourceType": "Encounter", "id": name, "status": status, "class": kind, "subject": PERSON,
            "diagnosis": list(diagnoses)}  # fmt: skip


def diagnosis(name: str, rank: int | None = None, use: str = "") -> Json:
    made: Json = {"condition": {"reference": f"Condition/{name}"}}
    if rank is not None:
        made["rank"] = rank
    if use:
        made["use"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": use}]}
    return made


def cause(status: str = "final", code: str = "69453-9") -> Json:
    value = {"coding": [{"system": "http://snomed.info/sct", "code": "22298006", "display": "心肌梗死"}]}
    what = {"coding": [{"system": "http://loinc.org", "code": code}]}
    return {"resourceType": "Observation", "id": "o", "status": status, "subject": PERSON,
            "code": what, "valueCodeableConcept": value}  # fmt: skip


def bundle(*resources: Json) -> bytes:
    entries = [{"fullUrl": f"urn:uuid:{n:036}", "resource": one} for n, one in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def lines(*resources: Json) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in resources)


def tables(body: bytes, media_type: str = FHIR, received: int = -1) -> dict[str, list[Json]]:
    source = Source("ehr")
    kept = Kept("0" * 64, 1, len(body), False, "ehr", media_type, 1_700_000_000_000, "inpatient")
    preparation = Preparation(standard_steps(), b"k" * 32)
    parts = list(preparation.prepare(Work(kept, source, media_type), body))
    assert all(part.received == part.accepted + len(part.unread) + len(part.rejects) for part in parts)
    assert received < 0 or sum(part.received for part in parts) == received
    assert not any(part.unread for part in parts)
    return {name: table.to_pylist() for name, table in preparation.tables({}, 1, 1_700_000_000_000).items()}


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_a_visit_ranks_its_diagnoses(order: list[int]) -> None:
    told = visit(diagnosis("a", 1, "DD"), diagnosis("b", 2), diagnosis("c", use="billing"))
    all_of = [told, condition("a"), condition("b")]
    made = tables(bundle(*(all_of[at] for at in order), condition("c"), condition("d")), received=5)
    rows = {row["id"]: (row["rank"], row["use"], row["encounter"]) for row in made["condition"]}
    assert rows == {
        "Condition/a": (1, "discharge", "Encounter/e"), "Condition/b": (2, None, "Encounter/e"),
        "Condition/c": (None, "billing", "Encounter/e"), "Condition/d": (None, None, None),
    }  # fmt: skip
    assert all(not row["partial"] for row in made["condition"])


def test_a_rank_is_that_of_the_diagnosis_s_own_visit() -> None:
    own = condition("a", encounter={"reference": "Encounter/e2"})
    made = tables(bundle(visit(diagnosis("a", 5)), visit(diagnosis("a", 1), name="e2"), own))
    assert [(row["rank"], row["encounter"]) for row in made["condition"]] == [(1, "Encounter/e2")]
    made = tables(bundle(visit(diagnosis("a", 5)), own))
    assert [(row["rank"], row["encounter"]) for row in made["condition"]] == [(None, "Encounter/e2")]


def test_a_diagnosis_that_is_not_there_gets_a_partial_row() -> None:
    made = tables(bundle(visit(diagnosis("a", 1, "AD"))), received=1)
    (row,) = made["condition"]
    assert (row["id"], row["patient"], row["partial"]) == ("Condition/a", "Patient/1", True)
    assert (row["rank"], row["use"], row["code"], row["encounter"]) == (1, "admission", None, None)


@pytest.mark.parametrize("told", [
    visit(diagnosis("a", 1), status="entered-in-error"),
    visit(diagnosis("a")),
    visit(diagnosis("a", 0)),
    visit({"condition": {"reference": "Procedure/a"}, "rank": 1}),
    visit({"condition": {"display": "somebody's"}, "rank": 1}),
])  # fmt: skip
def test_what_ranks_nothing(told: Json) -> None:
    made = tables(bundle(told, condition("a")))
    assert [row["rank"] for row in made["condition"]] == [None]


def test_a_message_ranks_its_diagnoses() -> None:
    segments = ["MSH|^~\\&|HIS|A|||20240301080000||ADT^A03|1|P|2.5", "PID|1||7^^^HIS^MR",
                "PV1|1|I|||||||||||||||||V77^^^HIS", "DG1|1||I10^高血压^I10|||F|||||||||1",
                "DG1|2||E11^糖尿病^I10|||A|||||||||2"]  # fmt: skip
    made = tables("\r".join(segments).encode(), HL7V2)
    assert sorted((row["code_source"], row["rank"], row["use"]) for row in made["condition"]) == [
        ("E11", 2, "admission"), ("I10", 1, "discharge"),
    ]  # fmt: skip


@pytest.mark.parametrize("resources", [[DEAD, cause()], [cause(), DEAD]])
def test_a_death_has_its_cause(resources: list[Json]) -> None:
    made = tables(bundle(*resources), received=2)
    (row,) = made["death"]
    assert (row["id"], row["cause"], row["cause_source"], row["cause_source_text"]) == (
        "Patient/1", "22298006", "22298006", "心肌梗死",
    )  # fmt: skip
    assert row["died_at"] is not None and not row["partial"]
    assert [row["id"] for row in made["patient"]] == ["Patient/1"]
    assert len(made["observation"]) == 1


def test_a_cause_without_the_person_s_own_word_of_it_is_partial() -> None:
    for resources in ([PATIENT, cause()], [cause()]):
        (row,) = tables(bundle(*resources))["death"]
        assert (row["id"], row["patient"], row["partial"], row["cause"]) == ("Patient/1", "Patient/1", True, "22298006")
        assert row["status"] is None


@pytest.mark.parametrize("told", [cause("entered-in-error"), cause(code="8480-6")])
def test_what_is_no_cause_of_death(told: Json) -> None:
    (row,) = tables(bundle(DEAD, told))["death"]
    assert row["cause"] is None


@pytest.mark.parametrize("order", [[MEDICATION, ORDER], [ORDER, MEDICATION]])
def test_a_prescription_has_the_code_of_its_medication(order: list[Json]) -> None:
    (row,) = tables(bundle(*order), received=2)["medication"]
    assert (row["code"], row["code_system"], row["code_source_text"]) == ("860975", RXNORM, "二甲双胍")


def test_by_an_address_of_the_bundle_alone() -> None:
    order = ORDER | {"medicationReference": {"reference": f"urn:uuid:{1:036}"}}
    (row,) = tables(bundle(order, MEDICATION))["medication"]
    assert row["code"] == "860975"


def test_contained_and_foreign_medications() -> None:
    inside = ORDER | {"contained": [MEDICATION], "medicationReference": {"reference": "#m"}}
    assert [row["code"] for row in tables(bundle(inside))["medication"]] == ["860975"]
    assert [row["code"] for row in tables(bundle(ORDER), received=1)["medication"]] == [None]
    other = ORDER | {"medicationReference": {"reference": "Medication/other"}}
    assert [row["code"] for row in tables(bundle(MEDICATION, other), received=2)["medication"]] == [None]


def test_a_medication_beyond_the_part_of_its_prescription() -> None:
    many = [{"resourceType": "Patient", "id": str(n)} for n in range(PART_RESOURCES.value)]
    made = tables(bundle(ORDER, *many, MEDICATION), received=PART_RESOURCES.value + 2)
    assert [row["code"] for row in made["medication"]] == ["860975"]
    made = tables(bundle(visit(diagnosis("a", 1)), *many, condition("a")))
    assert sorted((row["partial"], row["rank"]) for row in made["condition"]) == [(False, 1), (True, 1)]


def test_bulk_lines_wait_for_nothing() -> None:
    made = tables(lines(MEDICATION, ORDER), FHIR_LINES)
    assert [row["code"] for row in made["medication"]] == ["860975"]
    many = [PATIENT | {"id": str(n)} for n in range(PART_RESOURCES.value)]
    made = tables(lines(ORDER, *many, MEDICATION), FHIR_LINES)
    assert [row["code"] for row in made["medication"]] == [None]


def test_one_more_than_may_wait_passes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "WAITING", reader.Limit("x", 2, "resources"))
    many = [{"resourceType": "Patient", "id": str(n)} for n in range(PART_RESOURCES.value)]
    orders = [ORDER | {"id": str(n)} for n in range(3)]
    made = tables(bundle(*orders, *many, MEDICATION))
    assert sorted(str(row["code"]) for row in made["medication"]) == ["860975", "860975", "None"]


@pytest.mark.parametrize("told", [
    7, "x", [], [7], [{"rank": "1"}], [{"condition": 7, "rank": 1}],
    {"condition": {"reference": 9}, "rank": 1}, [{"condition": [{}], "rank": True}],
])  # fmt: skip
def test_what_is_no_fhir_breaks_nothing(told: Any) -> None:
    broken = visit() | {"diagnosis": told}
    assert len(tables(bundle(broken, condition("a")))["condition"]) == 1


def test_an_erased_person_s_rank_is_rejected_with_the_visit() -> None:
    from xinglin.intake.digests import person_digest

    body = bundle(visit(diagnosis("a", 1)), condition("b"), cause())
    kept = Kept("0" * 64, 1, len(body), False, "ehr", FHIR, 1_700_000_000_000, "inpatient")
    preparation = Preparation(standard_steps(), b"k" * 32, {person_digest(b"k" * 32, "Patient/1")})
    (part,) = preparation.prepare(Work(kept, Source("ehr"), FHIR), body)
    assert (part.received, part.accepted, len(part.rejects)) == (3, 0, 3)
    assert not preparation.tables({}, 1, 0)
