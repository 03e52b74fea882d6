"""PDF, RTF, Word, HTML and scans: their text, whose they are, and what cannot be read."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import pytest
from tests.slowness import slowness
from tests.unit.records.documents.cda_documents import wst
from tests.unit.records.documents.files import docx, encrypted, paragraph, pdf, tiff

from xinglin.intake.standard import by_media_type, standard_readers
from xinglin.records.documents import DocumentReader, WithTexts, extract_text, wrap_document
from xinglin.records.documents import pdf as pdf_reading
from xinglin.records.documents.bounds import PAGES
from xinglin.records.documents.errors import BadOptions
from xinglin.records.fhir import FhirReader
from xinglin.records.model import Read, ReadContext
from xinglin.records.sniffing import sniff
from xinglin.records.v2maps import Hl7v2Reader
from xinglin.records.views import map_resources

PDF = pdf("Discharge summary\nMRN: 10077 Name", "Second page")
DOCX = docx(paragraph("住院号：ZY0001") + paragraph("主诉"))
RTF = rb"{\rtf1\ansi\ansicpg936\deff0{\fonttbl{\f0\fnil\fcharset134 SimSun;}{\f1 Arial;}}{\info{\title Note}}"
RTF += rb"\f0 \'d6\'f7\'cb\'df\'a3\'ba\'cd\'b7\'cd\'b4\par \u20303 ?\cell b\cell\row}"


def one(body: bytes, mapping: str = "") -> Read:
    (part,) = DocumentReader().read(body, ReadContext("x", 0, mapping=mapping))
    assert part.received == 1 == part.accepted + len(part.unread)
    return part


def rows(part: Read, table: str) -> list[dict[str, Any]]:
    every = [*map_resources(part.resources), *part.mapped]
    return [
        {name: value for name, value in zip(mapped.columns, row, strict=True) if value is not None}
        for mapped in every
        if mapped.table == table
        for row in mapped.rows
    ]


def test_the_text_of_a_pdf_page_by_page() -> None:
    info = "<< /Title (Summary) /Author (Dr Poe) /CreationDate (D:20240301080509+08'00') >>"
    found = extract_text("application/pdf", pdf("One", "Two", info=info))
    assert (found.text, found.pages) == ("One\fTwo", 2)
    assert (found.title, found.author, found.created) == ("Summary", "Dr Poe", "2024-03-01T08:05:09+08:00")
    assert "One" not in repr(found)


def test_a_scan_has_pages_and_no_text() -> None:
    found = extract_text("application/pdf", pdf("", ""))
    assert (found.text_found, found.pages, found.flags) == (False, 2, ())


def test_encrypted_pdf() -> None:
    assert extract_text("application/pdf", encrypted(pdf("One"), "")).text == "One"
    found = extract_text("application/pdf", encrypted(pdf("One"), "secret"))
    assert found.flags == ("documents.encrypted",)
    assert one(encrypted(PDF, "secret")).unread[0].code == "documents.encrypted"


def test_damaged_pdf() -> None:
    for body in (b"%PDF-1.4", PDF[:200], PDF.replace(b"/Pages", b"/Pagez"), b"%PDF-" + b"<<" * 5000):
        found = extract_text("application/pdf", body)
        assert not found.text or found.text.startswith("Discharge")
    assert one(b"%PDF-1.4").unread[0].code in ("documents.damaged", "documents.no_text")


def test_a_page_that_draws_itself_ends() -> None:
    form = pdf("One", extra="/X0 Do " * 50).replace(
        b"<< /Length", b"<< /Subtype /Form /Resources << /XObject << /X0 4 0 R >> >> /Length", 1
    )
    began = time.process_time()
    found = extract_text("application/pdf", form)
    assert time.process_time() - began < 20 * slowness()
    assert found.pages == 1


def test_limits_of_a_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extract_text("application/pdf", pdf("a", "b")).flags == ()
    for name, value in (("PAGES", 1), ("OPERATIONS", 5), ("PAGE_CONTENT_BYTES", 10), ("CONTENT_BYTES", 45)):
        limit = getattr(pdf_reading, name)
        with monkeypatch.context() as patched:
            patched.setattr(pdf_reading, name, type(limit)(limit.name, value, limit.unit))
            found = extract_text("application/pdf", pdf("a", "b"))
        assert found.flags == ("documents.cut",), name
        assert found.pages == 2
    assert PAGES.value > 1_000


def test_rtf_in_chinese_code_pages() -> None:
    found = extract_text("application/rtf", RTF)
    assert found.text == "主诉：头痛\n住\tb"
    assert found.title == "Note"
    raw = "{\\rtf1\\ansi\\ansicpg936 姓名：王小明\\par}".encode("gbk")
    assert extract_text("text/rtf", raw).text == "姓名：王小明"
    assert extract_text("application/rtf", b"{\\rtf1 \\'d6").flags in ((), ("documents.damaged",))
    assert extract_text("application/rtf", b"no rtf").flags == ("documents.damaged",)


@pytest.mark.parametrize("body", [
    b"{\\rtf1 " + b"{\\field{\\*\\fldinst{HYPERLINK \"" * 20_000,
    b"{\\rtf1{\\fonttbl" + b"{\\f1 \\f1 " * 50_000 + b"}",
    b"{\\rtf1{\\fonttbl" + b"\\f1\\fcharset134" * 50_000,
    b"{" * 200_000 + b"\\rtf1",
    b"{\\rtf1" + b"{" * 200_000,
    b"{\\rtf1" + b"\\u65" * 200_000,
])  # fmt: skip
def test_hostile_rtf_takes_linear_time(body: bytes) -> None:
    began = time.process_time()
    extract_text("application/rtf", body)
    assert time.process_time() - began < 8 * slowness()


def test_word() -> None:
    cell = "<w:tc>{}</w:tc>"
    table = (
        f"<w:tbl><w:tr>{cell.format(paragraph('体温'))}{cell.format(paragraph('38.2') + paragraph('℃'))}</w:tr></w:tbl>"
    )
    deleted = (
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:t>left</w:t><w:tab/><w:t>x</w:t></w:r></w:p>"
    )
    told = "<dc:title>病历</dc:title><dc:creator>李</dc:creator><dc:created>2024-03-01T00:00:00Z</dc:created>"
    core = f'<p xmlns:dc="d">{told}</p>'
    found = extract_text(
        "", docx(paragraph("主诉") + table + deleted, header1=paragraph("某医院"), footnotes=paragraph("注"), core=core)
    )
    assert found.flags == ("documents.unknown_type",)  # a zip alone says nothing
    media = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    body = docx(paragraph("主诉") + table + deleted, header1=paragraph("某医院"), footnotes=paragraph("注"), core=core)
    found = extract_text(media, body)
    assert found.text == "某医院\n\n主诉\n体温\t38.2 ℃\nleft\tx\n\n注"
    assert (found.title, found.author, found.created) == ("病历", "李", "2024-03-01T00:00:00Z")
    for broken in (body[:100], b"PK\x03\x04", docx("<unclosed>"), docx("&x;")):
        assert extract_text(media, broken).flags == ("documents.damaged",)
    entity = body.replace(b"x", b"x")
    assert extract_text(media, entity).text == found.text


def test_a_word_document_that_swells_is_refused() -> None:
    media = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    body = docx(paragraph("a" * 70_000_000))
    assert extract_text(media, body).flags == ("documents.too_large",)


def test_html_and_plain_text() -> None:
    found = extract_text("text/html", b"<title>T</title><p>a<script>x</script><table><tr><td>1<td>2</table>&amp;")
    assert (found.text, found.title) == ("a\n\n1\t2\n&", "T")
    assert extract_text("text/plain; charset=gbk", "主诉".encode("gb18030")).text == "主诉"
    assert extract_text("text/plain", "主诉".encode("utf-16")).text == "主诉"


def test_scans() -> None:
    assert extract_text("image/tiff", tiff(3)).pages == 3
    assert extract_text("image/tiff", tiff(3)[:15]).flags == ("documents.damaged",)
    assert extract_text("image/jpeg", b"\xff\xd8\xff\xe0").pages == 1
    assert extract_text("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").pages == 1
    assert extract_text("image/png", b"nothing").flags == ("documents.damaged",)
    looped = bytearray(tiff(2))
    looped[-4:] = (8).to_bytes(4, "little")
    assert extract_text("image/tiff", bytes(looped)).pages == 2


def test_a_document_alone_is_nobodys() -> None:
    for body, code in ((PDF, "documents.no_patient"), (tiff(1), "documents.no_text"), (RTF, "documents.no_patient")):
        part = one(body)
        assert [(each.code, each.place) for each in part.unread] == [(code, "document")]
        assert "10077" not in part.unread[0].words


def test_the_mapping_finds_the_patient_in_the_text() -> None:
    mapping = """[documents]
