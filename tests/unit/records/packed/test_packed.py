"""Zip and gzip files of several kinds through the intake's own steps: each member to its reader, nothing lost."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import pytest
from tests.unit.records.documents.cda_documents import ccda
from tests.unit.records.documents.files import docx, encrypted, paragraph, pdf

from xinglin.intake.model import Source
from xinglin.intake.ports import Kept, Work
from xinglin.intake.preparing import Preparation
from xinglin.intake.standard import standard_steps
from xinglin.kernel.errors import LimitExceeded
from xinglin.records.errors import Unreadable
from xinglin.records.sniffing import PACKED, ZIP, sniff
from xinglin.records.tabular.archive import DEPTH, heads, member_names, members
from xinglin.records.tabular.suggest import suggest
from xinglin.sample import generate_space
from xinglin.sample.dicom import instances
from xinglin.sample.fhir import bundles
from xinglin.sample.hl7v2 import messages

CLINIC = generate_space()[3]
DOCUMENTS = '[documents]\npatient_pattern = "MRN: (\\\\d+)"\n'
TABLES = 'version = 1\nname = "x"\n[[table]]\ninto = "patient"\nid = "Patient/{编号}"\n' + DOCUMENTS
TABLE = "编号,性别\r\n1,女\r\n2,男\r\n".encode("gb18030")
RTF = b"{\\rtf1 MRN: 7}"


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return buffer.getvalue()


class _Told(zipfile.ZipInfo):
    """A member whose name is written as it is, without saying what it is written in (WinZip, 360压缩)."""

    raw = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.raw, self.flag_bits & ~0x800


def _named(files: dict[bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for number, (name, data) in enumerate(files.items()):
            info = _Told(f"member{number}")
            info.raw = name
            opened.writestr(info, data)
    return buffer.getvalue()


def _through(body: bytes, mapping: str = DOCUMENTS, media_type: str = "") -> tuple[list[Any], dict[str, Any]]:
    kind = media_type or sniff(body, "export.csv").media_type
    source = Source("packed", mapping=mapping)
    kept = Kept("0" * 64, 1, len(body), False, "packed", kind, 1_700_000_000_000, "inpatient")
    preparation = Preparation(standard_steps(), b"k" * 32)
    parts = list(preparation.prepare(Work(kept, source, kind), body))
    assert all(part.received == part.accepted + len(part.unread) + len(part.rejects) for part in parts)
    return parts, preparation.tables({}, 1, 1_700_000_000_000)


def test_each_document_goes_to_its_reader() -> None:
    image = next(instances(CLINIC, count=1, side=8))
    body = _zip({"a/1.xml": ccda(), "2.pdf": pdf("MRN: 5"), "3.docx": docx(paragraph("MRN: 6")), "4": RTF, "5": image})
    assert sniff(body).media_type == PACKED
    parts, tables = _through(body)
    assert {"condition", "document", "note", "imaging"} <= set(tables)
    assert not any(part.unread for part in parts)
    assert {"Patient/5", "Patient/6", "Patient/7"} <= set(tables["document"]["patient"].to_pylist())
    assert all(place.startswith("member[") for place in tables["document"]["place"].to_pylist())


def test_messages_and_resources_in_a_zip() -> None:
    body = _zip({"1.hl7": next(messages(CLINIC)), "2.json": next(bundles(CLINIC))})
    assert sniff(body).media_type == PACKED
    assert {"patient", "encounter"} <= set(_through(body)[1])


def test_bulk_lines_in_gzip() -> None:
    lines = b'{"resourceType":"Patient","id":"1"}\n{"resourceType":"Patient","id":"2"}\n'
    assert _through(gzip.compress(lines))[1]["patient"]["id"].to_pylist() == ["Patient/1", "Patient/2"]


def test_a_member_that_cannot_be_read_is_unread_alone() -> None:
    body = _zip({"1.xml": ccda()[: len(ccda()) // 2], "2.pdf": encrypted(pdf("x"), "secret"), "3.rtf": RTF})
    parts, tables = _through(body)
    assert [(one.place, one.code) for part in parts for one in part.unread] == [
        ("member[1]", "documents.xml"), ("member[2]/document", "documents.encrypted"),
    ]  # fmt: skip
    assert tables["document"]["patient"].to_pylist() == ["Patient/7"]


def test_tables_beside_documents() -> None:
    body = _zip({"report.pdf": pdf("MRN: 5"), "people.csv": TABLE})
    assert sniff(body).media_type == ZIP
    tables = _through(body, TABLES)[1]
    assert tables["document"]["patient"].to_pylist() == ["Patient/5"]
    assert tables["patient"]["id"].to_pylist() == ["Patient/1", "Patient/2"]
    parts, tables = _through(body)
    assert tables["document"]["patient"].to_pylist() == ["Patient/5"]
    assert [one.place for part in parts for one in part.unread] == ["tables"]


def test_a_mapping_is_proposed_from_the_tables_alone() -> None:
    rows = "".join(f"{number},女\r\n" for number in range(40))
    body = _zip(
        {
            "big.pdf": pdf(*["words, words\n" * 50] * 9),
            "a.docx": docx(paragraph("x")),
            "people.csv": f"编号,性别\r\n{rows}".encode(),
        }
    )
    assert suggest(body, "export.zip").sheet == "people.csv"


def test_what_is_of_no_kind_is_counted_and_passed_by() -> None:
    parts, tables = _through(_zip({"1.rtf": RTF, "readme": b"Dear colleague", "2.bin": b"\x7fELF\0"}))
    assert sum(part.received for part in parts) == 3
    assert sum(part.ignored for part in parts) == 2
    assert tables["document"].num_rows == 1


def test_an_archive_within_an_archive() -> None:
    inner = _zip({"1.rtf": RTF, "2.xml": ccda()})
    parts, tables = _through(_zip({"inner.zip": inner}))
    assert "condition" in tables
    deep = _zip({"1.rtf": RTF})
    for _ in range(DEPTH.value):
        deep = _zip({"x.zip": deep})
    with pytest.raises(LimitExceeded):
        list(heads(deep))
    assert parts


def test_a_zip_that_is_cut_is_refused_whole() -> None:
    body = _zip({"1.rtf": RTF, "2.pdf": pdf("MRN: 5")})
    with pytest.raises(Unreadable, match="damaged"):
        _through(body[:-30], media_type=PACKED)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_cda_in_utf_16(encoding: str) -> None:
    text = ccda().decode().replace('encoding="UTF-8"', 'encoding="UTF-16"')
    assert "condition" in _through(text.encode(encoding))[1]
    cut = text.encode(encoding)[: len(text) + 1]
    with pytest.raises(Unreadable):
        _through(cut)


def test_a_scan_is_a_document_once_it_is_known_whose() -> None:
    scan = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9"
    parts, tables = _through(scan)
    assert [one.code for part in parts for one in part.unread] == ["documents.no_text"]
    tables = _through(_zip({"1.jpg": scan}), '[documents]\npatient = "Patient/9"')[1]
    assert tables["document"].select(["patient", "pages", "text_found"]).to_pylist() == [
        {"patient": "Patient/9", "pages": 1, "text_found": False}
    ]
    assert "note" not in tables


GB = "gb18030"


@pytest.mark.parametrize(("raw", "meant"), [
    ([n.encode(GB) for n in ("检验/检验结果.csv", "检验/诊断.csv")], ["检验/检验结果.csv", "检验/诊断.csv"]),
    # A backslash as the second half of a character is no separator; one by itself is.
    (["导出\\乗客.csv".encode(GB), "导出\\检验.csv".encode(GB)], ["导出/乗客.csv", "导出/检验.csv"]),
    ([n.encode() for n in ("检验结果.csv", "诊断.csv")], ["检验结果.csv", "诊断.csv"]),
    (["für.csv".encode("cp437"), b"a.csv"], ["für.csv", "a.csv"]),
    (["王喆化验.csv".encode(GB)], ["王喆化验.csv"]),
    ([b"a/b.csv", b"c.csv"], ["a/b.csv", "c.csv"]),
    ([b"\xff\xfe.csv"], [b"\xff\xfe.csv".decode("cp437")]),
])  # fmt: skip
def test_names_in_the_code_of_their_windows(raw: list[bytes], meant: list[str]) -> None:
    body = _named(dict.fromkeys(raw, TABLE))
    assert [name for name, _ in members(body)] == meant
    with zipfile.ZipFile(io.BytesIO(body)) as opened:
        assert member_names(opened.infolist()) == meant


def test_a_folder_of_tables_with_chinese_names_is_read_by_them() -> None:
    body = _named({"导出/人员.csv".encode(GB): TABLE, "导出/说明.csv".encode(GB): TABLE})
    assert sniff(body).media_type == ZIP
    mapping = TABLES.replace("[[table]]", '[source]\nmembers = ["人员*.csv"]\n[[table]]')
    tables = _through(body, mapping)[1]
    assert set(tables["patient"]["place"].to_pylist()) == {"人员.csv line 2", "人员.csv line 3"}


def test_a_zip_that_holds_a_workbook_is_no_workbook() -> None:
    import openpyxl

    book, held = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["编号", "性别"])
    book.active.append(["1", "女"])
    book.save(held)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("people.xlsx", held.getvalue())
    body = buffer.getvalue()
    assert sniff(body).media_type == ZIP
    assert _through(body, TABLES)[1]["patient"]["id"].to_pylist() == ["Patient/1"]
