"""CDA R2: headers, narrative and entries of C-CDA and WS/T 500 documents, and what is refused."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import pytest
from tests.unit.records.documents.cda_documents import (
    ALLERGY,
    CN_PATIENT,
    PATIENT,
    PROBLEM,
    RESULTS,
    SECTIONS,
    V3,
    ccda,
    de,
    diagnosis,
    section,
    st,
    under,
    wst,
)

from xinglin.records.documents import CdaReader
from xinglin.records.documents.bounds import ENTRY_DEPTH
from xinglin.records.documents.cda.narrative import plain_narrative
from xinglin.records.documents.cda.values import moment
from xinglin.records.documents.errors import BadOptions, BadXml, NotClinical
from xinglin.records.documents.xml import parse_xml, plain_names
from xinglin.records.model import Mapped, Read, ReadContext
from xinglin.records.shape import shape
from xinglin.records.v2maps.keys import hashed
from xinglin.records.views import map_resources

Facts = dict[str, list[dict[str, Any]]]


def one(body: bytes, mapping: str = "") -> Read:
    (part,) = CdaReader().read(body, ReadContext("cda", 0, mapping=mapping))
    assert part.received == len(part.resources) + part.accepted + len(part.unread) + sum(part.ignored.values())
    return part


def rows(part: Read) -> list[Mapped]:
    return [*map_resources(part.resources), *part.mapped]


def facts(body: bytes, mapping: str = "") -> Facts:
    found: Facts = {}
    for mapped in rows(one(body, mapping)):
        for row in mapped.rows:
            known = zip(mapped.columns, row, strict=True)
            found.setdefault(mapped.table, []).append({name: value for name, value in known if value is not None})
    return found


def by(found: Facts, table: str, column: str) -> dict[Any, dict[str, Any]]:
    return {row.get(column): row for row in found[table]}


def test_the_header_of_a_ccda() -> None:
    found = facts(ccda())
    (patient,) = found["patient"]
    assert patient["identifier"] == "MRN-77"  # the clinic's own number, not the first one
    assert patient["national_id"] == "111-22-3333"
    assert (patient["name"], patient["sex"], patient["birth_date"]) == ("Mary J Roe", "female", "1970-01-05")
    assert (patient["address"], patient["postal_code"], patient["phone"]) == ("1 Elm St", "02101", "+1-555-0100")
    assert patient["race"] == "2106-3"
    assert patient["organization"] == found["organization"][0]["id"]
    (document,) = found["document"]
    assert (document["title"], document["type"], document["identifier"]) == ("Summary", "34133-9", "doc-1")
    assert document["created"] == "2021-03-05T12:00:00-05:00"
    assert document["text_found"] is True
    assert len(document["digest"]) == 64
    assert document["custodian"] == found["organization"][0]["id"]
    assert by(found, "staff", "id")[document["author"]]["name"] == "Sam Poe"
    visit = by(found, "encounter", "id")[document["encounter"]]
    assert (visit["class"], visit["status"], visit["started"]) == ("AMB", "finished", "2021-03-04T08:00:00-05:00")
    assert {
        row["patient"] for name, each in found.items() if name != "patient" for row in each if "patient" in row
    } == {patient["id"]}


def test_problems_negated_and_resolved_ones() -> None:
    active, refuted, resolved = facts(ccda())["condition"]
    assert (active["code"], active["code_system"]) == ("38341003", "http://snomed.info/sct")
    assert active["code_source_text"] == "High blood pressure"  # what the narrative says
    assert (active["onset"], active["clinical_status"], active["recorded"]) == ("2019-03-12", "active", "2019-03-13")
    assert (active["category"], active["verification_status"]) == ("problem-list-item", "confirmed")
    assert refuted["verification_status"] == "refuted"
    assert (resolved["onset"], resolved["abatement"], resolved["clinical_status"]) == ("2018", "2019-02", "resolved")


def test_results_with_ranges_comparators_and_null_flavours() -> None:
    found = by(facts(ccda()), "observation", "code")
    glucose = found["2345-7"]
    assert (glucose["value_number"], glucose["value_unit"], glucose["interpretation"]) == (95, "mg/dL", "N")
    assert (glucose["range_low"], glucose["range_high"], glucose["category"]) == (70, 99, "laboratory")
    assert glucose["effective"] == "2021-03-04T08:09-05:00"
    assert (found["5902-2"]["value_comparator"], found["5902-2"]["value_number"]) == ("<", 5)
    assert found["5778-6"]["value_text"] == "Yellow"
    assert found["2951-2"]["absent_reason"] == "masked"
    assert found["8480-6"]["category"] == "vital-signs"
    assert found["72166-2"]["value"] == "8517006"
    assert facts(ccda())["report"][0]["code"] == "24323-8"


def test_medicines_vaccines_allergies_procedures_visits() -> None:
    found = facts(ccda())
    stated, ordered = by(found, "medication", "kind")["stated"], by(found, "medication", "kind")["ordered"]
    assert (stated["code"], stated["status"], stated["started"]) == ("314076", "active", "2020-01-01")
    assert (stated["dose_number"], stated["dose_unit"], stated["frequency_period"]) == (0.5, "mg", 12)
    assert (ordered["status"], ordered["intent"]) == ("active", "order")
    given, refused = found["immunization"]
    assert (given["code"], given["lot"], given["manufacturer"], given["occurred"]) == (
        "140",
        "L77",
        "Maker",
        "2021-10-05",
    )
    assert refused["status"] == "not-done"
    (allergy,) = found["allergy"]
    assert (allergy["code"], allergy["category"], allergy["reaction"]) == ("7980", "medication", "247472004")
    assert allergy["severity"] == "moderate"
    assert (found["procedure"][0]["code"], found["procedure"][0]["started"]) == ("73761001", "2020-01")
    assert by(found, "encounter", "type")["99213"]["class"] == "AMB"


def test_relatives_and_plans_are_no_facts_of_the_patient() -> None:
    part = one(ccda())
    assert part.ignored == {"cda: about a relative": 1, "cda: planned, not done": 1}
    assert "22298006" not in str([mapped.rows for mapped in rows(part)])


def test_sections_are_notes_with_readable_lists_and_tables() -> None:
    notes = by(facts(ccda()), "note", "title")
    problems = notes["Problems"]
    assert problems["body"] == "First High blood pressure.\n\n- one\n- two\n\nName\tSince\nHypertension\t2019"
    assert (problems["section"], problems["section_system"]) == ("11450-4", "http://loinc.org")
    assert problems["id"].endswith("#1")
    assert "Procedures" not in notes  # says nothing in words


def test_rows_fit_their_tables() -> None:
    for body in (ccda(), wst()):
        for mapped in rows(one(body)):
            shaped = shape(mapped, batch=1, recorded_at=0, source="s", message="0")
            flags = Counter(flag for text in shaped["flags"].to_pylist() if text for flag in text.split())
            assert not flags, (mapped.table, flags)


def test_the_header_of_a_chinese_document() -> None:
    found = facts(wst())
    (patient,) = found["patient"]
    assert (patient["identifier"], patient["identifier_system"]) == ("ZY0001", "urn:oid:2.16.156.10011.1.12")
    assert (patient["national_id"], patient["insurance_id"]) == ("110101199003077758", "310000000000001")
    assert (patient["name"], patient["sex"], patient["birth_date"]) == ("王小明", "male", "1990-03-07")
    assert patient["address"] == "四川省绵阳市安县城关镇人民路8号"
    assert "110101199003077758" not in patient["id"]
    assert "SQ9" not in str(patient)  # the number of an application is no number of a person
    visit = found["encounter"][0]
    assert (visit["class"], visit["started"], visit["ended"]) == ("IMP", "2024-03-02", "2024-03-09")
    names = by(found, "organization", "id")
    assert names[visit["department"]]["name"] == "普外科"
    assert names[names[visit["department"]]["part_of"]]["name"] == "安县人民医院"
    assert found["location"][0]["name"] == "三病区"
    assert found["document"][0]["type_source"] == "C0033"


def test_the_source_may_prefer_another_number() -> None:
    by_card = facts(wst(), '[documents]\npatient_ids = ["2.16.156.10011.1.19"]')["patient"][0]
    assert by_card["id"] == "Patient/" + hashed("2.16.156.10011.1.19", "310000000000001", "HC")
    with pytest.raises(BadOptions):
        facts(wst(), "[documents]\npatient_idz = 1")


def test_diagnoses_of_a_chinese_document_join_code_and_name() -> None:
    admission, discharge = facts(wst())["condition"]
    assert (admission["code"], admission["code_system"]) == ("K35.900", "http://hl7.org/fhir/sid/icd-10-cn")
    assert (admission["code_source_text"], admission["use"]) == ("急性阑尾炎", "admission")
    assert (discharge["code"], discharge["use"]) == ("K35.100", "discharge")
    assert discharge["code_source_text"] == "急性阑尾炎伴周围脓肿"  # the doctor's words beside the code
    assert admission["category"] == "encounter-diagnosis"
    assert admission["recorded"] == "2024-03-09T15:30:00"


def test_values_of_data_elements() -> None:
    found = by(facts(wst()), "observation", "code_source_text")
    assert found["主诉"]["value_text"] == "转移性右下腹痛1天"
    assert found["主诉"]["code_source_system"] == "urn:oid:2.16.156.10011.2.2.1"
    assert (found["体温(℃)"]["value_number"], found["体温(℃)"]["value_unit"]) == (38.2, "Cel")
    assert found["脉率"]["value_unit"] == "/min"
    assert (found["血红蛋白"]["value_number"], found["血红蛋白"]["interpretation"]) == (132, "1")
    assert (found["血糖"]["value_number"], found["血糖"]["value_unit"]) == (6.1, "mmol/L")
    assert found["血糖"]["issued"] == "2024-03-09T15:30:00"
    assert len(found) == 5


def test_other_facts_of_a_chinese_document() -> None:
    found = facts(wst())
    assert found["allergy"][0]["code_source_text"] == "青霉素"
    assert (found["procedure"][0]["code_source"], found["procedure"][0]["started"]) == ("47.09", "2024-03-03T10:15:00")
    (drug,) = found["medication"]
    assert (drug["code_source_text"], drug["dose_unit"], drug["frequency_text"]) == ("阿莫西林胶囊", "g", "3 次/日")
    notes = by(found, "note", "title")
    assert (
        notes["生命体征章节"]["body"] == "体温(℃): 38.2 ℃\n脉率: 96 次/min"
    )  # the narrative is empty: the entries tell
    assert one(wst()).ignored == {"cda: planned, not done": 1}


def test_odd_statements_of_data_elements() -> None:
    flag = de("DE02.10.023.00", "过敏史标志", '<value xsi:type="BL" value="false"/>')
    texts = section("48765-2", "过敏", "", flag, de("DE05.01.022.00", "过敏史", st("无")))
    nothing = section("29548-5", "诊断", "", diagnosis("", ""), de("DE05.01.025.00", "诊断名称", st("-")))
    drug = de("DE08.50.022.00", "关键药物名称", st("肝素"), under(de("DE06.00.136.00", "关键药物用法", st("皮下注射"))))
    done = de(
        "DE06.00.093.00", "手术及操作编码", '<value xsi:type="CD" code="47.01" codeSystem="2.16.156.10011.2.3.3.12"/>'
    )
    found = facts(wst(texts, nothing, section("8648-8", "诊疗过程", "", drug, done)))
    assert [row["value_boolean"] for row in found["observation"]] == [False]
    assert "allergy" not in found
    assert "condition" not in found
    assert (found["medication"][0]["code_source_text"], found["medication"][0]["frequency_text"]) == (
        "肝素",
        "皮下注射",
    )
    assert found["procedure"][0]["code_source"] == "47.01"


@pytest.mark.parametrize("encoding", ["GB18030", "GBK", "UTF-16"])
def test_encodings(encoding: str) -> None:
    assert facts(wst(encoding=encoding))["patient"][0]["name"] == "王小明"


def test_without_a_number_of_the_patient_it_is_unread() -> None:
    for patient in (
        "",
        PATIENT.replace("extension=", "x="),
        PATIENT.replace("<id ", '<id nullFlavor="UNK" '),
        CN_PATIENT.replace('"ZY0001"', '""').replace('"310000000000001"', '""').replace('"110101199003077758"', '""'),
    ):
        part = one(ccda(patient=patient))
        assert [each.code for each in part.unread] == ["cda.no_patient"]
        assert not part.resources
    assert one(ccda(patient=PATIENT + CN_PATIENT)).unread[0].code == "cda.two_patients"


def test_versions_of_one_document_are_one_fact() -> None:
    header = '<setId root="1.2.7" extension="set"/><versionNumber value="{}"/>'
    first = facts(ccda(header=header.format(1)))["document"][0]
    second = facts(ccda(header=header.format(2)).replace(b"20210305120000", b"20210306120000"))["document"][0]
    assert first["id"] == second["id"]
    assert first["version_at"] < second["version_at"]


def test_a_document_that_replaces_another_says_so() -> None:
    related = '<relatedDocument typeCode="RPLC"><parentDocument>{}</parentDocument></relatedDocument>'
    parent = related.format('<id root="1.2.8" extension="old"/>')
    own, old = facts(ccda(header=parent))["document"]
    assert (old["status"], old["partial"]) == ("superseded", True)
    assert own["id"] != old["id"]
    assert len(facts(wst(header=related.format("<id/>")))["document"]) == 1


def test_facts_without_numbers_keep_their_place_and_with_numbers_their_name() -> None:
    first, again = facts(ccda()), facts(ccda().replace(b"doc-1", b"doc-2"))
    assert [row["id"] for row in first["condition"]] == [row["id"] for row in again["condition"]]
    assert [row["id"] for row in facts(wst())["condition"]] == [row["id"] for row in facts(wst())["condition"]]
    assert [row["id"] for row in facts(wst())["condition"]] != [
        row["id"] for row in facts(wst().replace(b"RN001", b"RN002"))["condition"]
    ]


def test_a_summary_of_a_life_does_not_put_old_facts_into_its_visit() -> None:
    summary, note = facts(ccda()), facts(ccda().replace(b'"34133-9"', b'"11506-3"'))
    assert "encounter" not in summary["observation"][0]
    assert note["observation"][0]["encounter"] == note["document"][0]["encounter"]


@pytest.mark.parametrize(("media", "data", "words"), [
    ("text/plain", "一份报告".encode(), "一份报告"),
    ("application/rtf", rb"{\rtf1\ansi Report}", "Report"),
])  # fmt: skip
def test_a_body_that_is_not_xml(media: str, data: bytes, words: str) -> None:
    coded = base64.b64encode(data).decode()
    body = (
        f'<component><nonXMLBody><text mediaType="{media}" representation="B64">{coded}</text></nonXMLBody></component>'
    )
    document = ccda().decode()
    start, end = document.index("<component><structuredBody>"), document.index("</ClinicalDocument>")
    found = facts((document[:start] + body + document[end:]).encode())
    assert found["note"][0]["body"] == words
    assert found["document"][0]["text_found"] is True
    broken = facts((document[:start] + body.replace(coded, "!!") + document[end:]).encode())
    assert broken["document"][0]["flags"] == "documents.bad_base64"
    assert broken["document"][0]["text_found"] is False


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(("body", "error"), [
    (b"", BadXml),
    (b"<ClinicalDocument", BadXml),
    (b"<a/>", NotClinical),
    (BOMB + b"<ClinicalDocument>&b;</ClinicalDocument>", BadXml),
    (b'<!DOCTYPE ClinicalDocument SYSTEM "file:///etc/passwd"><ClinicalDocument/>', BadXml),
    (b"<a>" * 300 + b"</a>" * 300, BadXml),
    (b'<?xml version="1.0" encoding="nonsense"?><a/>', BadXml),
])  # fmt: skip
def test_strangers_xml_is_refused(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        one(body)


def test_size_has_a_limit() -> None:
    with pytest.raises(BadXml):
        parse_xml(b"<a>" + b" " * 100 + b"</a>", limit_bytes=106)
    assert parse_xml(b"<a>" + b" " * 99 + b"</a>", limit_bytes=106).tag == "a"


def test_statements_within_statements_have_a_limit() -> None:
    inner = PROBLEM
    for _ in range(ENTRY_DEPTH.value + 1):
        inner = (
            f'<act classCode="ACT" moodCode="EVN"><entryRelationship typeCode="COMP">{inner}</entryRelationship></act>'
        )
    part = one(ccda(section("11450-4", "Deep", "", inner)))
    assert part.ignored == {"cda: statements nested too deeply": 1}


def test_a_negated_finding_is_no_finding() -> None:
    negated = RESULTS.replace(
        '<observation classCode="OBS" moodCode="EVN">',
        '<observation classCode="OBS" moodCode="EVN" negationInd="true">',
    )
    found = facts(ccda(section("30954-2", "Results", "", negated)))["observation"]
    assert {row.get("value_number") for row in found} == {None}
    assert {row["absent_reason"] for row in found} == {"not-performed"}
    denied = ALLERGY.replace('<observation classCode="OBS"', '<observation negationInd="true" classCode="OBS"', 1)
    assert facts(ccda(section("48765-2", "A", "", denied)))["allergy"][0]["verification_status"] == "refuted"


@pytest.mark.parametrize(("text", "said"), [
    ("20240301080509.123+0800", "2024-03-01T08:05:09.123+08:00"),
    ("2024030108", "2024-03-01T08"),
    ("202403", "2024-03"),
    ("20240301080509Z", "2024-03-01T08:05:09Z"),
    ("2024-03-01 08:05:09", "2024-03-01T08:05:09"),
    ("20240001", ""),
    ("0000", ""),
    ("soon", ""),
    ("", ""),
])  # fmt: skip
def test_moments(text: str, said: str) -> None:
    assert moment(text) == said


def test_deleted_narrative_is_left_out() -> None:
    block = plain_names(parse_xml(f'<text {V3}>a <content revised="delete">b <br/>c</content>d<br/>e</text>'.encode()))
    assert plain_narrative(block) == "a d\ne"


def test_every_section_alone_is_read() -> None:
    for each in SECTIONS:
        one(ccda(each))
