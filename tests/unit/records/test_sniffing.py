"""Bytes are what they show, not what they are called."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
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
    return _packed(dict.fromkeys(names, b"x"))


def _packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False) -> bytes:
    """A zip file; ``streamed``: sizes stand behind the members, as of who writes to a pipe."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(_Pipe(buffer) if streamed else buffer, "w", method) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return buffer.getvalue()


class _Pipe(io.RawIOBase):
    def __init__(self, into: io.BytesIO) -> None:
        self._into = into

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._into.write(data)  # type: ignore[arg-type]


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def _tiff(order: str, at: int = 8, entries: int = 1, kind: int = 3) -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    directory = struct.pack(f"{order}HHHIII", entries, 256, kind, 1, 1, 0)
    return head + b"\0" * (at - 8) + directory


JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\x00\x43"
XML = '<?xml version="1.0" encoding="UTF-16"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>'
TABLE = "编号,性别\r\n1,女\r\n2,男\r\n".encode("gb18030")


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
    "png": (_png(), sniffing.PNG),
    "a png of rubbish": (b"\x89PNG\r\n\x1a\n" + b"rubbish" * 40, sniffing.UNKNOWN),
    "a png cut in its signature": (_png()[:7], sniffing.UNKNOWN),
    "a png that a mailer mended": (_png().replace(b"\r\n", b"\n", 1), sniffing.UNKNOWN),
    "jpeg": (JFIF, sniffing.JPEG),
    "jpeg of a camera": (b"\xff\xd8\xff\xe1\x00\x08Exif\0\0\xff\xdb", sniffing.JPEG),
    "a jpeg of rubbish": (b"\xff\xd8\xff\xe0\x00\x04ab!!", sniffing.UNKNOWN),
    "a jpeg that ends at once": (b"\xff\xd8\xff\xd9", sniffing.UNKNOWN),
    "tiff": (_tiff("<"), sniffing.TIFF),
    "tiff, the other way": (_tiff(">", 100), sniffing.TIFF),
    "a tiff without a directory": (b"II*\0" + b"\0" * 60, sniffing.UNKNOWN),
    "a tiff of rubbish": (_tiff("<", kind=77), sniffing.UNKNOWN),
    "a tiff whose directory is far": (
        b"MM\0*" + struct.pack(">I", 9_000_000) + b"\xaa" * sniffing.HEAD_BYTES,
        sniffing.TIFF,
    ),
    "dicom that is a tiff, too": (_tiff("<").ljust(128, b"\0") + b"DICM\x02\0", sniffing.DICOM),
    "cda in utf-16": (XML.encode("utf-16"), sniffing.CDA),
    "cda in utf-16, the other way": (b"\xfe\xff" + XML.encode("utf-16-be"), sniffing.CDA),
    "cda in utf-16 without a mark": (XML.encode("utf-16-le"), sniffing.CDA),
    "cda in utf-16, an odd number of bytes": (XML.encode("utf-16")[:-1], sniffing.CDA),
    "other xml in utf-16": ("<?xml version='1.0'?><root/>".encode("utf-16"), sniffing.UNKNOWN),
    "utf-16 cut before the root": (XML.encode("utf-16")[:80], sniffing.UNKNOWN),
    "a byte order mark alone": (b"\xff\xfe", sniffing.UNKNOWN),
    "hl7 v2 in utf-16": ("MSH|^~\\&|a|b\rPID|1|2|3\r".encode("utf-16"), sniffing.UNKNOWN),
    "zip of tables": (_packed({"a/检验.csv": TABLE, "a/诊断.csv": TABLE}), sniffing.ZIP),
    "zip of documents": (_packed({"1.xml": XML.encode("utf-16"), "2.pdf": b"%PDF-1.7 x"}), sniffing.PACKED),
    "zip from a pipe": (_packed({"1.rtf": b"{\\rtf1 x}", "2": b"%PDF-"}, streamed=True), sniffing.PACKED),
    "stored, from a pipe": (_packed({"1.rtf": b"{\\rtf1 x}"}, zipfile.ZIP_STORED, streamed=True), sniffing.PACKED),
    "zip of a word document": (
        _packed({"1.docx": _zip("[Content_Types].xml", "word/document.xml")}, zipfile.ZIP_STORED),
        sniffing.PACKED,
    ),
    "zip of a workbook": (
        _packed({"1.xlsx": _zip("[Content_Types].xml", "xl/workbook.xml")}, zipfile.ZIP_STORED),
        sniffing.ZIP,
    ),
    "zip of documents beside a table": (_packed({"1.pdf": b"%PDF-1.7", "2.csv": TABLE}), sniffing.ZIP),
    "zip of dicom": (_packed({"IM1": next(instances(CLINIC, count=1, side=8))}), sniffing.PACKED),
    "zip with a mac's leavings": (
        _packed({"__MACOSX/._a": b"%PDF-", ".DS_Store": b"%PDF-", "a.csv": TABLE}),
        sniffing.ZIP,
    ),
    "zip of nothing known": (_packed({"a.bin": b"\x7fELF\x02"}), sniffing.ZIP),
    "zip in which a folder is named word": (_packed({"word/a.csv": TABLE, "word/b.csv": TABLE}), sniffing.ZIP),
    "word, its parts in another order": (_zip("word/document.xml", "[Content_Types].xml"), sniffing.DOCX),
    "gzip of a table": (gzip.compress(TABLE), sniffing.GZIP),
    "gzip of a vcf": (gzip.compress(b"##fileformat=VCFv4.3\n"), sniffing.GZIP),
    "gzip of bulk lines": (gzip.compress(b'{"resourceType":"Patient"}\n{"resourceType":"Patient"}\n'), sniffing.PACKED),
    "gzip of rubbish": (b"\x1f\x8b" + b"rubbish" * 9, sniffing.GZIP),
    "a program": (b"\x7fELF\x02\x01\x00\x00", sniffing.UNKNOWN),
}


