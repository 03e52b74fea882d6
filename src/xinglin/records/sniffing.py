"""What some bytes are: the media type that their content shows, whatever their name says."""

from __future__ import annotations

import re
import struct

import msgspec

from xinglin.records.archive_heads import gzip_head, zip_heads

HL7V2, DICOM = "x-application/hl7-v2+er7", "application/dicom"
FHIR, FHIR_LINES = "application/fhir+json", "application/fhir+ndjson"
CSV, PARQUET, JSON_LINES = "text/csv", "application/vnd.apache.parquet", "application/jsonl"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OLD_EXCEL = "application/vnd.ms-excel"
ZIP, GZIP = "application/zip", "application/gzip"
CDA, PDF, RTF, VCF = "application/hl7-cda+xml", "application/pdf", "application/rtf", "text/x-vcf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PNG, JPEG, TIFF = "image/png", "image/jpeg", "image/tiff"
PACKED = "application/x-packed-records"
"""A zip or gzip file of documents, DICOM instances, messages or resources; one of tables is ``ZIP`` or ``GZIP``."""
UNKNOWN = "application/octet-stream"
TABLES = frozenset({CSV, PARQUET, JSON_LINES, EXCEL, OLD_EXCEL})
ARCHIVES = frozenset({ZIP, GZIP, PACKED})

