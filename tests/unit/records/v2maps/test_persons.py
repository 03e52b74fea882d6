"""Persons and visits: ids, versions, merges, cancels, what is emptied and what Z-segments add."""

from __future__ import annotations

from typing import Any

import pytest

from xinglin.records.hl7v2.message import parse_message
from xinglin.records.model import ReadContext, Resource
from xinglin.records.v2maps.mapping import map_message, to_fhir

CONTEXT = ReadContext(source="his", received_at=0, zone="+08:00")
PID = "PID|1||00123^^^HIS^MR~110101199003078515^^^PSB^NI||张^三^^^^^L||19900307|1|||长安街1号^^北京^^100000^CN^H"


def given(*segments: str, event: str = "A01", context: ReadContext = CONTEXT) -> list[Resource]:
    kind, _, trigger = event.rpartition("^")
    head = f"MSH|^~\\&|HIS|A|||20240301080000||{kind or 'ADT'}^{trigger}|1|P|2.5"
    resources, unread = to_fhir(parse_message("\r".join([head, *segments]).encode()), context)
    assert not unread
    return resources


def of(resources: list[Resource], kind: str) -> list[Resource]:
    return [one for one in resources if one.body["resourceType"] == kind]


def body(resources: list[Resource], kind: str) -> dict[str, Any]:
    found = of(resources, kind)
    assert len(found) == 1, [one.body["id"] for one in found]
    return found[0].body


def test_a_chinese_patient() -> None:
    patient = body(given(PID), "Patient")
    assert patient["id"] == "HIS.00123"
    assert patient["name"] == [{"family": "张", "given": ["三"], "use": "official", "text": "张三"}]
    assert patient["gender"] == "male"
    assert patient["birthDate"] == "1990-03-07"
    assert patient["address"][0]["city"] == "北京"
    assert [(one["system"], one["type"]["coding"][0]["code"]) for one in patient["identifier"]] == [
        ("HIS", "MR"),
        ("PSB", "NI"),
    ]


@pytest.mark.parametrize(
    ("xtn", "value"),
    [
        ("^PRN^PH^^86^10^65551234", "+86 10 65551234"),
        ("^^PH^^^^65551234", "65551234"),
        ("13800000000", "13800000000"),
        ("^PRN^CP^^^^^^^^^13800000000", "13800000000"),
        ("^NET^Internet^a@example.org", "a@example.org"),
    ],
)
def test_a_telephone_number_however_it_is_sent(xtn: str, value: str) -> None:
    assert body(given(f"PID|1||7||||||||||{xtn}"), "Patient")["telecom"][0]["value"] == value


def test_gb18030_bytes_and_their_sex_code() -> None:
    head = "MSH|^~\\&|HIS|A|||20240301080000||ADT^A08|1|P|2.5||||||GB18030"
    message = parse_message("\r".join([head, "PID|1||7^^^HIS||李^四||1990|2"]).encode("gb18030"))
    patient = map_message(message, CONTEXT).resources[0].body
    assert (patient["name"][0]["family"], patient["gender"], patient["birthDate"]) == ("李", "female", "1990")


def test_sex_by_the_table_that_the_source_keeps_to() -> None:
    only = ReadContext(source="his", received_at=0, mapping='[hl7v2]\nsex = "hl7"')
    assert "gender" not in body(given("PID|1||7|||||1", context=only), "Patient")
    assert body(given("PID|1||7|||||F", context=only), "Patient")["gender"] == "female"


@pytest.mark.parametrize(
    ("pid3", "key"),
    [
        ("00123^^^HIS^MR", "HIS.00123"),
        ("00123", "00123"),
        ("110101199003078515^^^PSB^NI~00123^^^HIS^MR", "HIS.00123"),
        ("^^^HIS^MR~00123^^^HIS^PI", "HIS.00123"),
    ],
)
def test_the_hospitals_own_number_names_the_person(pid3: str, key: str) -> None:
    assert body(given(f"PID|1||{pid3}"), "Patient")["id"] == key


