"""A cross table as a picture: darker is more, and what may not be shown is hatched with its rule."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.console.charts.drawing import SHEET, Sheet, fitted, tag, wide, words
from xinglin.console.charts.model import CHART_MARKS, Chart, ChartError, Say, english, finite, shown


class Cell(msgspec.Struct, frozen=True):
    """A cell: its value, or ``None`` and the rule that hides it."""

    value: float | None
    rule: str = ""
    text: str = ""


def heat(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    *,
    named: str = "",
    description: str = "",
    say: Say = english,
) -> Chart:
    """A cross table, ``cells[row][column]``; every value is written in its cell, every hidden one names its rule."""
    _ = say
    if len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        raise ChartError("The cells do not fit the table.", remedy="Give a cell for each row and column.")
    CHART_MARKS.check(len(rows) * len(columns))
    known = [cell.value for row in cells for cell in row if cell.value is not None]
    finite(*known)
    hidden = len(rows) * len(columns) - len(known)
    table = tuple((name, *(_said(cell, _) for cell in row)) for name, row in zip(rows, cells, strict=True))
    told = description or _("Cells: %(cells)s, of which hidden: %(hidden)s.", cells=len(known) + hidden, hidden=hidden)
    left = min(130.0, max((wide(name) for name in rows), default=0) + 12)
    width = max(SHEET, left + 54 * len(columns) + 4)
    sheet = Sheet(title, told, (named or "", *columns), table, width=width, height=30.0 * len(rows) + 32)
    if not rows or not columns:
        return sheet.empty(_("There is nothing to show yet."))
    each, most = (width - left - 4) / len(columns), max((abs(value) for value in known), default=0.0)
    for number, name in enumerate(columns):
        sheet.add(words(left + each * (number + 0.5), 18, fitted(name, each - 4, 11), "tick", "middle", name))
    for at, (name, row) in enumerate(zip(rows, cells, strict=True)):
        y = 26.0 + 30 * at
        sheet.add(words(left - 8, y + 19, fitted(name, left - 10), "label", "end", name))
        for number, cell in enumerate(row):
            sheet.add(_drawn(sheet, cell, left + each * number, y, each, most, _))
    return sheet.done()


def _drawn(sheet: Sheet, cell: Cell, x: float, y: float, each: float, most: float, _: Say) -> str:
    place = {"x": x + 1, "y": y + 1, "width": each - 2, "height": 28.0}
    told = _said(cell, _)
    if cell.value is None:
        box = tag("rect", **place, rx=2, class_="held", fill=sheet.hatch())
        return box + words(
            x + each / 2, y + 19, fitted(cell.rule or "×", each - 6, 11), "value on-hatch", "middle", told
        )
    level = round(abs(cell.value) / most * 6) if most else 0
    box = tag("rect", **place, rx=2, class_=f"heat-{level}")
    return box + words(x + each / 2, y + 19, fitted(told, each - 4), f"value on-heat-{level}", "middle", told)


def _said(cell: Cell, _: Say) -> str:
    if cell.value is not None:
        return cell.text or shown(cell.value)
    return _("hidden by %(rule)s", rule=cell.rule) if cell.rule else _("hidden")
