"""ROL, PRT and GT1 about the segment that they stand behind, and nothing of those that are deleted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.records.v2maps.test_persons import body, given, of

PID = "PID|1||7^^^HIS^MR"
PV1 = "PV1|1|I|||||||||||||||||V77^^^HIS"
OBR = "OBR|1|P1^HIS|F1^LIS|CBC^血常规^L|||20240301070000|||||||||||||||20240301090000||HM|F"
OBX = "OBX|1|NM|718-7^血红蛋白^LN||132|g/L^^UCUM|130-175|N|||F"
DOCTOR = "1001^王^医生"


def rol(role: str, person: str = DOCTOR, action: str = "AD") -> str:
    return f"ROL|R1^HIS|{action}|{role}^^HL70443|{person}|20240301|20240305"


def prt(role: str, person: str = DOCTOR, action: str = "AD", more: str = "") -> str:
    return f"PRT|1|{action}||{role}^^HL70912|{person}{more}"


def named(resources: list[Any], reference: str) -> dict[str, Any]:
    """The resource that a reference leads to."""
    kind, _, key = reference.partition("/")
    return next(one.body for one in of(resources, kind) if one.body["id"] == key)


def family(resources: list[Any], role: str) -> str:
    """The family name behind a PractitionerRole's reference."""
    practitioner = named(resources, role)["practitioner"]["reference"]
    return str(named(resources, practitioner)["name"][0]["family"])


def test_a_general_practitioner_by_either_segment() -> None:
    for segment in (rol("PP"), prt("PP", more="||||市一院")):
        resources = given(PID, segment, PV1)
        (doctor,) = body(resources, "Patient")["generalPractitioner"]
        assert family(resources, doctor["reference"]) == "王"
        assert not of(resources, "CareTeam")
    resources = given(PID, prt("PP"))
    (doctor,) = body(resources, "Patient")["generalPractitioner"]
    assert named(resources, doctor["reference"])["name"][0]["family"] == "王"


def test_two_practitioners_stay_two() -> None:
    resources = given(PID, rol("PP"), rol("PP", "1002^李^医生"))
    doctors = body(resources, "Patient")["generalPractitioner"]
    assert {family(resources, one["reference"]) for one in doctors} == {"王", "李"}


def test_others_behind_the_person_are_a_team_or_relatives() -> None:
    resources = given(PID, rol("AT"), rol("CP", "1002^李^医生"), PV1)
    team = body(resources, "CareTeam")
    assert team["subject"] == {"reference": "Patient/HIS.7"}
    assert [one["period"]["start"] for one in team["participant"]] == ["2024-03-01", "2024-03-01"]
    members = [named(resources, one["member"]["reference"])["name"][0]["family"] for one in team["participant"]]
    assert members == ["王", "李"]
    assert len(body(given(PID, prt("AT"), prt("CP", "1002^李^医生")), "CareTeam")["participant"]) == 2
    relative = body(given(PID, prt("MTH", "^张^母")), "RelatedPerson")
    assert relative["patient"] == {"reference": "Patient/HIS.7"}
    assert relative["name"][0]["family"] == "张"


def test_behind_the_visit_they_take_part_in_it() -> None:
    for segment in (rol("AT"), prt("AT")):
        resources = given(PID, PV1, segment, "AL1|1|DA|1^青霉素")
        (taking,) = body(resources, "Encounter")["participant"]
        assert family(resources, taking["individual"]["reference"]) == "王"
        codes = {one["code"] for one in taking["type"][0]["coding"]}
        assert "AT" in codes
        assert "generalPractitioner" not in body(resources, "Patient")
    assert "ATND" in {
        one["code"] for one in body(given(PID, PV1, rol("AT")), "Encounter")["participant"][0]["type"][0]["coding"]
    }


def test_the_visit_keeps_its_own_attending_first() -> None:
    attended = "PV1|1|I|||||8888^赵^主任||||||||||||V77^^^HIS"
    resources = given(PID, attended, rol("CP"))
    first, second = body(resources, "Encounter")["participant"]
    assert named(resources, first["individual"]["reference"])["name"][0]["family"] == "赵"
    assert family(resources, second["individual"]["reference"]) == "王"


