"""Orders and results, medicines, vaccines, appointments, documents and charges."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.unit.records.v2maps.test_persons import CONTEXT, body, given, of

from xinglin.records.hl7v2.message import parse_message
from xinglin.records.v2maps.mapping import map_message

PID = "PID|1||7^^^HIS^MR"
OBR = "OBR|1|P1^HIS|F1^LIS|CBC^血常规^L|||20240301070000|||||||||||||||20240301090000||HM|F"


def observed(obx: str, *before: str) -> dict[str, Any]:
    return body(given(PID, *(before or (OBR,)), obx, event="ORU^R01"), "Observation")


def test_a_result_with_its_report_and_its_order() -> None:
    resources = given(
        PID, "PV1|1|I|||||||||||||||||V77^^^HIS", OBR, "OBX|1|NM|718-7^血红蛋白^LN||132|g/L^^UCUM|130-175|N|||F"
    )
    resources = given(
        PID,
        "PV1|1|I|||||||||||||||||V77^^^HIS",
        OBR,
        "OBX|1|NM|718-7^血红蛋白^LN||132|g/L^^UCUM|130-175|N|||F",
        event="ORU^R01",
    )
    observation = body(resources, "Observation")
    assert observation["valueQuantity"] == {
        "value": 132, "unit": "g/L", "code": "g/L", "system": "http://unitsofmeasure.org"
    }  # fmt: skip
    assert observation["code"]["coding"][0]["system"] == "http://loinc.org"
    assert observation["status"] == "final"
    assert observation["encounter"]["reference"] == "Encounter/HIS.V77"
    report = body(resources, "DiagnosticReport")
    assert report["id"] == "LIS.F1"
    assert report["issued"] == "2024-03-01T09:00:00+08:00"
    assert report["result"] == [{"reference": f"Observation/{observation['id']}"}]
    assert report["basedOn"] == [{"reference": "ServiceRequest/HIS.P1"}]
    assert of(resources, "Observation")[0].version_at == 1_709_254_800_000


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("F", "final"),
        ("P", "preliminary"),
        ("C", "corrected"),
        ("D", "entered-in-error"),
        ("W", "entered-in-error"),
        ("X", "cancelled"),
        ("", "unknown"),
    ],
)
def test_the_state_of_a_result(status: str, told: str) -> None:
    assert observed(f"OBX|1|NM|718-7^Hb^LN||132|g/L|||||{status}")["status"] == told


def test_a_correction_is_the_same_fact_whatever_its_set_id() -> None:
    first = observed("OBX|1|NM|718-7^Hb^LN||132|g/L|||||F")
    corrected = observed("OBX|4|NM|718-7^Hb^LN||123|g/L|||||C")
    other = observed("OBX|1|NM|789-8^RBC^LN||4.5|10*12/L|||||F")
    assert first["id"] == corrected["id"] != other["id"]


def test_the_same_code_twice_in_a_report_is_two_facts() -> None:
    resources = given(PID, OBR, "OBX|1|NM|1^a||1", "OBX|2|NM|1^a||2", event="ORU^R01")
    assert len({one.body["id"] for one in of(resources, "Observation")}) == 2


@pytest.mark.parametrize(
    ("obx", "name", "value"),
    [
        ("NM|1^a||<0.1|mg/L", "valueQuantity", {"value": 0.1, "comparator": "<", "unit": "mg/L"}),
        ("NM|1^a||阴性", "valueString", "阴性"),
        ("SN|1^a||>^100", "valueQuantity", {"value": 100, "comparator": ">"}),
        ("SN|1^a||^1^:^64", "valueRatio", {"numerator": {"value": 1}, "denominator": {"value": 64}}),
        ("SN|1^a||^2^-^4", "valueRange", {"low": {"value": 2}, "high": {"value": 4}}),
        ("ST|1^a||一~二", "valueString", "一\n二"),
        ("TX|1^a||a\\T\\b", "valueString", "a&b"),
        ("DT|1^a||20240301", "valueDateTime", "2024-03-01"),
        ("TM|1^a||0730", "valueTime", "07:30:00"),
        ("NR|1^a||1^2", "valueRange", {"low": {"value": 1}, "high": {"value": 2}}),
        ("CE|1^a||POS^阳性^L", "valueCodeableConcept",
         {"coding": [{"code": "POS", "display": "阳性", "system": "L"}]}),
    ],
)  # fmt: skip
def test_a_value_by_its_type(obx: str, name: str, value: Any) -> None:
    found = observed(f"OBX|1|{obx}")
    assert found[name] == value
    assert sum(key.startswith("value") for key in found) == 1


def test_no_value_has_a_reason() -> None:
    assert observed("OBX|1|NM|1^a||||||||X")["dataAbsentReason"]["coding"][0]["code"] == "not-performed"


def test_notes_follow_the_result_or_the_order() -> None:
    resources = given(PID, OBR, "NTE|1||溶血~重抽", "OBX|1|NM|1^a||1", "NTE|1||复查", event="ORU^R01")
    assert body(resources, "ServiceRequest")["note"][0]["text"] == "溶血\n重抽"
    assert body(resources, "Observation")["note"][0]["text"] == "复查"


def test_a_specimen_is_named_by_its_number() -> None:
    resources = given(PID, OBR, "OBX|1|NM|1^a||1", "SPM|1|^S9&LIS||BLD^血^HL70487", event="ORU^R01")
    specimen = body(resources, "Specimen")
    assert specimen["id"] == "LIS.S9"
    assert specimen["type"]["coding"][0]["code"] == "BLD"
    assert body(resources, "DiagnosticReport")["specimen"] == [{"reference": "Specimen/LIS.S9"}]


def test_an_order_and_its_cancel_are_one_request() -> None:
    new, cancelled = (
        body(given(PID, f"ORC|{control}|P1^HIS", "OBR|1|P1^HIS||CT^胸部CT", event="ORM^O01"), "ServiceRequest")
        for control in ("NW", "CA")
    )
    assert new["id"] == cancelled["id"] == "HIS.P1"
    assert (new["status"], cancelled["status"]) == ("active", "revoked")


def test_a_result_and_its_order_meet_in_the_request() -> None:
    order = body(given(PID, "ORC|NW|P1^HIS", "OBR|1|P1^HIS||CBC", event="OML^O21"), "ServiceRequest")
    result = body(given(PID, OBR, event="ORU^R01"), "ServiceRequest")
    assert order["id"] == result["id"]


def test_two_persons_in_one_message() -> None:
    resources = given(PID, OBR, "OBX|1|NM|1^a||1", "PID|2||8^^^HIS", OBR, "OBX|1|NM|1^a||2", event="ORU^R01")
    assert [one.body["subject"]["reference"] for one in of(resources, "Observation")] == [
        "Patient/HIS.7",
        "Patient/HIS.8",
    ]


def test_medicines_ordered_dispensed_and_given() -> None:
    orc, rxr = "ORC|NW|P5^HIS|F5^PH||||||20240301083000", "RXR|IV^静脉^HL70162"
    ordered = body(given(PID, orc, "RXE||ATB^头孢^L|1||g", rxr, event="RDE^O11"), "MedicationRequest")
    dispensed = body(given(PID, orc, "RXD|1|ATB^头孢^L|20240301|7|支", event="RDS^O13"), "MedicationDispense")
    taken = body(
        given(PID, orc, "RXA|0|1|202403010900||ATB^头孢^L|1|g", rxr, event="RAS^O17"), "MedicationAdministration"
    )
    assert ordered["medicationCodeableConcept"]["coding"][0]["code"] == "ATB"
    assert ordered["dosageInstruction"][0]["route"]["coding"][0]["code"] == "IV"
    assert ordered["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"] == {"value": 1, "unit": "g"}
    assert ordered["authoredOn"] == "2024-03-01T08:30:00+08:00"
    assert dispensed["authorizingPrescription"] == [{"reference": f"MedicationRequest/{ordered['id']}"}]
    assert taken["request"] == {"reference": f"MedicationRequest/{ordered['id']}"}
    assert taken["effectiveDateTime"] == "2024-03-01T09:00:00+08:00"
    assert (ordered["status"], dispensed["status"], taken["status"]) == ("active", "completed", "completed")


@pytest.mark.parametrize(("action", "status"), [("A", "completed"), ("D", "entered-in-error")])
def test_a_vaccine(action: str, status: str) -> None:
    rxa = f"RXA|0|1|20240301||03^MMR^CVX|0.5|mL||||||||LOT7|20251231|MSD^默沙东|||CP|{action}"
    vaccine = body(given(PID, "ORC|RE||F9^IIS", rxa, "RXR|SC", event="VXU^V04"), "Immunization")
    assert (vaccine["id"], vaccine["status"], vaccine["lotNumber"]) == ("IIS.F9", status, "LOT7")
    assert vaccine["vaccineCode"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/cvx"
    assert vaccine["patient"]["reference"] == "Patient/HIS.7"


def test_an_appointment_and_its_cancel() -> None:
    sch = "SCH|A1^HIS|||||R^复诊|||15|MIN|^^^202403020900^202403020915"
    booked, cancelled = (
        body(given(sch, PID, "AIP|1||7^王^医生", event=f"SIU^{event}"), "Appointment") for event in ("S12", "S15")
    )
    assert booked["id"] == cancelled["id"] == "HIS.A1"
    assert (booked["status"], cancelled["status"]) == ("booked", "cancelled")
    assert booked["start"] == "2024-03-02T09:00:00+08:00"
    actors = {one["actor"]["reference"].partition("/")[0] for one in booked["participant"]}
    assert actors == {"Patient", "Practitioner"}


def test_a_document_with_its_text() -> None:
    resources = given(
        PID,
        "TXA|1|DS|TX|||20240301|||||| D1^HIS".replace(" ", "") + "|||||AU||AV",
        "OBX|1|TX|||出院小结",
        event="MDM^T02",
    )
    document = body(resources, "DocumentReference")
    attachment = document["content"][0]["attachment"]
    assert base64.b64decode(attachment["data"]).decode() == "出院小结"
    assert (document["id"], document["status"], document["docStatus"]) == ("HIS.D1", "current", "final")


def test_a_charge_and_its_credit() -> None:
    charge = body(given(PID, "FT1|1|T1||20240301||CG|B01^床位费|||1|80&CNY", event="DFT^P03"), "ChargeItem")
    credit = body(given(PID, "FT1|1|T1||20240301||CD|B01^床位费", event="DFT^P03"), "ChargeItem")
    assert charge["id"] == credit["id"]
    assert (charge["priceOverride"], charge["status"]) == ({"value": 80, "currency": "CNY"}, "billable")
    assert credit["status"] == "entered-in-error"


def test_types_without_a_map_are_ignored_with_a_count() -> None:
    found = map_message(parse_message(b"MSH|^~\\&|||||2024||MFN^M02|1|P|2.5\rMFI|STF"), CONTEXT)
    assert (found.resources, found.unread, found.ignored) == ([], [], "hl7v2 MFN: no map")
