"""An object to its sheets, and each sheet to chunks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xinglin.records.model import Read
from xinglin.records.sniffing import HEAD_BYTES, TABLES, UNKNOWN, sniff
from xinglin.records.tabular.archive import ZIP, matches, members
from xinglin.records.tabular.csv_sheets import csv_chunks
from xinglin.records.tabular.model import SourceOptions
from xinglin.records.tabular.rows import Chunk

CSV, EXCEL, PARQUET, JSONL = "csv", "excel", "parquet", "jsonl"
MEDIA = {
    "text/csv": CSV,
    "application/csv": CSV,
    "text/tab-separated-values": CSV,
    "application/vnd.ms-excel": EXCEL,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": EXCEL,
    "application/vnd.apache.parquet": PARQUET,
    "application/jsonl": JSONL,
    "application/x-ndjson": JSONL,
}
ARCHIVES = ("application/zip", "application/gzip")
SUFFIXES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/csv",
    ".data": "text/csv",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".zip": "application/zip",
    ".gz": "application/gzip",
}
"""Media type by a file's suffix, for folders and the command line."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def media_type(name: str) -> str:
    """The media type of a file by its name; empty where it is not a table's.

    >>> media_type("Export_2024.CSV"), media_type("scan.pdf")
    ('text/csv', '')
    """
    lowered = name.lower()
    return next((media for suffix, media in SUFFIXES.items() if lowered.endswith(suffix)), "")


def format_of(body: bytes) -> str:
    """What the bytes are: a workbook, Parquet, lines of JSON, or else CSV."""
    if body.startswith((ZIP, _OLE)):
        return EXCEL
    if body.startswith(b"PAR1") and body.endswith(b"PAR1"):
        return PARQUET
    return JSONL if body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else CSV


def is_table(name: str, data: bytes) -> bool:
    """Whether a member of an archive is a table, or may be one: documents and messages are other readers'."""
    return sniff(data[:HEAD_BYTES], name).media_type in TABLES | {UNKNOWN}


def open_sheets(body: bytes, options: SourceOptions) -> Iterator[tuple[str, Iterator[Chunk | Read]]]:
    """Name and rows of each sheet that the options want; the name is empty for an object that is one sheet.

    Members of an archive that are no tables are passed by, unless the options say what they are.
    """
    for name, data in members(body, "", options.members):
        label = name.rsplit("/", 1)[-1]
        if name and not options.format and not is_table(name, data):
            continue
        kind = options.format or format_of(data)
        if kind == EXCEL:
            from xinglin.records.tabular.excel_sheets import excel_sheets

            for sheet, chunks in excel_sheets(data, options):
                if not options.sheets or matches(sheet, options.sheets):
                    yield (f"{label}/{sheet}" if label else sheet), chunks
        elif kind == PARQUET:
            from xinglin.records.tabular.flat_sheets import parquet_chunks

            yield label, parquet_chunks(data, label, options)
        elif kind == JSONL:
            from xinglin.records.tabular.flat_sheets import jsonl_chunks

            yield label, jsonl_chunks(data, label, options)
        else:
            told = msgspec.structs.replace(options, delimiter="\t") if label.lower().endswith(".tsv") else options
            yield label, csv_chunks(data, label, told if not options.delimiter else options)
