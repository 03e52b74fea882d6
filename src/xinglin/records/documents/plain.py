"""Plain text and HTML."""

from __future__ import annotations

from html.parser import HTMLParser

from xinglin.records.documents.extract import DAMAGED, Extracted

_BLOCKS = ("article", "blockquote", "div", "footer", "header", "hr", "p", "pre", "section", "table", "tr")
_LISTS = ("address", "br", "dd", "dl", "dt", "li", "ol", "ul")
_BREAKS = frozenset((*_BLOCKS, *_LISTS, "h1", "h2", "h3", "h4", "h5", "h6"))
_CELLS = frozenset(("td", "th"))
_HIDDEN = frozenset(("script", "style", "head", "template"))


def plain_text(body: bytes) -> Extracted:
    """UTF-8, UTF-16 with its mark, or GB18030."""
    return Extracted(_decoded(body).replace("\r\n", "\n").replace("\r", "\n").strip())


def html_text(body: bytes) -> Extracted:
    """What a browser would show, lines for blocks and tabs for cells."""
    shown = _Shown()
    try:
        shown.feed(_decoded(body))
        shown.close()
    except (AssertionError, ValueError, LookupError):
        return Extracted(tidy(shown.parts), flags=(DAMAGED,))
    return Extracted(tidy(shown.parts), title=" ".join("".join(shown.title).split())[:500])


def tidy(parts: list[str]) -> str:
    """Pieces of text as lines: runs of blanks become one, tabs stay, no more than one empty line in a row."""
    lines: list[str] = []
    for line in "".join(parts).split("\n"):
        cells = [" ".join(cell.split()) for cell in line.split("\t")]
        text = "\t".join(cells).strip()
        if text or (lines and lines[-1]):
            lines.append(text)
    return "\n".join(lines).strip("\n")


def _decoded(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("gb18030", "replace")


class _Shown(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title: list[str] = []
        self._hidden = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title"
        self._hidden += tag in _HIDDEN
        if tag in _BREAKS:
            self.parts.append("\n")
        elif tag in _CELLS and self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\t")

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        if tag in _BREAKS and tag != "tr":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        elif not self._hidden:
            self.parts.append(data.replace("\n", " ").replace("\t", " "))