@pytest.mark.parametrize(("head", "expected"), CASES.values(), ids=CASES.keys())
def test_content_decides(head: bytes, expected: str) -> None:
    found = sniff(head, "anything.bin")
    assert found.media_type == expected
    assert found.why


def test_real_files(shared_data: Path) -> None:
    assert sniff((shared_data / "diabetes130/dataset_diabetes.zip").read_bytes()).media_type == sniffing.ZIP


def test_what_it_is_called_does_not_make_it_a_table() -> None:
    assert sniff(_packed({"a.pdf": b"%PDF-1.7"}), "export.csv").media_type == sniffing.PACKED
    assert sniff(_packed({"a.csv": TABLE}), "export.csv").media_type == sniffing.ZIP
    assert sniff(_png(), "scan.csv").media_type == sniffing.PNG
    assert sniff(XML.encode("utf-16"), "summary.txt").media_type == sniffing.CDA


_BEGINNINGS = [
    b"",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"II*\0",
    b"MM\0*",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"\xff\xfe<\0",
]


@given(st.sampled_from(_BEGINNINGS), st.binary(max_size=300), st.text(max_size=10))
def test_any_bytes_have_an_answer(beginning: bytes, head: bytes, name: str) -> None:
    assert sniff(beginning + head, name).media_type


@given(st.data())
def test_a_zip_that_is_cut_or_changed_has_an_answer(data: st.DataObject) -> None:
    whole = bytearray(_packed({"1.pdf": b"%PDF-1.7" * 20, "2.csv": TABLE}, streamed=data.draw(st.booleans())))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(0, 255))
    assert sniff(bytes(whole[: data.draw(st.integers(0, len(whole)))]), "x.zip").media_type


def test_what_is_packed_many_times_is_not_opened_level_by_level() -> None:
    nested = b"a,b\n1,2\n"
    for _ in range(6):
        nested = zipped([(f"{number}.zip", nested) for number in range(14)])
        assert sniff(nested).media_type == "application/zip"
    twice = gzip.compress(gzip.compress(b"a,b\n1,2\n"))
    assert sniff(twice).media_type == sniff(gzip.compress(twice)).media_type == "application/gzip"


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return held.getvalue()
