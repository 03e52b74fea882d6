"""Bars lying down, columns in groups, and histograms."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.console.charts.axes import Scale, bottom_axis, left_axis, scale_of
from xinglin.console.charts.drawing import SHEET, Sheet, coloured, fitted, tag, wide, words
from xinglin.console.charts.model import CHART_MARKS, CHART_SERIES, Chart, Say, english, finite, shown


class Bar(msgspec.Struct, frozen=True):
    """One bar; ``text`` is what stands at its end instead of the number; ``hidden`` ones have no value to show."""

    label: str
    value: float
    text: str = ""
    hidden: bool = False

    @property
    def said(self) -> str:
        """What stands at its end."""
        return self.text or shown(self.value)


class Group(msgspec.Struct, frozen=True):
    """A group of columns, one value a series, in the order of the series; ``None`` is a value that is not told."""

    label: str
    values: tuple[float | None, ...]


class Bin(msgspec.Struct, frozen=True):
    """One bar of a histogram: how many from ``low`` up to ``high``; ``None``: not told."""

    low: float
    high: float
    count: float | None


def bars(
    title: str, found: Sequence[Bar], *, counted: str = "", named: str = "", description: str = "", say: Say = english
) -> Chart:
    """Bars lying down, one a row: for names that are long, such as codes or hospitals."""
    _ = say
    CHART_MARKS.check(len(found))
    finite(*(one.value for one in found))
    rows = tuple((one.label, _("not shown") if one.hidden else one.said) for one in found)
    told = description or _bars_told(found, _)
    sheet = Sheet(title, told, (named or _("Name"), counted or _("Value")), rows, height=26.0 * len(found) + 12)
    if not found:
        return sheet.empty(_("There is nothing to show yet."))
    left = min(170.0, max(wide(one.label) for one in found) + 10)
    right = SHEET - min(110.0, max(wide(row[1]) for row in rows) + 12)
    known = [one.value for one in found if not one.hidden]
    scale = Scale(min([0.0, *known]), max([0.0, *known]) or 1.0, left, right)
    zero = scale.at(0)
    for number, (one, row) in enumerate(zip(found, rows, strict=True)):
        y = 6.0 + 26 * number
        sheet.add(words(left - 8, y + 16, fitted(one.label, left - 10), "label", "end", one.label))
        end = zero if one.hidden else scale.at(one.value)
        start, stop = min(zero, end), max(zero, end)
        if one.hidden:
            sheet.add(tag("rect", x=zero, y=y + 3, width=40, height=18, class_="held", fill=sheet.hatch()))
            stop = zero + 40
        else:
            width = max(stop - start, 1.5 if one.value else 0)
            sheet.add(tag("rect", x=start, y=y + 3, width=width, height=18, rx=2, class_="c1 fill"))
        sheet.add(words(stop + 6, y + 16, fitted(row[1], SHEET - stop - 8), "value", told=row[1]))
    sheet.add(tag("path", d=f"M{zero:.1f} 4V{sheet.height - 6:.1f}", class_="axis"))
    return sheet.done()


def columns(
    title: str,
    groups: Sequence[Group],
    series: Sequence[str],
    *,
    counted: str = "",
    named: str = "",
    description: str = "",
    say: Say = english,
) -> Chart:
    """Columns in groups, a colour and a texture for each series; a value not told is hatched."""
    _ = say
    CHART_SERIES.check(len(series))
    CHART_MARKS.check(len(groups) * len(series))
    known = [value for group in groups for value in group.values if value is not None]
    finite(*known)
    table = tuple((g.label, *(_("not shown") if v is None else shown(v) for v in g.values)) for g in groups)
    told = description or _("Groups: %(groups)s, each of %(series)s.", groups=len(groups), series=", ".join(series))
    sheet = Sheet(title, told, (named or _("Group"), *series), table, height=236)
    if not groups or not series:
        return sheet.empty(_("There is nothing to show yet."))
    top = 26.0 + (20 if len(series) > 1 else 0)
    scale, left, bottom = scale_of(known, 200, top, zero=True), 48.0, 200.0
    left_axis(sheet, scale, left, SHEET - 6, say=counted)
    if len(series) > 1:
        _legend(sheet, series, left, 30)
    room = (SHEET - 6 - left) / len(groups)
    each = min(34.0, room * 0.8 / len(series))
    for at, group in enumerate(groups):
        middle = left + room * (at + 0.5)
        start = middle - each * len(series) / 2
        for number, value in enumerate(group.values[: len(series)]):
            sheet.add(_column(sheet, scale, value, start + each * number, each * 0.9, number))
        sheet.add(words(middle, bottom + 17, fitted(group.label, room - 2), "tick", "middle", group.label))
    sheet.add(tag("path", d=f"M{left:.1f} {scale.at(0):.1f}H{SHEET - 6:.1f}", class_="axis"))
    return sheet.done()


def histogram(
    title: str, bins: Sequence[Bin], *, counted: str = "", unit: str = "", description: str = "", say: Say = english
) -> Chart:
    """How many of each range, side by side; a bin that is not told is hatched over the full height."""
    _ = say
    CHART_MARKS.check(len(bins))
    finite(*(edge for one in bins for edge in (one.low, one.high)))
    known = [one.count for one in bins if one.count is not None]
    finite(*known)
    table = tuple(
        (f"{shown(one.low)} – {shown(one.high)}", _("not shown") if one.count is None else shown(one.count))
        for one in bins
    )
    told = description or _(
        "Ranges: %(bins)s; the tallest has %(most)s.", bins=len(bins), most=shown(max(known, default=0))
    )
    sheet = Sheet(title, told, (unit or _("Range"), counted or _("Count")), table, height=246)
    if not bins:
        return sheet.empty(_("There is nothing to show yet."))
    tall = scale_of(known, 200, 24, zero=True)
    edges = [edge for one in bins for edge in (one.low, one.high)]
    low, high = min(edges), max(edges)
    across = Scale(low, high if high > low else low + abs(low) * 0.1 + 1, 48, SHEET - 12)
    left_axis(sheet, tall, 48, SHEET - 12, say=counted)
    for one in bins:
        x, end = across.at(one.low), across.at(one.high)
        y = 24.0 if one.count is None else tall.at(one.count)
        look = {"class_": "held", "fill": sheet.hatch()} if one.count is None else {"class_": "c1 fill"}
        height = max(200 - y, 0.5)
        sheet.add(tag("rect", x=x + 0.5, y=200 - height, width=max(end - x - 1, 0.5), height=height, **look))
    bottom_axis(sheet, across, 24, 200, say=unit)
    return sheet.done()


def _bars_told(found: Sequence[Bar], _: Say) -> str:
    known = [one for one in found if not one.hidden]
    if not known:
        return _("There is nothing to show yet.")
    most = max(known, key=lambda one: one.value)
    return _(
        "Bars: %(bars)s; the longest is %(name)s with %(value)s.", bars=len(found), name=most.label, value=most.said
    )


def _column(sheet: Sheet, scale: Scale, value: float | None, x: float, width: float, number: int) -> str:
    zero = scale.at(0)
    if value is None:
        return tag("rect", x=x, y=zero - 16, width=width, height=16, class_="held", fill=sheet.hatch())
    end = scale.at(value)
    y, height = min(zero, end), max(abs(zero - end), 1.0)
    drawn = tag("rect", x=x, y=y, width=width, height=height, class_=f"{coloured(number)} fill")
    return drawn + _texture(x, y, width, height, number)


def _texture(x: float, y: float, width: float, height: float, number: int) -> str:
    """Lines over a column, more of them the later its series: it is known without its colour."""
    gap = width / (number + 1)
    marks = "".join(f"M{x + gap * at:.1f} {y:.1f}v{height:.1f}" for at in range(1, number + 1))
    return tag("path", d=marks, class_="texture") if marks else ""


def _legend(sheet: Sheet, series: Sequence[str], x: float, y: float) -> None:
    room = (SHEET - x) / len(series)
    for number, name in enumerate(series):
        at = x + room * number
        sheet.add(tag("rect", x=at, y=y - 10, width=14, height=12, class_=f"{coloured(number)} fill"))
        sheet.add(_texture(at, y - 10, 14, 12, number))
        sheet.add(words(at + 19, y, fitted(name, room - 24, 11), "tick", told=name))