def test_a_number_of_the_state_never_stands_in_an_id() -> None:
    for pid in ("PID|1||110101199003078515^^^PSB^NI", "PID|1||||||||||||||||||110101199003078515"):
        assert body(given(pid), "Patient")["id"].startswith("h-")


def test_what_is_no_fhir_id_is_hashed_and_stays_the_same() -> None:
    first, second = (body(given("PID|1||住院号 7^^^某 医院"), "Patient")["id"] for _ in range(2))
    assert first == second
    assert first.startswith("h-")
    assert len(first) <= 64


def test_the_same_visit_has_the_same_id_in_every_message() -> None:
    pv1 = "PV1|1|I|3^301^2^A||||||||||||||||V77^^^HIS"
    visits = [body(given(PID, pv1, event=event), "Encounter") for event in ("A01", "A02", "A03", "A08")]
    assert {one["id"] for one in visits} == {"HIS.V77"}
    assert [one["status"] for one in visits] == ["in-progress", "in-progress", "finished", "in-progress"]
    assert {one["subject"]["reference"] for one in visits} == {"Patient/HIS.00123"}


@pytest.mark.parametrize(("event", "status"), [("A11", "cancelled"), ("A23", "entered-in-error"), ("A27", "cancelled")])
def test_a_cancelled_visit_never_happened(event: str, status: str) -> None:
    assert body(given(PID, "PV1|1|I|||||||||||||||||V77", event=event), "Encounter")["status"] == status


def test_a_cancelled_discharge_empties_the_end() -> None:
    visit = of(given(PID, "PV1|1|I|||||||||||||||||V77", event="A13"), "Encounter")[0]
    assert visit.body["status"] == "in-progress"
    assert "period.end" in visit.cleared


