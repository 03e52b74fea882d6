"""Text of an RTF document, by striprtf; Chinese code pages by ``\\ansicpg936`` and ``\\fcharset134``.

striprtf finds fields and fonts by expressions that go back and forth; what they would look at is written anew
first, so that the time stays linear in the document's size.
"""

from __future__ import annotations

import re

from xinglin.records.documents.bounds import RTF_BYTES, RTF_FONTS
from xinglin.records.documents.extract import DAMAGED, TOO_LARGE, Extracted

_FIELD = re.compile(r"(\\fldinst)(?=\{)", re.IGNORECASE)
_FONT_TABLE = re.compile(r"\{[^{}]{0,64}?\\fonttbl")
_FONT = re.compile(r"\\f(\d{1,6})(?!\w)|\\fcharset(\d{1,4})")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_INFO = re.compile(r"\{\\title ([^{}\\]{1,500})\}")
_GB = re.compile(r"\\ansicpg(936|54936)(?!\d)|\\fcharset134(?!\d)")
_CODE_PAGE = re.compile(r"\\ansicpg(\d{1,5})")
_PAGES = {"936": "gb18030", "54936": "gb18030", "65001": "utf-8"}


def rtf_text(body: bytes) -> Extracted:
    """The text; a table's cells are separated by tabs."""
    from striprtf.striprtf import rtf_to_text

    if len(body) > RTF_BYTES.value:
        return Extracted(flags=(TOO_LARGE,))
    if not body.lstrip().startswith(b"{\\rtf"):
        return Extracted(flags=(DAMAGED,))
    source = _decoded(body)
    title = _INFO.search(source[:65_536])
    prepared = _plain_fonts(_FIELD.sub(r"\1 ", source))
    try:
        text: str = rtf_to_text(  # type: ignore[no-untyped-call]
            prepared, encoding="cp936" if _GB.search(source) else "cp1252", errors="replace"
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return Extracted(flags=(DAMAGED,))
    lines = (line.rstrip("|").replace("|", "\t").rstrip() for line in text.splitlines())
    return Extracted(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), title=title[1].strip() if title else "")


def _decoded(body: bytes) -> str:
    """RTF is ASCII; writers that are not so strict put their code page's bytes into it as they are."""
    if body.isascii():
        return body.decode("ascii")
    named = _CODE_PAGE.search(body[:512].decode("latin-1"))
    for name in (_PAGES.get(named[1], f"cp{named[1]}") if named else "gb18030", "utf-8"):
        try:
            return body.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("latin-1")


def _plain_fonts(source: str) -> str:
    """The font table reduced to numbers and character sets."""
    start = _FONT_TABLE.search(source)
    if start is None:
        return source
    depth, end = 1, len(source)
    for brace in _BRACE.finditer(source, start.end()):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            end = brace.end()
            break
    fonts: dict[str, str] = {}
    number = ""
    for found in _FONT.finditer(source, start.end(), end):
        if found[1]:
            number = found[1]
        elif number and len(fonts) < RTF_FONTS.value:
            fonts.setdefault(number, found[2])
    table = "".join(f"{{\\f{number}\\fcharset{charset} x;}}" for number, charset in fonts.items())
    return f"{source[: start.start()]}{{\\fonttbl{table}}}{source[end:]}"
