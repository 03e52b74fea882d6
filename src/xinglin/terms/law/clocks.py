"""Clocks of permits: due dates by calendar months, prolonged at most as far as a pack says, and void while waiting."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo

from xinglin.kernel.instants import Instant
from xinglin.terms.law.errors import LawError
from xinglin.terms.law.model import Clock, Pack
from xinglin.terms.vocabulary import nearest

Wait = tuple[Instant, Instant | None]
"""From when until when the office waited for the applicant; ``None``: it still waits."""


def clock(pack: Pack, id_: str) -> Clock:
    """The clock of that id; ``LawError`` with the nearest one where there is none."""
    known = [one.id for one in pack.clocks]
    if id_ not in known:
        raise LawError(f"{pack.name} has no clock '{id_[:60]}'.", remedy=f"Use '{nearest(id_, known)}' or: {known}.")
    return next(one for one in pack.clocks if one.id == id_)


def due(
    one: Clock,
    begun: Instant,
    *,
    zone: tzinfo = UTC,
    prolonged: bool = False,
    accelerated: bool = False,
    waits: Iterable[Wait] = (),
) -> Instant | None:
    """When the step is due; ``None`` while the office waits (the due date is void until the answer).

    Calendar months end on the same day, or on the month's last; time waited is added. Raises ``LawError`` where the
    clock has no prolongation or no accelerated form.
    """
    if prolonged and not one.extension_months:
        raise LawError(f"'{one.id}' is not prolonged.", remedy="Decide in time.")
    if accelerated and not one.accelerated_months:
        raise LawError(f"'{one.id}' has no accelerated form.", remedy="Use the ordinary one.")
    months = one.accelerated_months if accelerated else one.months
    if prolonged:
        months += (one.accelerated_extension_months or one.extension_months) if accelerated else one.extension_months
    waited = _waited(begun, waits) if one.waits else 0
    if waited is None:
        return None
    begins = datetime.fromtimestamp(begun / 1000, zone)
    ends = add_months(begins, months) + timedelta(weeks=one.weeks)
    return round(ends.timestamp() * 1000) + waited


def _waited(begun: Instant, waits: Iterable[Wait]) -> int | None:
    """Milliseconds waited since ``begun``, times that overlap once; ``None`` while waiting."""
    waited, until = 0, begun
    for start, end in sorted(waits, key=lambda wait: wait[0]):
        if end is None:
            return None
        waited += max(0, end - max(start, until))
        until = max(until, end)
    return waited


def add_months(stamp: datetime, months: int) -> datetime:
    """The same time of day, so many months later, on the last day of a shorter month.

    >>> add_months(datetime(2027, 11, 30, tzinfo=UTC), 3).date().isoformat()
    '2028-02-29'
    """
    years, month = divmod(stamp.month - 1 + months, 12)
    year = stamp.year + years
    return stamp.replace(year=year, month=month + 1, day=min(stamp.day, calendar.monthrange(year, month + 1)[1]))
