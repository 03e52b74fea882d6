"""Bytes are what they show, not what they are called."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.records import sniffing
from xinglin.records.sniffing import sniff
from xinglin.sample import generate_space
from xinglin.sample.dicom import instances
from xinglin.sample.fhir import bundles
from xinglin.sample.hl7v2 import messages
from xinglin.sample.tables import exports


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name in names:
            opened.writestr(name, "x")
    return buffer.getvalue()


CLINIC = generate_space()[3]
CASES = {
    "hl7 v2": (next(messages(CLINIC)), sniffing.HL7V2),
    "hl7 v2 in a frame": (b"\x0b" + next(messages(CLINIC)), sniffing.HL7V2),
    "a batch": (b"FHS|^~\\&|a\rBHS|", sniffing.HL7V2),
    "other separators": (b"MSH$%~\\&$HIS$", sniffing.HL7V2),
    "a bundle": (next(bundles(CLINIC)), sniffing.FHIR),
    "with a byte order mark": (b"\xef\xbb\xbf" + next(bundles(CLINIC)), sniffing.FHIR),
    "bulk lines": (b'{"resourceType":"Patient"}\n{"resourceType":"Patient"}\n', sniffing.FHIR_LINES),
    "other lines": (b'{"a":1}\n{"a":2}\n', sniffing.JSON_LINES),
    "other JSON": (b'{"a": 1}', sniffing.UNKNOWN),
    "gb18030": (exports(CLINIC)["检验结果.csv"], sniffing.CSV),
    "utf-16": ("a,b\r\n1,2\r\n".encode("utf-16"), sniffing.CSV),
    "dicom": (next(instances(CLINIC, count=1, side=8)), sniffing.DICOM),
    "zip": (_zip("a.csv"), sniffing.ZIP),
    "excel": (_zip("[Content_Types].xml", "xl/workbook.xml"), sniffing.EXCEL),
    "word": (_zip("[Content_Types].xml", "word/document.xml"), sniffing.DOCX),
    "cda": (b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">', sniffing.CDA),
    "other xml": (b"<?xml version='1.0'?><root/>", sniffing.UNKNOWN),
    "vcf": (b"##fileformat=VCFv4.3\n", sniffing.VCF),
    "parquet": (b"PAR1\x15", sniffing.PARQUET),
    "a letter": (b"Dear colleague,\n\nthank you\n", sniffing.UNKNOWN),
    "nothing": (b"", sniffing.UNKNOWN),
    "a program": (b"\x7fELF\x02\x01\x00\x00", sniffing.UNKNOWN),
}


@pytest.mark.parametrize(("head", "expected"), CASES.values(), ids=CASES.keys())
def test_content_decides(head: bytes, expected: str) -> None:
    found = sniff(head, "anything.bin")
    assert found.media_type == expected
    assert found.why


def test_real_files(shared_data: Path) -> None:
    assert sniff((shared_data / "diabetes130/dataset_diabetes.zip").read_bytes()).media_type == sniffing.ZIP


@given(st.binary(max_size=300), st.text(max_size=10))
def test_any_bytes_have_an_answer(head: bytes, name: str) -> None:
    assert sniff(head, name).media_type
