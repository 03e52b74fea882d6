"""Text of a PDF, page by page, by pypdf.

Content streams are measured before they are followed and operations are counted, so that a page that draws
itself again and again ends as a flag. What an encrypted document says is not guessed: an empty password is tried,
as viewers do.
"""

from __future__ import annotations

import io
import logging
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

from xinglin.records.documents.bounds import CONTENT_BYTES, FORMS, OPERATIONS, PAGE_CONTENT_BYTES, PAGES, TEXT_CHARS
from xinglin.records.documents.extract import CUT, DAMAGED, ENCRYPTED, Extracted

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?(?:(Z)|([+-]\d\d)'?(\d\d)'?)?")
PAGE_BREAK = "\f"


class _TooMuch(Exception):
    """A budget is used up."""


class _Budget:
    """What the pages of one document may still draw."""

    def __init__(self) -> None:
        self.content_bytes, self.operations, self.forms = CONTENT_BYTES.value, OPERATIONS.value, FORMS.value

    def content(self, size_bytes: int) -> None:
        """A page's content stream."""
        self.content_bytes -= size_bytes
        if size_bytes > PAGE_CONTENT_BYTES.value or self.content_bytes < 0:
            raise _TooMuch

    def operation(self, operator: bytes, *_: Any) -> None:
        """One operation, a form's own among them."""
        self.operations -= 1
        self.forms -= operator == b"Do"
        if self.operations < 0 or self.forms < 0:
            raise _TooMuch


def pdf_text(body: bytes) -> Extracted:
    """The text of all pages with form feeds between them, and what the document says of itself."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it logs pieces of what it reads
    broken = (PyPdfError, *_BROKEN)
    try:
        reader = PdfReader(io.BytesIO(body), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            return Extracted(flags=(ENCRYPTED,))
        count = len(reader.pages)
    except broken as error:
        encrypted = "Encrypt" in type(error).__name__ or b"/Encrypt" in body[-4096:]
        return Extracted(flags=(ENCRYPTED if encrypted else DAMAGED,))
    texts, flags = _pages(reader, min(count, PAGES.value), broken)
    if count > PAGES.value:
        flags.append(CUT)
    title, author, created = _said(reader, broken)
    text = PAGE_BREAK.join(texts) if any(text.strip() for text in texts) else ""
    return Extracted(text, count, title, author, created, tuple(dict.fromkeys(flags)))


def _pages(reader: PdfReader, count: int, broken: tuple[type[Exception], ...]) -> tuple[list[str], list[str]]:
    texts: list[str] = []
    flags: list[str] = []
    budget, room = _Budget(), TEXT_CHARS.value
    for number in range(count):
        try:
            texts.append(_page(reader.pages[number], budget))
        except _TooMuch:
            flags.append(CUT)
            texts.append("")
            if budget.content_bytes < 0 or budget.operations < 0 or budget.forms < 0:
                break
        except broken:
            flags.append(DAMAGED)
            texts.append("")
        room -= len(texts[-1])
        if room < 0:
            break
    return texts, flags


def _page(page: PageObject, budget: _Budget) -> str:
    contents = page.get_contents()
    if contents is None:
        return ""
    budget.content(len(contents.get_data()))
    return page.extract_text(visitor_operand_before=budget.operation).rstrip()


def _said(reader: PdfReader, broken: tuple[type[Exception], ...]) -> tuple[str, str, str]:
    """Title, author and date of the document's own information."""
    try:
        known = reader.metadata
        if known is None:
            return "", "", ""
        title, author, date = known.get("/Title"), known.get("/Author"), known.get("/CreationDate")
    except broken:
        return "", "", ""
    return _line(title), _line(author), _moment(date)


def _line(value: Any) -> str:
    return " ".join(value.split())[:500] if isinstance(value, str) else ""


def _moment(value: Any) -> str:
    """A PDF date (ISO 32000-1 §7.9.4) as FHIR text."""
    found = _DATE.match(value) if isinstance(value, str) else None
    if found is None:
        return ""
    year, month, day, hour, minute, second, utc, hours, minutes = found.groups()
    text = "-".join(part for part in (year, month, day) if part)
    if hour is None or day is None:
        return text
    zone = "Z" if utc else f"{hours}:{minutes}" if hours else ""
    return f"{text}T{hour}:{minute}:{second or '00'}{zone}"
