"""A run's stations: a lane for each hospital, what is behind it, where it is, what is still to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from xinglin.console.charts.drawing import SHEET, Sheet, escaped, fitted, tag, wide, words
from xinglin.console.charts.model import CHART_MARKS, Chart, Say, english

State = Literal["done", "now", "next", "failed", "skipped"]
_SIGN: dict[str, str] = {"done": "M-4 0l3 3l5 -6", "failed": "M-4 -4l8 8m0 -8l-8 8", "skipped": "M-4 0h8"}


class Station(msgspec.Struct, frozen=True):
    """Where a lane may stand: how it is with this station, and what a pointer is told."""

    state: State
    told: str = ""


class Lane(msgspec.Struct, frozen=True):
    """A hospital's lane: one station a column, and a word on how long it has been there."""

    name: str
    stations: tuple[Station, ...]
    note: str = ""


def lanes(
    title: str,
    stations: Sequence[str],
    found: Sequence[Lane],
    *,
    named: str = "",
    description: str = "",
    say: Say = english,
) -> Chart:
    """Lanes by stations: a tick for done, a ring for now, a dot for next, a cross for failed, a dash for left out."""
    _ = say
    CHART_MARKS.check(len(stations) * len(found))
    state = {"done": _("done"), "now": _("now"), "next": _("next"), "failed": _("failed"), "skipped": _("left out")}
    rows = tuple((lane.name, *(state[one.state] for one in lane.stations), lane.note) for lane in found)
    told = description or "; ".join(f"{lane.name}: {_where(lane, stations, state)}" for lane in found)
    sheet = Sheet(title, told, (named or _("Hospital"), *stations, _("Note")), rows, height=52.0 * len(found) + 34)
    if not found or not stations:
        return sheet.empty(_("Nothing has started yet."))
    left = min(130.0, max(wide(lane.name) for lane in found) + 14)
    each = (SHEET - left - 4) / len(stations)
    for number, name in enumerate(stations):
        sheet.add(words(left + each * (number + 0.5), 16, fitted(name, each - 2, 10), "tick small", "middle", name))
    for at, lane in enumerate(found):
        _lane(sheet, lane, 44.0 + 52 * at, left, each)
    return sheet.done()


def _lane(sheet: Sheet, lane: Lane, y: float, left: float, each: float) -> None:
    sheet.add(words(4, y + 4, fitted(lane.name, left - 12), "label", told=lane.name))
    if lane.note:
        sheet.add(words(4, y + 25, fitted(lane.note, SHEET - 8, 10), "tick small", told=lane.note))
    for number, station in enumerate(lane.stations):
        x = left + each * (number + 0.5)
        if number:
            before = lane.stations[number - 1].state
            look = "rail done" if before == "done" and station.state != "next" else "rail"
            dashes = None if look == "rail done" else "3 3"
            sheet.add(tag("path", d=f"M{x - each + 11:.1f} {y:.1f}H{x - 11:.1f}", class_=look, stroke_dasharray=dashes))
        sheet.add(_station(station, x, y))


def _station(station: Station, x: float, y: float) -> str:
    told = tag("title", escaped(station.told)) if station.told else ""
    drawn = tag("circle", cx=x, cy=y, r=3 if station.state == "next" else 9, class_=f"station {station.state}")
    if station.state == "now":
        drawn += tag("circle", cx=x, cy=y, r=4, class_="station-dot")
    sign = _SIGN.get(station.state)
    if sign:
        drawn += tag("path", d=sign, transform=f"translate({x:.1f} {y:.1f})", class_="sign")
    return tag("g", told, drawn)


def _where(lane: Lane, stations: Sequence[str], state: dict[str, str]) -> str:
    for name, one in zip(reversed(stations), reversed(lane.stations), strict=False):
        if one.state in ("now", "failed", "done"):
            return f"{name}, {state[one.state]}"
    return state["next"]