def test_behind_an_order_they_ask_perform_interpret_and_collect() -> None:
    people = [prt(role, f"{number}^{name}") for number, (role, name) in enumerate(
        [("OP", "甲"), ("PRI", "乙"), ("TN", "丙"), ("SC", "丁"), ("XX", "戊")], 1)]  # fmt: skip
    resources = given(PID, "ORC|RE|P1^HIS|F1^LIS", OBR, *people, OBX, "SPM|1|S1^HIS||BLD", event="ORU^R01")
    request, report = body(resources, "ServiceRequest"), body(resources, "DiagnosticReport")
    assert family(resources, request["requester"]["reference"]) == "甲"
    assert family(resources, report["resultsInterpreter"][0]["reference"]) == "乙"
    assert family(resources, report["performer"][0]["reference"]) == "丙"
    assert family(resources, body(resources, "Specimen")["collection"]["collector"]["reference"]) == "丁"


def test_who_orders_by_orc_holds() -> None:
    orc = "ORC|RE|P1^HIS|F1^LIS|||||||||1009^孙^医生"
    resources = given(PID, orc, prt("OP"), OBR, OBX, event="ORU^R01")
    assert family(resources, body(resources, "ServiceRequest")["requester"]["reference"]) == "孙"


def test_behind_a_result_device_place_and_performer() -> None:
    device = "PRT|1|AD||EQUIP^^HL70912|1001^王||||检验科^一室|D-9^LIS|||||||20230101|20280101|LOT1|SER1||A1^分析仪"
    resources = given(PID, OBR, OBX, device, "OBX|2|NM|6690-2^WBC^LN||5|10*9/L^^UCUM||N|||F", event="ORU^R01")
    first, second = (one.body for one in of(resources, "Observation"))
    told = body(resources, "Device")
    assert first["device"] == {"reference": f"Device/{told['id']}"}
    assert (told["id"], told["lotNumber"], told["serialNumber"]) == ("LIS.D-9", "LOT1", "SER1")
    assert told["udiCarrier"] == [{"deviceIdentifier": "D-9"}]
    assert family(resources, first["performer"][0]["reference"]) == "王"
    assert first["extension"][0]["valueReference"]["reference"].startswith("Location/")
    assert not {"device", "performer", "extension"} & set(second)


@pytest.mark.parametrize("action", ["D", "DE", "UN"])
def test_who_no_longer_takes_part_is_not_told(action: str) -> None:
    resources = given(PID, rol("PP", action=action), PV1, prt("AT", action=action), OBR, OBX,
                      prt("RO", action=action), event="ORU^R01")  # fmt: skip
    assert "generalPractitioner" not in body(resources, "Patient")
    assert "participant" not in body(resources, "Encounter")
    assert "performer" not in body(resources, "Observation")


@pytest.mark.parametrize("between", ["NK1|1|张^母", "PR1|1||1^手术", "IN1|1|P|C1|医保", "SPM|1|S1^HIS||BLD"])
def test_behind_a_segment_without_a_place_for_it_nothing_is_told(between: str) -> None:
    resources = given(PID, PV1, OBR, OBX, between, prt("AT"), event="ORU^R01")
    assert "participant" not in body(resources, "Encounter")
    assert "performer" not in body(resources, "Observation")
    assert not of(resources, "PractitionerRole")


def test_a_role_of_a_table_of_their_own_is_no_general_practitioner() -> None:
    resources = given(PID, "PRT|1|AD||PP^^99HIS|1001^王")
    assert "generalPractitioner" not in body(resources, "Patient")


def test_who_answers_for_the_bill() -> None:
    other = body(given(PID, "GT1|1|G5^^^HIS|张^父||长安街|01012345678||19600101|M||FTH^父亲^HL70063"), "RelatedPerson")
    assert other["name"][0]["family"] == "张"
    assert (other["birthDate"], other["gender"]) == ("1960-01-01", "male")
    assert {one["code"] for concept in other["relationship"] for one in concept["coding"]} >= {"FTH", "GUAR"}
    assert not of(given(PID, "GT1|1||张^三||||||||SEL"), "RelatedPerson")
    assert not of(given(PID, "GT1|1|G5"), "RelatedPerson")
