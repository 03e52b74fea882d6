"""Elements of SVG with every word escaped, the sheet that a chart is drawn on, and how much text fits."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from markupsafe import Markup

from xinglin.console.charts.model import Chart, ChartError

SHEET = 380.0  # units a chart is wide: text of 12 is still 10 px where 320 px are left of a phone's screen
TEXT = 12.0
SMALL = 11.0
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "plus")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4")
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HIDING = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def clean(text: str) -> str:
    """Text that XML can carry; marks that turn or hide the writing of what follows are dropped."""
    return _HIDING.sub("", _FORBIDDEN.sub("\ufffd", text))


def escaped(text: str) -> str:
    """Text for an element or a quoted attribute."""
    found = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return found.replace('"', "&#34;").replace("'", "&#39;")


def placed(value: float) -> str:
    """A coordinate: two decimals at most, never an exponent."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def tag(name: str, *inside: str, **attributes: str | float | None) -> str:
    """An element; ``inside`` is markup already. ``class_`` is class, ``stroke_width`` is stroke-width."""
    given = "".join(
        f' {_name(key)}="{escaped(value) if isinstance(value, str) else placed(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{''.join(inside)}</{name}>" if inside else f"<{name}{given}/>"


def words(x: float, y: float, text: str, kind: str = "label", anchor: str = "start", told: str = "") -> str:
    """A line of text; ``told`` is what a pointer shows, where the text was shortened or says little."""
    inside = (tag("title", escaped(told)) if told else "") + escaped(text)
    return tag("text", inside, x=x, y=y, class_=kind, text_anchor=None if anchor == "start" else anchor)


def wide(text: str, size: float = TEXT) -> float:
    """About how many units a text takes: a Chinese character its size, a Latin one little more than half of it."""
    return sum(1.0 if unicodedata.east_asian_width(one) in "WF" else 0.6 for one in text) * size


def fitted(text: str, room: float, size: float = TEXT) -> str:
    """The text, or its beginning and an ellipsis, within so many units."""
    text = clean(text).replace("\n", " ")
    if wide(text, size) <= room:
        return text
    kept = text
    while kept and wide(kept, size) + size > room:
        kept = kept[:-1]
    return kept + "…"


def marker(shape: str, x: float, y: float, kind: str, size: float = 4.0) -> str:
    """A mark of one of ``MARKERS``, so that a series is known without its colour."""
    across, more = placed(size * 2), size + 1
    paths = {
        "circle": f"M{placed(x - size)} {placed(y)}a{size} {size} 0 1 0 {across} 0a{size} {size} 0 1 0 -{across} 0z",
        "square": f"M{placed(x - size)} {placed(y - size)}h{across}v{across}h-{across}z",
        "triangle": f"M{placed(x)} {placed(y - size)}l{size} {across}h-{across}z",
        "diamond": f"M{placed(x)} {placed(y - more)}l{more} {more}l-{more} {more}l-{more} -{more}z",
        "cross": f"M{placed(x - size)} {placed(y - size)}l{across} {across}m0 -{across}l-{across} {across}",
        "plus": f"M{placed(x - size)} {placed(y)}h{across}m-{size} -{size}v{across}",
    }
    return tag("path", d=paths[shape], class_=f"{kind} {'stroke' if shape in ('cross', 'plus') else 'fill'}")


def coloured(number: int) -> str:
    """The class of the series of that number, counted from 0."""
    return f"c{number % 6 + 1}"


class Sheet:
    """What a chart is drawn on: parts are added, ``done`` closes it. Ids come from what the chart says."""

    def __init__(
        self,
        title: str,
        description: str,
        columns: tuple[str, ...],
        rows: tuple[tuple[str, ...], ...],
        *,
        width: float = SHEET,
        height: float = 200.0,
    ) -> None:
        if not title.strip():
            raise ChartError("A chart needs a title.", remedy="Say in its title what it shows.")
        self.title, self.description, self.columns, self.rows = title, description, columns, rows
        self.width, self.height = width, height
        said = "\x1f".join([title, description, *columns, *(cell for row in rows for cell in row)])
        self.id = "chart-" + hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()[:12]
        self.parts: list[str] = []

    def add(self, *parts: str) -> None:
        """Draw over what is there."""
        self.parts += parts

    def hatch(self) -> str:
        """A fill of slanted lines, for what is held back; the attribute's value."""
        line = tag("path", d="M-1 1l2 -2M0 6l6 -6M5 7l2 -2", class_="hatch")
        name = f"{self.id}-hatch"
        found = tag("pattern", line, id=name, width=6, height=6, patternUnits="userSpaceOnUse")
        if found not in self.parts:
            self.parts.append(found)
        return f"url(#{name})"

    def empty(self, text: str) -> Chart:
        """The chart that says why there is nothing to see."""
        self.height = 64.0
        self.parts = [
            tag("rect", x=1, y=1, width=self.width - 2, height=62, rx=6, class_="empty"),
            words(self.width / 2, 37, fitted(text, self.width - 20), "label", "middle"),
        ]
        return self.done()

    def done(self, *, kind: str = "", links: bool = False, own_width: bool = False) -> Chart:
        """The chart; with ``links`` its parts can be reached one by one, else it is one image.

        ``own_width``: as wide as it was drawn, and not as wide as its place; its place scrolls then.
        """
        head = tag("title", escaped(self.title), id=f"{self.id}-title")
        head += tag("desc", escaped(self.description), id=f"{self.id}-desc")
        svg = tag(
            "svg",
            head,
            *self.parts,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {placed(self.width)} {placed(self.height)}",
            **({"width": placed(self.width), "height": placed(self.height)} if own_width else {}),
            class_=f"chart {kind}".strip(),
            role="group" if links else "img",
            aria_labelledby=f"{self.id}-title {self.id}-desc",
        )
        # Every word above went through ``escaped``, so the whole may stand in a page as it is.
        return Chart(Markup(svg), clean(self.title), clean(self.description), self.columns, self.rows)  # noqa: S704


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
