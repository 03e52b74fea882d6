"""Rows that hospitals hand over, as they are followed: a lane for each hospital, and whom it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from xinglin.console.charts import Chart, Lane, Station, lanes
from xinglin.words import N_

if TYPE_CHECKING:
    from xinglin.console.calls.handed_rows import HandedLine, HandedShown
    from xinglin.console.visit import Visit

_DAY_MS = 86_400_000
_BROKEN = {"refused": 1, "withheld": 2, "ended": 1, "recalled": -2, "cancelled": -2, "dropped": -1}
"""At which station it ended; counted from the last one where it is below 0."""
NOTES = {
    "asked": N_("asked; it decides by its own rules"),
    "working": N_("makes it"),
    "held": N_("two persons of the hospital look at it; how they vote is not told"),
    "delivered": N_("sealed; it waits to be fetched"),
    "taken": N_("fetched and verified"),
    "refused": N_("said no"),
    "withheld": N_("nothing leaves: a rule or a person said no"),
    "ended": N_("ended without anything"),
    "cancelled": N_("was not wanted any more"),
    "dropped": N_("waited too long at the hub, which deleted it"),
    "recalled": N_("took it back before it was fetched"),
}
_HELD_OF_EXTRACT = 2


def lanes_of(visit: Visit, shown: HandedShown, stations: Sequence[str]) -> Chart:
    """A lane for each hospital that was asked at once."""
    _ = visit.words.text
    told = tuple(_(one) for one in stations)
    found = [Lane(one.hospital, _stations(one, told), _(NOTES[one.view.state])) for one in shown.beside]
    return lanes(_("Where each hospital is"), told, found, say=_)


def waiting_of(visit: Visit, shown: HandedShown) -> tuple[str, str]:
    """Who has to act now on this one, and why it waits, in a sentence; both empty where it is over."""
    _ = visit.words.text
    line, view = shown.line, shown.view
    day = visit.words.number(max(0, visit.now - view.asked) // _DAY_MS + 1)
    if view.state in ("asked", "working"):
        return line.hospital, _("Day %(day)s: %(who)s decides by its rules and makes it; it goes on by itself.",
                                day=day, who=line.hospital)  # fmt: skip
    if view.state == "held":
        return (
            _("two persons of %(who)s, blind to each other", who=line.hospital),
            _("Day %(day)s: two persons of %(who)s look at it before it leaves. Both have to be for it.",
              day=day, who=line.hospital),
        )  # fmt: skip
    if view.state == "delivered":
        return line.recipient, _("It is sealed to %(who)s and waits to be fetched.", who=line.recipient)
    if view.state == "dropped":
        return visit.seat.label if visit.seat else "", _("The hub deleted it; the hospital can hand it over once more.")
    return "", ""


def _stations(line: HandedLine, names: Sequence[str]) -> tuple[Station, ...]:
    last, state = len(names) - 1, line.view.state
    broken = _BROKEN.get(state)
    held = min(_HELD_OF_EXTRACT, last - 2)
    at = {"asked": 0, "working": 1, "held": held, "delivered": last, "taken": last + 1}.get(state, 0)
    if broken is not None:
        at = min(broken, last - 1) if broken >= 0 else last + 1 + broken
    found = []
    for number, name in enumerate(names):
        told = f"{line.hospital}: {name}"
        if number < at:
            found.append(Station("done", told))
        elif broken is not None:
            stopped = number == at and state != "cancelled"
            found.append(Station("failed" if stopped else "skipped", told))
        else:
            found.append(Station("now" if number == at else "next", told))
    return tuple(found)