patient_pattern = ['MRN:\\s*(\\d+)', '住院号[:：]\\s*(\\w+)']
encounter_pattern = '住院号[:：]\\s*(\\w+)'
created_pattern = '(\\d{4}年\\d+月\\d+日)'
type = "18842-5"
type_system = "http://loinc.org"
"""
    (document,), (note,) = rows(one(PDF, mapping), "document"), rows(one(PDF, mapping), "note")
    assert document["patient"] == note["patient"] == "Patient/10077"
    assert (document["media_type"], document["size_bytes"], document["pages"]) == ("application/pdf", len(PDF), 2)
    assert document["digest"] == hashlib.sha256(PDF).hexdigest()
    assert (document["text_found"], document["type"]) == (True, "18842-5")
    assert note["body"] == "Discharge summary\nMRN: 10077 Name\fSecond page"
    assert note["document"] == document["id"]
    body = docx(paragraph("住院号：ZY0001") + paragraph("2024年3月5日"))
    (document,) = rows(one(body, mapping), "document")
    assert (document["patient"], document["encounter"], document["created"]) == (
        "Patient/ZY0001",
        "Encounter/ZY0001",
        "2024-03-05",
    )
    two = pdf("MRN: 1 MRN: 2")
    assert one(two, mapping).unread[0].code == "documents.two_patients"


def test_the_mapping_may_be_a_manifest() -> None:
    scan = tiff(2)
    part = one(scan, f'[documents.patients]\n"{hashlib.sha256(scan).hexdigest()}" = "Patient/5"')
    (document,) = rows(part, "document")
    assert (document["patient"], document["text_found"], document["pages"]) == ("Patient/5", False, 2)
    assert rows(part, "note") == []
    assert rows(one(RTF, '[documents]\npatient = "Patient/6"'), "note")[0]["patient"] == "Patient/6"


@pytest.mark.parametrize("text", [
    "[documents]\npatient_pattern = '('", "[documents]\npatient_pattern = 'a'", "[documents]\npatients = 3",
    "[documents]\npatient_key = 'Patient/'", "[documents", f"[documents]\npatient_pattern = '({'a' * 500})'",
])  # fmt: skip
def test_options_that_are_not_known(text: str) -> None:
    with pytest.raises(BadOptions):
        one(PDF, text)


def reference(**attachment: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "subject": {"reference": "Patient/1"},
        "date": "2024-03-01T08:00:00Z",
        "content": [{"attachment": attachment}],
    }


def fhir(*resources: dict[str, Any]) -> list[Read]:
    body = json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}
    )
    parts = list(WithTexts(FhirReader()).read(body.encode(), ReadContext("x", 0)))
    for part in parts:
        given = len(part.resources) + part.accepted + len(part.unread) + sum(part.ignored.values())
        assert part.received == given
    return parts


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_the_text_of_a_fhir_attachment() -> None:
    (part,) = fhir({"resourceType": "Patient", "id": "1"}, reference(contentType="application/pdf", data=coded(PDF)))
    assert [one.body["resourceType"] for one in part.resources] == ["Patient"]
    (note,), (document,) = rows(part, "note"), rows(part, "document")
    assert note["body"].startswith("Discharge summary")
    assert (note["id"], note["authored"], note["document"]) == (
        "DocumentReference/d1",
        "2024-03-01T08:00:00Z",
        "DocumentReference/d1",
    )
    assert (document["pages"], document["text_found"], document["place"]) == (2, True, "entry[1]")


def test_an_attachment_may_be_a_binary_of_the_bundle_wherever_it_stands() -> None:
    binary = {"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": coded(b"hello")}
    late = fhir(reference(url="Binary/b1"), binary)
    early = fhir(binary, reference(url="http://x/fhir/Binary/b1/_history/1"))
    for parts in (late, early):
        assert [row["body"] for part in parts for row in rows(part, "note")] == ["hello"]
    assert [row for part in fhir(reference(url="Binary/none")) for row in rows(part, "note")] == []
    (plain,) = fhir(reference(url="http://elsewhere/x.pdf"))
    assert plain.resources[0].body["id"] == "d1"


def test_attachments_that_cannot_be_read_say_so() -> None:
    (bad,) = fhir(reference(contentType="application/pdf", data="!!!"))
    assert rows(bad, "document")[0]["flags"].split()[-1] == "documents.bad_base64"
    (video,) = fhir(reference(contentType="video/mp4", data=coded(b"x")))
    assert (rows(video, "document")[0]["text_found"], rows(video, "note")) == (False, [])
    assert "documents.unknown_type" in rows(video, "document")[0]["flags"]
    (cda,) = fhir(reference(contentType="text/xml", data=coded(wst())))
    assert "主诉章节" in rows(cda, "note")[0]["body"]


def test_presented_forms_of_reports_are_documents() -> None:
    report = {
        "resourceType": "DiagnosticReport", "id": "r1", "status": "final", "code": {"text": "CT"},
        "subject": {"reference": "Patient/1"}, "issued": "2024-03-01T08:00:00Z",
        "presentedForm": [
            {"contentType": "text/plain", "data": coded(b"normal")}, {"contentType": "image/png", "data": coded(b"x")},
        ],
    }  # fmt: skip
    (part,) = fhir(report)
    assert part.accepted == 1
    assert [row["id"] for row in rows(part, "report")] == ["DiagnosticReport/r1"]
    assert [row["id"] for row in rows(part, "document")] == ["DocumentReference/r1-form1", "DocumentReference/r1-form2"]
    assert [(row["body"], row["type_source_text"]) for row in rows(part, "note")] == [("normal", "CT")]


def test_the_narrative_of_a_composition_is_plain_text() -> None:
    inner = {"title": "b", "text": {"status": "generated", "div": "<div><p>two</p><ul><li>x</li></ul></div>"}}
    sections = [{"title": "a", "text": {"status": "generated", "div": "one &lt;"}, "section": [inner]}]
    composition = {
        "resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "x"}, "title": "t",
        "subject": {"reference": "Patient/1"}, "date": "2024-03-01", "author": [{"display": "x"}], "section": sections,
    }  # fmt: skip
    (part,) = fhir(composition)
    assert [row["body"] for row in rows(part, "note")] == ["one &lt;", "two\n\nx"]


def test_a_wrapped_document_is_read_as_fhir() -> None:
    body = wrap_document(RTF, "application/rtf", "Patient/9", encounter="Encounter/3", title="Note")
    assert sniff(body).media_type == "application/fhir+json"
    (part,) = WithTexts(FhirReader()).read(body, ReadContext("x", 0))
    (note,) = rows(part, "note")
    assert (note["patient"], note["encounter"], note["title"]) == ("Patient/9", "Encounter/3", "Note")
    assert note["body"].startswith("主诉")


def test_the_text_of_an_hl7_v2_document() -> None:
    lines = (
        r"MSH|^~\&|HIS|H|X|Y|20240301||MDM^T02|1|P|2.5",
        "EVN||20240301",
        "PID|1||77^^^HIS^MR||Roe^Mary",
        "TXA|1|DS|AP|20240301||||||||doc9^HIS|||||LA",
        f"OBX|1|ED|X^Report||^application^pdf^Base64^{coded(PDF)}||||||F",
    )
    (part,) = WithTexts(Hl7v2Reader()).read("\r".join(lines).encode(), ReadContext("x", 0))
    (note,) = rows(part, "note")
    assert note["body"].startswith("Discharge summary")
    assert note["patient"] == "Patient/HIS.77"
    assert note["partial"] is True


def test_the_text_of_an_hl7_v2_result_that_is_a_document() -> None:
    lines = (
        r"MSH|^~\&|HIS|H|X|Y|20240301||ORU^R01|1|P|2.5",
        "PID|1||77^^^HIS^MR||Roe^Mary",
        "OBR|1||R9^LAB|CT^CT|||20240301",
        f"OBX|1|ED|X^Report||^application^pdf^Base64^{coded(PDF)}||||||F",
    )
    (part,) = WithTexts(Hl7v2Reader()).read("\r".join(lines).encode(), ReadContext("x", 0))
    assert part.received == len(part.resources) + part.accepted
    (observation,), (note,), (document,) = (rows(part, name) for name in ("observation", "note", "document"))
    assert note["body"].startswith("Discharge summary")
    assert document["id"] == f"DocumentReference/{observation['id'].partition('/')[2]}-form1"
    assert document["type_source_text"] == "Report"


def test_standard_readers_take_documents() -> None:
    readers = by_media_type(standard_readers())
    for body in (PDF, RTF, DOCX, wst()):
        media_type = sniff(body).media_type
        (part,) = readers[media_type].read(body, ReadContext("x", 0, mapping='[documents]\npatient = "Patient/1"'))
        assert part.accepted >= 1, media_type