def test_a_discharge_has_an_end_and_where_to() -> None:
    fields = ["PV1", "1", "I"] + [""] * 43
    fields[19], fields[36], fields[44], fields[45] = "V77", "01", "20240220", "20240301073000"
    visit = body(given(PID, "|".join(fields), event="A03"), "Encounter")
    assert visit["period"] == {"start": "2024-02-20", "end": "2024-03-01T07:30:00+08:00"}
    assert visit["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "01"


def test_wards_rooms_and_beds_are_parts_of_each_other() -> None:
    resources = given(PID, "PV1|1|I|3^301^2^A||||||||||||||||V77")
    places = {f"Location/{one.body['id']}": one.body for one in of(resources, "Location")}
    at = places[body(resources, "Encounter")["location"][0]["location"]["reference"]]
    names = []
    while at:
        names.append(at["identifier"][0]["value"])
        at = places.get(at.get("partOf", {}).get("reference", ""), {})
    assert names == ["2", "301", "3", "A"]


def test_a_merge_replaces_and_retires() -> None:
    resources = given("EVN|A40|20240301090000", PID, "MRG|00999^^^HIS^MR", event="A40")
    patients = {one.body["id"]: one.body for one in of(resources, "Patient")}
    assert patients["HIS.00999"]["active"] is False
    assert patients["HIS.00999"]["link"] == [
        {"other": {"reference": "Patient/HIS.00123"}, "type": "replaced-by"},
    ]
    assert patients["HIS.00123"]["link"] == [{"other": {"reference": "Patient/HIS.00999"}, "type": "replaces"}]
    assert {one.version_at for one in resources} == {1_709_254_800_000}


def test_unlinked_persons_lose_their_links() -> None:
    found = of(given("PID|1||1^^^HIS", "PID|2||2^^^HIS", event="A37"), "Patient")
    assert [(one.body["id"], one.body["active"], one.cleared) for one in found] == [
        ("HIS.1", True, ("link",)),
        ("HIS.2", True, ("link",)),
    ]


def test_linked_persons_name_each_other() -> None:
    found = of(given("PID|1||1^^^HIS", "PID|2||2^^^HIS", event="A24"), "Patient")
    assert [one.body["link"][0]["other"]["reference"] for one in found] == ["Patient/HIS.2", "Patient/HIS.1"]


def test_what_is_deleted_is_named_and_what_is_empty_says_nothing() -> None:
    patient = of(given('PID|1||7||张^三|||""||||||""||||', event="A08"), "Patient")[0]
    assert patient.partial
    assert set(patient.cleared) == {"gender", "telecom"}
    assert "birthDate" not in patient.body


def test_z_segments_stay_with_whom_they_follow() -> None:
    resources = given(PID, "ZPD|1||汉族", "PV1|1|I|||||||||||||||||V77", "ZPV||A^B")
    assert of(resources, "Patient")[0].extra == {"ZPD-1": "1", "ZPD-3": "汉族"}
    assert of(resources, "Encounter")[0].extra == {"ZPV-2": "A^B"}


def test_times_without_a_zone_are_the_messages_or_the_sources() -> None:
    head = "MSH|^~\\&|||||20240301080000{}||ADT^A08|1|P|2.5"
    pid = "PID|1||7" + "|" * 26 + "202403010730"
    ours, theirs = (
        map_message(parse_message("\r".join([head.format(zone), pid]).encode()), CONTEXT).resources[0].body
        for zone in ("", "-0500")
    )
    assert ours["deceasedDateTime"] == "2024-03-01T07:30:00+08:00"
    assert theirs["deceasedDateTime"] == "2024-03-01T07:30:00-05:00"


def test_next_of_kin_allergies_diagnoses_procedures_and_cover() -> None:
    resources = given(
        PID,
        "NK1|1|张^父|FTH",
        "PV1|1|I|||||||||||||||||V77^^^HIS",
        "AL1|1|DA|PEN^青霉素|SV|皮疹",
        "DG1|1||J18.9^肺炎^I10|||A",
        "DG1|2||I10^高血压^I10|||F|||||||||1",
        "PR1|1||0B11^支气管镜^I10P||20240301",
        "IN1|1|城镇职工|C01|医保局|||||||||||||||SEL",
    )
    assert body(resources, "RelatedPerson")["name"][0]["family"] == "张"
    allergy = body(resources, "AllergyIntolerance")
    assert (allergy["code"]["coding"][0]["code"], allergy["reaction"][0]["severity"]) == ("PEN", "severe")
    codes = [one.body["code"]["coding"][0] for one in of(resources, "Condition")]
    assert [one["system"] for one in codes] == ["http://hl7.org/fhir/sid/icd-10"] * 2
    visit = body(resources, "Encounter")
    assert [one["use"]["coding"][0]["code"] for one in visit["diagnosis"]] == ["AD", "DD"]
    assert visit["diagnosis"][1]["rank"] == 1
    assert body(resources, "Procedure")["status"] == "completed"
    assert body(resources, "Coverage")["beneficiary"]["reference"] == "Patient/HIS.00123"


def test_a_deleted_diagnosis_is_an_error() -> None:
    fields = ["DG1", "1", "", "J18.9^肺炎^I10"] + [""] * 18
    fields[21] = "D"
    condition = body(given(PID, "|".join(fields)), "Condition")
    assert condition["verificationStatus"]["coding"][0]["code"] == "entered-in-error"


def test_no_patient_is_unread_and_the_message_says_nothing_else() -> None:
    resources, unread = to_fhir(parse_message(b"MSH|^~\\&|||||2024||ADT^A01|1|P|2.5\rPID|1||||Li"), CONTEXT)
    assert not resources
    assert [(one.place, one.code) for one in unread] == [("PID", "hl7v2.no_patient")]


def test_places_are_unique_within_a_message() -> None:
    resources = given(PID, "PV1|1|I|3^301^2^A|||7^Wang~8^Li||||||||||||V77", "DG1|1||A^a", "DG1|1||B^b")
    places = [one.place for one in resources]
    assert len(places) == len(set(places))
