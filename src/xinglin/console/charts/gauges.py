"""A budget as a bar with its forecast, and the days left until a date as a ring."""

from __future__ import annotations

import math

import msgspec

from xinglin.console.charts.drawing import Sheet, fitted, placed, tag, wide, words
from xinglin.console.charts.model import Chart, ChartError, Say, english, finite, shown

_WIDE = 340.0


class Budget(msgspec.Struct, frozen=True):
    """Of a cap, what is spent and what is set aside; ``forecast`` is what will be spent by the day that is told."""

    spent: float
    reserved: float
    cap: float
    forecast: float | None = None
    forecast_text: str = ""


def gauge(title: str, budget: Budget, *, unit: str = "", description: str = "", say: Say = english) -> Chart:
    """A bar of the cap: spent (filled), reserved (hatched), left (open), and a mark where the forecast stands.

    Amounts are not negative, in the same unit. Raises ``ChartError`` otherwise. More spent than the cap fills the bar.
    """
    _ = say
    finite(budget.spent, budget.reserved, budget.cap, *(() if budget.forecast is None else (budget.forecast,)))
    if min(budget.spent, budget.reserved, budget.cap, budget.forecast or 0.0) < 0:
        raise ChartError("A budget is below 0.", remedy="Give what is spent, reserved and allowed, each 0 or more.")
    left = max(0.0, budget.cap - budget.spent - budget.reserved)
    parts = ((_("spent"), budget.spent), (_("reserved"), budget.reserved), (_("left"), left), (_("cap"), budget.cap))
    rows = tuple((name, f"{shown(value)} {unit}".strip()) for name, value in parts)
    if budget.forecast is not None:
        rows += ((_("forecast"), budget.forecast_text or f"{shown(budget.forecast)} {unit}".strip()),)
    told = description or "; ".join(f"{name} {said}" for name, said in rows)
    sheet = Sheet(title, told, (_("Part"), _("Amount")), rows, height=76, width=_WIDE)
    spent, held = _share(budget.spent, budget.cap), _share(budget.reserved, budget.cap)
    held = min(held, 1 - spent)
    start, room = 4.0, _WIDE - 8
    look = "bad" if spent >= 0.9 else "warn" if spent + held >= 0.75 else "good"
    sheet.add(tag("rect", x=start, y=24, width=room, height=20, rx=4, class_="trough"))
    if spent:
        sheet.add(tag("rect", x=start, y=24, width=max(room * spent, 1), height=20, rx=4, class_=f"{look} fill"))
    if held:
        place = {"x": start + room * spent, "y": 24.0, "width": max(room * held, 1), "height": 20.0}
        sheet.add(tag("rect", **place, class_=f"{look} tint"), tag("rect", **place, class_="held", fill=sheet.hatch()))
    if budget.forecast is not None:
        _forecast(sheet, start + room * _share(budget.forecast, budget.cap), rows[-1][1])
    sheet.add(words(start, 64, f"{_('spent')} {rows[0][1]}", "tick strong"))
    sheet.add(words(_WIDE / 2, 64, f"{_('reserved')} {rows[1][1]}", "tick", "middle"))
    sheet.add(words(_WIDE - 4, 64, f"{_('left')} {rows[2][1]}", "tick strong", "end"))
    return sheet.done()


def ring(title: str, left_days: float, of_days: float, *, description: str = "", say: Say = english) -> Chart:
    """The days left of so many as a ring that empties, the number in it; past the date it is full and says so."""
    _ = say
    finite(left_days, of_days)
    late = left_days < 0
    number = math.ceil(abs(left_days)) if abs(left_days) < 1e9 else 999_999_999
    words_ = _("%(days)s days late", days=number) if late else _("%(days)s days left", days=number)
    sheet = Sheet(title, description or words_, (_("What"), _("Days")), ((title, words_),), width=72, height=72)
    share = 1.0 if late else _share(left_days, of_days)
    look = "bad" if late or share <= 0.15 else "warn" if share <= 0.4 else "good"
    sheet.add(tag("circle", cx=36, cy=36, r=29, class_="dial trough"))
    around = 2 * math.pi * 29
    if share > 0:
        turned = f"{placed(around * share)} {placed(around * (1 - share) + 1)}"
        sheet.add(
            tag(
                "circle",
                cx=36,
                cy=36,
                r=29,
                class_=f"dial {look} stroke",
                stroke_dasharray=turned,
                transform="rotate(-90 36 36)",
            )
        )
    said = f"{'+' if late else ''}{number}"
    sheet.add(words(36, 41, fitted(said, 46, 18), "number", "middle"))
    sheet.add(words(36, 54, fitted(_("late") if late else _("days"), 40, 10), "tick small", "middle"))
    return sheet.done(kind="ring-chart")


def _share(part: float, whole: float) -> float:
    if part <= 0:
        return 0.0
    return 1.0 if whole <= part else min(1.0, part / whole)


def _forecast(sheet: Sheet, x: float, said: str) -> None:
    room = wide(said, 11) / 2
    at = min(max(x, room + 4), _WIDE - room - 4)
    sheet.add(tag("path", d=f"M{x:.1f} 20V48", class_="forecast", stroke_dasharray="3 2"))
    sheet.add(tag("path", d=f"M{x - 5:.1f} 16h10l-5 7z", class_="mark"))
    sheet.add(words(at, 12, fitted(said, _WIDE - 8, 11), "tick", "middle"))