HEAD_BYTES = 65_536
"""As much of an object is looked at."""

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", PARQUET, "it begins as a Parquet file"),
    (b"%PDF-", PDF, "it begins as a PDF"),
    (b"{\\rtf", RTF, "it begins as an RTF text"),
    (b"##fileformat=VCF", VCF, "it begins as a VCF"),
    (b"\xd0\xcf\x11\xe0", OLD_EXCEL, "it begins as an old Office file"),
)
_V2 = re.compile(rb"[\x0b\s]*(?:MSH|FHS|BHS)[^\w\s]")
_FHIR = re.compile(rb'"resourceType"\s*:\s*"[A-Z]')
_CDA = re.compile(rb"<(?:\w+:)?ClinicalDocument[\s>]")
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (
    (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"),
)  # fmt: skip
"""Byte order marks, or how XML begins without one (XML 1.0, appendix F)."""
_DELIMITERS = (b",", b"\t", b";", b"|")


class Sniffed(msgspec.Struct, frozen=True):
    """A media type and why, in words; ``media_type`` is ``UNKNOWN`` where nothing fits."""

    media_type: str
    why: str


def sniff(head: bytes, name: str = "") -> Sniffed:
    """What the first ``HEAD_BYTES`` bytes of an object show; ``name`` decides only between kinds of plain text.

    >>> sniff(b"MSH|^~\\\\&|HIS|").media_type
    'x-application/hl7-v2+er7'
    """
    return _sniffed(head, name, inside=False)


def _sniffed(head: bytes, name: str, *, inside: bool) -> Sniffed:
    """``inside``: of a packed file, whose own packed members are not opened."""
    head = head[:HEAD_BYTES]
    for magic, media_type, why in _MAGIC:
        if head.startswith(magic):
            return Sniffed(media_type, why)
    # Before TIFF: the preamble of a DICOM file may be a TIFF header (PS3.10 7.1).
    if head[128:132] == b"DICM":
        return Sniffed(DICOM, "it is a DICOM file (PS3.10)")
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        return _packed_inside(head) if inside else _packed(head, name)
    if image := _image(head):
        return image
    return _text(head, name)


def _packed(head: bytes, name: str) -> Sniffed:
    """By what the first members show; the last word is the reader's, who sees them all."""
    if head.startswith(b"\x1f\x8b"):
        inside = _sniffed(gzip_head(head), name.removesuffix(".gz"), inside=True)
        if inside.media_type in TABLES | {UNKNOWN, VCF, ZIP, GZIP}:
            return Sniffed(GZIP, "it begins as gzip")
        return Sniffed(PACKED, f"it is gzip, and inside {inside.why}")
    members = list(zip_heads(head))
    if office := _office({one for one, _ in members}):
        return office
    kinds = {_sniffed(data, one, inside=True).media_type for one, data in members}
    if kinds & (TABLES | {ZIP, GZIP}) or not kinds - {UNKNOWN}:
        return Sniffed(ZIP, "it is a zip archive")
    return Sniffed(PACKED, "it is a zip archive of documents, images or messages")


def _packed_inside(head: bytes) -> Sniffed:
    """By the names of the members alone: what is packed twice is opened by its reader, and not to be recognised."""
    if head.startswith(b"\x1f\x8b"):
        return Sniffed(GZIP, "it begins as gzip")
    return _office({name for name, _ in zip_heads(head, contents=False)}) or Sniffed(ZIP, "it is a zip archive")


def _office(names: set[str]) -> Sniffed | None:
    """A document or a workbook, by the names of its members."""
    if "word/document.xml" in names:
        return Sniffed(DOCX, "it is a Word document")
    if "[Content_Types].xml" in names or "_rels/.rels" in names or names & _WORKBOOK:
        inside_word = any(one.startswith("word/") for one in names) and not any(one.startswith("xl/") for one in names)
        return Sniffed(DOCX, "it is a Word document") if inside_word else Sniffed(EXCEL, "it is an Excel workbook")
    return None


_WORKBOOK = frozenset({"xl/workbook.xml", "xl/workbook.bin", "xl/worksheets/sheet1.xml"})


def _image(head: bytes) -> Sniffed | None:
    """A scan or a photograph: its first bytes, and that what follows them is in order."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[8:16] == b"\x00\x00\x00\x0dIHDR":
        return Sniffed(PNG, "it begins as a PNG image")
    if head.startswith(b"\xff\xd8\xff") and _is_jpeg(head):
        return Sniffed(JPEG, "it begins as a JPEG image")
    if head.startswith((b"II*\x00", b"MM\x00*")) and _is_tiff(head):
        return Sniffed(TIFF, "it begins as a TIFF image")
    return None


def _is_jpeg(head: bytes) -> bool:
    """Whether a first segment follows, and behind it a second one (ITU-T T.81, B.1.1)."""
    marker, size = head[3:4], int.from_bytes(head[4:6])
    after = head[4 + size : 5 + size]
    begins = marker >= b"\xc0" and marker not in (b"\xd8", b"\xd9", b"\xff")
    return begins and size >= 2 and after in (b"", b"\xff")


def _is_tiff(head: bytes) -> bool:
    """Whether its first directory lies behind the header, and is one as far as it is seen (TIFF 6.0, section 2)."""
    order = "<" if head[:1] == b"I" else ">"
    if len(head) < 8:
        return False
    (at,) = struct.unpack_from(f"{order}I", head, 4)
    if at < 8 or at + 14 > len(head):
        return at >= 8 and len(head) == HEAD_BYTES
    entries, _, kind = struct.unpack_from(f"{order}HHH", head, at)
    return bool(0 < entries < 1_000 and 0 < kind <= 13)


def _text(head: bytes, name: str) -> Sniffed:
    text = head.removeprefix(_BOM)
    wide = next((encoding for mark, encoding in _UTF_16 if head.startswith(mark)), "")
    if wide:
        text = head.decode(wide, "ignore").removeprefix("\ufeff").encode("utf-8", "ignore")
    if text.lstrip()[:1] == b"<":
        return Sniffed(CDA, "it is a CDA document") if _CDA.search(text) else Sniffed(UNKNOWN, "it is XML, not a CDA")
    if wide and (_V2.match(text) or text.lstrip()[:1] in (b"{", b"[")):
        return Sniffed(UNKNOWN, "it is a message or JSON in UTF-16, which its standard does not know")
    if _V2.match(text):
        return Sniffed(HL7V2, "it begins with an HL7 v2 header")
    if text.lstrip()[:1] in (b"{", b"["):
        return _json(text.lstrip())
    return _plain(text, name)


def _json(text: bytes) -> Sniffed:
    lines = text.split(b"\n", 2)
    several = len(lines) > 1 and lines[0].rstrip().endswith(b"}") and lines[1].lstrip()[:1] == b"{"
    if _FHIR.search(lines[0] if several else text):
        kind = FHIR_LINES if several else FHIR
        return Sniffed(kind, "its JSON has a resourceType" + (" on every line" if several else ""))
    if several:
        return Sniffed(JSON_LINES, "it is one JSON object a line")
    return Sniffed(UNKNOWN, "it is JSON without a resourceType")


def _plain(text: bytes, name: str) -> Sniffed:
    if b"\x00" in text:
        return Sniffed(UNKNOWN, "it is neither text nor a format that is known here")
    lines = [line for line in text.splitlines()[:20] if line.strip()]
    lines = lines[:-1] if len(text) >= HEAD_BYTES and len(lines) < 20 else lines
    if name.lower().endswith((".csv", ".tsv", ".txt")) and lines:
        return Sniffed(CSV, "its name says so, and it is text")
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in lines}
        if len(lines) > 1 and min(counts) >= 1 and len(counts) == 1:
            return Sniffed(CSV, "its lines have one number of separators")
    return Sniffed(UNKNOWN, "it is text without a structure that is known here")
