"""Text of a Word document (ECMA-376): body, tables, headers, footers and notes; XML as strangers' XML."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from xinglin.records.documents.bounds import DOCX_BYTES, DOCX_MEMBER_BYTES, DOCX_MEMBERS
from xinglin.records.documents.errors import BadXml
from xinglin.records.documents.extract import CUT, DAMAGED, ENCRYPTED, TOO_LARGE, Extracted
from xinglin.records.documents.plain import tidy
from xinglin.records.documents.xml import parse_xml, plain_names

if TYPE_CHECKING:
    from lxml.etree import _Element

_BODY = "word/document.xml"
_PARTS = ("word/header", "word/footer", "word/footnotes", "word/endnotes")
_PROPERTIES = "docProps/core.xml"
_SKIPPED = frozenset(("del", "delText", "instrText", "Fallback", "sectPr", "pPr", "rPr", "tblPr", "tcPr", "trPr"))
_ENDS = {"p": "\n", "tr": "\n", "tc": "\t", "br": "\n", "cr": "\n", "tab": "\t"}


def docx_text(body: bytes) -> Extracted:
    """Headers first, then the body, then footers and notes; deleted text is left out."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as opened:
            return _read(opened)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, LookupError) as error:
        encrypted = isinstance(error, RuntimeError) and "encrypted" in str(error)
        return Extracted(flags=(ENCRYPTED if encrypted else DAMAGED,))


def _read(opened: zipfile.ZipFile) -> Extracted:
    names = opened.namelist()
    if len(names) > DOCX_MEMBERS.value:
        return Extracted(flags=(TOO_LARGE,))
    if _BODY not in names:
        return Extracted(flags=(DAMAGED,))
    wanted = sorted({name for name in names if name.startswith(_PARTS) and name.endswith(".xml")})
    order = [*(n for n in wanted if "/header" in n), _BODY, *(n for n in wanted if "/header" not in n)]
    texts, flags, room = [], [], DOCX_BYTES.value
    for name in order:
        data = _member(opened, name, min(room, DOCX_MEMBER_BYTES.value))
        if data is None:
            flags.append(TOO_LARGE if name == _BODY else CUT)
            continue
        room -= len(data)
        try:
            texts.append(_text(plain_names(parse_xml(data, limit_bytes=DOCX_MEMBER_BYTES.value))))
        except BadXml:
            flags.append(DAMAGED)
    title, author, created = _properties(opened, names)
    text = "\n\n".join(text for text in texts if text)
    return Extracted(text, None, title, author, created, tuple(dict.fromkeys(flags)))


def _member(opened: zipfile.ZipFile, name: str, room: int) -> bytes | None:
    with opened.open(name) as stream:
        data = stream.read(room + 1)
    return None if len(data) > room else data


def _text(root: _Element) -> str:
    """The texts of runs in order, without walking deeper than the parser let the document be."""
    from lxml import etree

    parts: list[str] = []
    hidden: _Element | None = None
    for event, element in etree.iterwalk(root, events=("start", "end")):
        tag = element.tag
        if hidden is not None:
            if event == "end" and element is hidden:
                hidden = None
            continue
        if event == "start":
            if tag in _SKIPPED:
                hidden = element
            elif tag == "t" and element.text:
                parts.append(element.text.replace("\n", " "))
        elif tag == "p" and _in_cell(element):
            parts.append(" ")
        elif tag in _ENDS:
            parts.append(_ENDS[tag])
    return tidy(parts)


def _in_cell(element: _Element) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag == "tc"


def _properties(opened: zipfile.ZipFile, names: list[str]) -> tuple[str, str, str]:
    """Title, author and date of the document's own properties."""
    if _PROPERTIES not in names:
        return "", "", ""
    data = _member(opened, _PROPERTIES, 1_000_000)
    try:
        root = plain_names(parse_xml(data or b"", limit_bytes=1_000_000))
    except BadXml:
        return "", "", ""
    told = {element.tag: " ".join((element.text or "").split())[:500] for element in root}
    return told.get("title", ""), told.get("creator", ""), told.get("created", "")
