"""Narrative blocks (CDA R2 §4.3.5) as plain text: paragraphs as lines, lists with dashes, tables with tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.records.documents.bounds import TEXT_CHARS
from xinglin.records.documents.plain import tidy
from xinglin.records.documents.xml import parse_xml, plain_names

if TYPE_CHECKING:
    from lxml.etree import _Element

_BEFORE = {"item": "\n- ", "list": "\n", "table": "\n", "paragraph": "\n", "caption": "\n", "br": "\n"}
_AFTER = {"list": "\n", "table": "\n", "paragraph": "\n", "caption": ": ", "td": "\t", "th": "\t", "tr": "\n"}
_IN_CELL = frozenset(("td", "th"))


def plain_narrative(block: _Element | None) -> str:
    """The text of a narrative block; deleted revisions are left out, footnotes stay where they stand."""
    if block is None:
        return ""
    from lxml import etree

    parts: list[str] = []
    hidden: _Element | None = None
    cells, room = 0, TEXT_CHARS.value
    for event, element in etree.iterwalk(block, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if hidden is None and event == "start":
            if element.get("revised") == "delete":
                hidden = element
                continue
            cells += tag in _IN_CELL
            parts += [_broken(_BEFORE.get(tag, ""), cells), _inline(element.text)]
            room -= len(parts[-1])
        elif event == "end":
            if hidden is None:
                cells -= tag in _IN_CELL
                parts.append(_broken(_AFTER.get(tag, ""), cells))
            if hidden is None or hidden is element:
                hidden = None
                if element is not block:
                    parts.append(_inline(element.tail))
        if room < 0:
            break
    return tidy(parts)


def _broken(text: str, cells: int) -> str:
    """Inside a cell a line's end is a blank, so that a row stays a line."""
    return " " if cells and "\n" in text else text


def _inline(text: str | None) -> str:
    return text.replace("\n", " ").replace("\t", " ") if text else ""


def words_by_id(root: _Element) -> dict[str, str]:
    """The text of each narrative element that has an ID, for references from entries; each text is bounded."""
    found: dict[str, str] = {}
    for block in root.iter("text"):
        for element in block.iter():
            name = element.get("ID")
            if name and name not in found:
                found[name] = " ".join("".join(_some_text(element)).split())
    return found


def _some_text(element: _Element) -> list[str]:
    """The first texts in an element: what an entry calls its name is short."""
    parts: list[str] = []
    for text in element.itertext():
        parts.append(text[:2_000])
        if len(parts) >= 64:
            break
    return parts


def document_text(body: bytes) -> str:
    """The narrative of a whole CDA, section by section. Raises ``BadXml``."""
    root = plain_names(parse_xml(body))
    parts = []
    for section in root.iter("section"):
        title = " ".join("".join(section.find("title").itertext()).split()) if section.find("title") is not None else ""
        text = plain_narrative(section.find("text"))
        if title or text:
            parts.append("\n".join(part for part in (title, text) if part))
    return "\n\n".join(parts)
