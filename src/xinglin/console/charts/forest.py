"""Coefficients with their intervals, one a line, on a plain or a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.console.charts.axes import bottom_axis, scale_of
from xinglin.console.charts.drawing import SHEET, Sheet, fitted, marker, tag, wide, words
from xinglin.console.charts.model import CHART_MARKS, Chart, ChartError, Say, english, finite, shown


class Estimate(msgspec.Struct, frozen=True):
    """An estimate and its interval; on a logarithmic axis all three are above 0 (odds or hazard ratios)."""

    label: str
    value: float
    low: float
    high: float
    text: str = ""

    @property
    def said(self) -> str:
        """The estimate and its interval in figures."""
        return self.text or f"{self.value:.3g} ({self.low:.3g} – {self.high:.3g})"


def forest(
    title: str,
    found: Sequence[Estimate],
    *,
    log: bool = False,
    across: str = "",
    named: str = "",
    description: str = "",
    say: Say = english,
) -> Chart:
    """A forest plot: a square at each estimate, a line over its interval, and the line of no effect (0, or 1 if log).

    An interval that holds the line of no effect has a hollow mark. Raises ``ChartError`` for a ratio not above 0.
    """
    _ = say
    CHART_MARKS.check(len(found))
    values = [value for one in found for value in (one.value, one.low, one.high)]
    finite(*values)
    if log and any(value <= 0 for value in values):
        raise ChartError("A ratio is not above 0.", remedy="Give ratios, or draw it on a plain axis.")
    rows = tuple((one.label, shown(one.value), shown(one.low), shown(one.high)) for one in found)
    told = description or _("Estimates with their intervals: %(count)s.", count=len(found))
    height = 34.0 * len(found) + 56
    sheet = Sheet(title, told, (named or _("Name"), _("Estimate"), _("Low"), _("High")), rows, height=height)
    if not found:
        return sheet.empty(_("There is nothing to show yet."))
    none, bottom = (1.0 if log else 0.0), 34.0 * len(found) + 12
    left = min(140.0, max(wide(one.label) for one in found) + 12)
    scale = scale_of([*values, none], left, SHEET - 14, log=log)
    bottom_axis(sheet, scale, 8, bottom, say=across, grid=True)
    sheet.add(tag("path", d=f"M{scale.at(none):.1f} 8V{bottom:.1f}", class_="axis", stroke_dasharray="4 3"))
    for number, one in enumerate(found):
        y = 20.0 + 34 * number
        x, start, end = scale.at(one.value), scale.at(one.low), scale.at(one.high)
        sheet.add(words(left - 8, y + 8, fitted(one.label, left - 10), "label", "end", one.label))
        sheet.add(
            tag(
                "path",
                d=f"M{start:.1f} {y:.1f}H{end:.1f}M{start:.1f} {y - 4:.1f}v8M{end:.1f} {y - 4:.1f}v8",
                class_="c1 stroke",
            )
        )
        holds = one.low <= none <= one.high
        sheet.add(
            tag("rect", x=x - 4, y=y - 4, width=8, height=8, class_="c1 hollow")
            if holds
            else marker("square", x, y, "c1")
        )
        sheet.add(
            words(
                min(max(x, left + 60), SHEET - 76),
                y + 17,
                fitted(one.said, SHEET - left - 20, 11),
                "tick halo",
                "middle",
            )
        )
    return sheet.done()
