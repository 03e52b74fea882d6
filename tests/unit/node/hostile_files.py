"""Files that were made to do harm: small on the disk, endless or broken for whoever opens them."""

from __future__ import annotations

import io
import os
import zipfile
from typing import Any

_NS = "http://schemas.openxmlformats.org"
_PACKAGE, _OFFICE = f"{_NS}/package/2006", f"{_NS}/officeDocument/2006/relationships"
_MAIN = f"{_NS}/spreadsheetml/2006/main"
_TYPES = f"""<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"
ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml"
ContentType="application/xml"/><Override PartName="/xl/workbook.xml"
ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"""
_RELS = f"""<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1"
Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>"""
_BOOK = f"""<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>
</workbook>"""
_BOOK_RELS = f"""<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" Type="{_OFFICE}/worksheet"
Target="worksheets/sheet1.xml"/></Relationships>"""
_LAUGHS = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


def zipped(members: dict[str, bytes | str], level: int = 1) -> bytes:
    """A zip archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return held.getvalue()


def endless_zip() -> bytes:
    """64 MB of one line: more than an archive's member may grow."""
    return zipped({"a.csv": b"a,b\n" * 16_000_000}, level=9)


def heavy_zip(megabytes: int) -> bytes:
    """So much text, packed just below what a member may grow."""
    block = os.urandom(3_000).hex().encode() + b"\n" + b"1,2,3\n" * 200_000
    return zipped({"a.csv": block * megabytes})


def vast_workbook() -> bytes:
    """Two cells, at opposite corners of the largest sheet: a reader that fills the space between has 17 billion."""
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    return _workbook(cells)


def laughing_workbook() -> bytes:
    """A cell whose entity stands for 3 × 10^11 letters."""
    return _workbook('<row r="1"><c r="A1" t="inlineStr"><is><t>&l11;</t></is></c></row>', "worksheet")


def laughing_document() -> bytes:
    """The same as a CDA document."""
    text = f'<!DOCTYPE ClinicalDocument [{_LAUGHS}]><ClinicalDocument xmlns="urn:hl7-org:v3"><title>&l11;</title>'
    return (text + "</ClinicalDocument>").encode()


def damaged_parquet(secret: str) -> bytes:
    """Whole at both ends, and what says where its pages lie is overwritten; ``secret`` is a value of it."""
    found = bytearray(_parquet([f"{secret}{n}" for n in range(20_000)]))
    found[-300:-10] = b"\xff" * 290
    return bytes(found)


def wrong_text_parquet(secret: str) -> bytes:
    """A column of texts that are not UTF-8."""
    import pyarrow as pa

    return _parquet(pa.array([f"{secret}{n}".encode() + b"\xff\xfe" for n in range(100)]).view(pa.string()))


def swollen_parquet(megabytes: int) -> bytes:
    """One value of so many million letters, packed into some thousand bytes."""
    return _parquet(["x" * (megabytes * 1_000_000)])


def wide_table(columns: int, rows: int) -> bytes:
    """More columns than anybody looks through in a moment."""
    head = ",".join(f"c{n}" for n in range(columns))
    return "\n".join((head, *(",".join(str(n * k % 997) for n in range(columns)) for k in range(rows)))).encode()


def _parquet(values: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = io.BytesIO()
    table = pa.table({"patient_id": values})
    pq.write_table(table, held, compression="zstd", use_dictionary=False, write_statistics=False)
    return held.getvalue()


def _workbook(rows: str, laughing: str = "") -> bytes:
    kinds = f"<!DOCTYPE {laughing} [{_LAUGHS}]>" if laughing else ""
    sheet = f'<?xml version="1.0"?>{kinds}<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    members: dict[str, bytes | str] = {"[Content_Types].xml": _TYPES, "_rels/.rels": _RELS, "xl/workbook.xml": _BOOK}
    return zipped({**members, "xl/_rels/workbook.xml.rels": _BOOK_RELS, "xl/worksheets/sheet1.xml": sheet})
