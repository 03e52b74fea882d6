"""Lines over a number or time, survival curves with their band, and the small line beside a number."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.console.charts.axes import Scale, bottom_axis, left_axis, scale_of
from xinglin.console.charts.drawing import DASHES, MARKERS, SHEET, Sheet, coloured, fitted, marker, tag, wide, words
from xinglin.console.charts.model import CHART_MARKS, CHART_SERIES, Chart, Say, english, finite, shown


class Mark(msgspec.Struct, frozen=True):
    """One point of a line."""

    x: float
    y: float


class Line(msgspec.Struct, frozen=True):
    """A series: its points in the order they are joined."""

    name: str
    points: tuple[Mark, ...]


class Step(msgspec.Struct, frozen=True):
    """One step of a survival curve: from ``time`` on this share survives, of ``at_risk`` people, in its band."""

    time: float
    survival: float
    low: float
    high: float
    at_risk: float | None = None


def lines(
    title: str,
    series: Sequence[Line],
    *,
    across: str = "",
    counted: str = "",
    description: str = "",
    zero: bool = False,
    whole: bool = False,
    say: Say = english,
) -> Chart:
    """Lines over a number; each has a dash and a marker of its own, and is named in the legend.

    ``whole``: what it is over is counted, such as runs: ticks under it stand at whole numbers alone.
    """
    _ = say
    points = [one for line in series for one in line.points]
    CHART_SERIES.check(len(series))
    CHART_MARKS.check(len(points))
    finite(*(value for one in points for value in (one.x, one.y)))
    table = tuple((line.name, shown(one.x), shown(one.y)) for line in series for one in line.points)
    heads = (_("Series"), across or _("At"), counted or _("Value"))
    told = description or _("Lines: %(names)s.", names=", ".join(line.name for line in series))
    sheet = Sheet(title, told, heads, table, height=256)
    if not points:
        return sheet.empty(_("There is nothing to show yet."))
    top = _legend(sheet, [line.name for line in series])
    tall = scale_of((one.y for one in points), 206, top, zero=zero)
    wide_ = Scale(min(one.x for one in points), max(one.x for one in points), 52, SHEET - 12, whole=whole)
    left_axis(sheet, tall, 52, SHEET - 12, say=counted)
    for number, line in enumerate(series):
        path = "".join(
            f"{'L' if at else 'M'}{wide_.at(one.x):.1f} {tall.at(one.y):.1f}" for at, one in enumerate(line.points)
        )
        if path:
            sheet.add(_stroke(path, number))
        if len(line.points) <= 40:
            shape = MARKERS[number % 6]
            sheet.add(*(marker(shape, wide_.at(p.x), tall.at(p.y), coloured(number), 3) for p in line.points))
    bottom_axis(sheet, wide_, top, 206, say=across)
    return sheet.done()


def survival(
    title: str,
    groups: Sequence[tuple[str, Sequence[Step]]],
    *,
    across: str = "",
    counted: str = "",
    description: str = "",
    say: Say = english,
) -> Chart:
    """Kaplan-Meier curves: steps, the band of confidence, and the number at risk under the axis.

    A curve starts at 1 at time 0. Shares and bands lie from 0 to 1; ``at_risk`` of None is not told.
    """
    _ = say
    steps = [step for _name, found in groups for step in found]
    CHART_SERIES.check(len(groups))
    CHART_MARKS.check(len(steps))
    finite(*(value for one in steps for value in (one.time, one.survival, one.low, one.high)))
    heads = (_("Group"), across or _("Time"), _("Surviving"), _("Low"), _("High"), _("At risk"))
    told = description or _("Survival of %(names)s.", names=", ".join(name for name, _steps in groups))
    height = 262.0 + (22 + 16 * len(groups) if steps else 0)
    sheet = Sheet(title, told, heads, _survival_rows(groups, _), height=height)
    if not steps:
        return sheet.empty(_("There is nothing to show yet."))
    top = _legend(sheet, [name for name, _steps in groups])
    left = min(120.0, max(52.0, *(wide(name, 11) + 26 for name, _steps in groups)))
    tall = Scale(0.0, 1.0, 206, top)
    over = Scale(min(0.0, *(one.time for one in steps)), max(one.time for one in steps), left, SHEET - 16)
    left_axis(sheet, tall, left, SHEET - 14, say=counted)
    for number, (_name, found) in enumerate(groups):
        sheet.add(tag("path", d=_band(found, over, tall), class_=f"{coloured(number)} band"))
    for number, (_name, found) in enumerate(groups):
        sheet.add(_stroke(_stairs([(one.time, one.survival) for one in found], over, tall), number))
    bottom_axis(sheet, over, top, 206, say=across)
    _at_risk(sheet, groups, over, left, 262, _("Number at risk"))
    return sheet.done()


def spark(title: str, values: Sequence[float], *, description: str = "", say: Say = english) -> Chart:
    """A line as high as a line of text, the newest value marked; its numbers stand in the table behind it."""
    _ = say
    CHART_MARKS.check(len(values))
    finite(*values)
    rows = tuple((str(number), shown(value)) for number, value in enumerate(values, 1))
    told = description or (
        _("Newest: %(value)s.", value=shown(values[-1])) if values else _("There is nothing to show yet.")
    )
    sheet = Sheet(title, told, (_("Number"), _("Value")), rows, width=120, height=28)
    if not values:
        sheet.add(tag("path", d="M4 14H116", class_="grid", stroke_dasharray="2 3"))
        return sheet.done(kind="spark")
    tall, over = scale_of(values, 24, 4), Scale(0, max(1, len(values) - 1), 4, 112)
    path = "".join(f"{'L' if at else 'M'}{over.at(at):.1f} {tall.at(value):.1f}" for at, value in enumerate(values))
    sheet.add(tag("path", d=path, class_="c1 stroke"))
    sheet.add(marker("circle", over.at(len(values) - 1), tall.at(values[-1]), "c1", 3))
    return sheet.done(kind="spark")


def _stroke(path: str, number: int) -> str:
    return tag("path", d=path, class_=f"{coloured(number)} stroke", stroke_dasharray=DASHES[number % 6] or None)


def _legend(sheet: Sheet, names: Sequence[str]) -> float:
    """Draw the legend, two names a row, and say where the plot begins."""
    if len(names) < 2:
        return 24.0
    for number, name in enumerate(names):
        x, y = 52.0 + 184 * (number % 2), 30.0 + 18 * (number // 2)
        sheet.add(_stroke(f"M{x:.1f} {y - 4:.1f}h26", number))
        sheet.add(marker(MARKERS[number % 6], x + 13, y - 4, coloured(number), 3))
        sheet.add(words(x + 33, y, fitted(name, 146, 11), "tick", told=name))
    return 44.0 + 18 * ((len(names) - 1) // 2)


def _stairs(points: Sequence[tuple[float, float]], over: Scale, tall: Scale) -> str:
    path = f"M{over.at(0):.1f} {tall.at(1):.1f}"
    return path + "".join(f"H{over.at(time):.1f}V{tall.at(share):.1f}" for time, share in points)


def _band(steps: Sequence[Step], over: Scale, tall: Scale) -> str:
    if not steps:
        return "M0 0"
    upper = _stairs([(one.time, one.high) for one in steps], over, tall)
    back = f"V{tall.at(steps[-1].low):.1f}"
    for one, before in zip(reversed(steps), [*reversed(steps[:-1]), None], strict=True):
        back += f"H{over.at(one.time):.1f}V{tall.at(before.low if before else 1):.1f}"
    return f"{upper}{back}Z"


def _survival_rows(groups: Sequence[tuple[str, Sequence[Step]]], _: Say) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            name,
            shown(one.time),
            f"{one.survival:.3f}",
            f"{one.low:.3f}",
            f"{one.high:.3f}",
            _("not shown") if one.at_risk is None else shown(one.at_risk),
        )
        for name, found in groups
        for one in found
    )


def _at_risk(
    sheet: Sheet, groups: Sequence[tuple[str, Sequence[Step]]], over: Scale, left: float, top: float, head: str
) -> None:
    """Under each tick, how many of each group were still followed just before it."""
    sheet.add(words(4, top, head, "tick strong"))
    for number, (name, found) in enumerate(groups):
        y = top + 18 + 16 * number
        sheet.add(words(4, y, fitted(name, left - 20, 11), "tick", told=name))
        for tick in over.ticks():
            later = next((one for one in found if one.time >= tick), None)
            said = shown(later.at_risk) if later and later.at_risk is not None else "–"
            sheet.add(words(over.at(tick), y, said, "tick", "middle"))
