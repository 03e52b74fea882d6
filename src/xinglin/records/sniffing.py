"""What some bytes are: the media type that their content shows, whatever their name says."""

from __future__ import annotations

import re

import msgspec

HL7V2, DICOM = "x-application/hl7-v2+er7", "application/dicom"
FHIR, FHIR_LINES = "application/fhir+json", "application/fhir+ndjson"
CSV, PARQUET, JSON_LINES = "text/csv", "application/vnd.apache.parquet", "application/jsonl"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OLD_EXCEL = "application/vnd.ms-excel"
ZIP, GZIP = "application/zip", "application/gzip"
CDA, PDF, RTF, VCF = "application/hl7-cda+xml", "application/pdf", "application/rtf", "text/x-vcf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
UNKNOWN = "application/octet-stream"

HEAD_BYTES = 65_536
"""As much of an object is looked at."""

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", PARQUET, "it begins as a Parquet file"),
    (b"%PDF-", PDF, "it begins as a PDF"),
    (b"{\\rtf", RTF, "it begins as an RTF text"),
    (b"##fileformat=VCF", VCF, "it begins as a VCF"),
    (b"\x1f\x8b", GZIP, "it begins as gzip"),
    (b"\xd0\xcf\x11\xe0", OLD_EXCEL, "it begins as an old Office file"),
)
_V2 = re.compile(rb"[\x0b\s]*(?:MSH|FHS|BHS)[^\w\s]")
_FHIR = re.compile(rb'"resourceType"\s*:\s*"[A-Z]')
_CDA = re.compile(rb"<(?:\w+:)?ClinicalDocument[\s>]")
_BOM = b"\xef\xbb\xbf"
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
    head = head[:HEAD_BYTES]
    for magic, media_type, why in _MAGIC:
        if head.startswith(magic):
            return Sniffed(media_type, why)
    if head[128:132] == b"DICM":
        return Sniffed(DICOM, "it is a DICOM file (PS3.10)")
    if head.startswith(b"PK\x03\x04"):
        return _zipped(head)
    text = head.removeprefix(_BOM)
    if _V2.match(text):
        return Sniffed(HL7V2, "it begins with an HL7 v2 header")
    if text.lstrip()[:1] in (b"{", b"["):
        return _json(text.lstrip())
    if text.lstrip()[:1] == b"<":
        return Sniffed(CDA, "it is a CDA document") if _CDA.search(text) else Sniffed(UNKNOWN, "it is XML, not a CDA")
    return _plain(text, name)


def _zipped(head: bytes) -> Sniffed:
    if b"[Content_Types].xml" in head or b"_rels/.rels" in head:
        inside = b"word/" in head and b"xl/" not in head
        return Sniffed(DOCX, "it is a Word document") if inside else Sniffed(EXCEL, "it is an Excel workbook")
    return Sniffed(ZIP, "it is a zip archive")


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
    if b"\x00" in text and not text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Sniffed(UNKNOWN, "it is neither text nor a format that is known here")
    plain = text.replace(b"\x00", b"")
    lines = [line for line in plain.splitlines()[:20] if line.strip()]
    lines = lines[:-1] if len(text) >= HEAD_BYTES and len(lines) < 20 else lines
    if name.lower().endswith((".csv", ".tsv", ".txt")) and lines:
        return Sniffed(CSV, "its name says so, and it is text")
    for delimiter in _DELIMITERS:
        counts = {line.count(delimiter) for line in lines}
        if len(lines) > 1 and min(counts) >= 1 and len(counts) == 1:
            return Sniffed(CSV, "its lines have one number of separators")
    return Sniffed(UNKNOWN, "it is text without a structure that is known here")
