"""A record as its versions make it, in whatever order they come.

Each column has a register: its newest value, and the place of that version in the order (``version_at``, then
``recorded_at``, ``batch``, ``place``, ``message``: the order of current views). A whole version speaks of every
column, a partial one of those that it fills or clears. So the same versions always make the same record, and a
version that comes twice changes nothing.
"""

from __future__ import annotations

import msgspec

from xinglin.kernel.instants import Instant

COLUMNS = (
    "national_id", "insurance_id", "identifier", "identifier_system", "name", "family", "given", "phone",
    "address", "postal_code", "birth_date", "birth_year", "sex", "multiple_birth", "replaced_by", "status",
)  # fmt: skip
"""Columns of ``patient`` that the index looks at. Append-only: states keep their order."""
PLACES = {name: place for place, name in enumerate(COLUMNS)}
REPLACED_BY = PLACES["replaced_by"]

Value = str | int | None
Stamp = tuple[int, int, int, int, str, str]
"""``version_at``, ``recorded_at``, ``batch``, length of the place, place, message: greater is newer."""
OLDEST: Stamp = (-(2**62), 0, 0, 0, "", "")


class Version(msgspec.Struct, frozen=True):
    """One row of ``patient``. ``cleared``: places of columns that it empties. ``values``: by ``COLUMNS``."""

    patient: str
    stamp: Stamp
    partial: bool
    cleared: tuple[int, ...]
    values: tuple[Value, ...]

    def __repr__(self) -> str:
        """The key alone."""
        return f"Version({self.patient!r})"


class State(msgspec.Struct, frozen=True, array_like=True):
    """The registers of one record. ``at``: for each column the place of its stamp in ``stamps``; -1: never told.

    ``masters``: the record's person in each master index, by the index's name. Version 1; append-only.
    """

    values: tuple[Value, ...] = (None,) * len(COLUMNS)
    at: tuple[int, ...] = (-1,) * len(COLUMNS)
    stamps: tuple[Stamp, ...] = ()
    masters: dict[str, str] = {}
    format: int = 1

    def __repr__(self) -> str:
        """Without values."""
        return f"State({len(self.stamps)} stamps)"

    def stamp(self, place: int) -> Stamp:
        """The stamp of a column's value."""
        at = self.at[place]
        return OLDEST if at < 0 else self.stamps[at]

    def told_at(self, place: int) -> Instant:
        """``version_at`` of a column's value."""
        return self.stamp(place)[0]


NOTHING = State()


def fold(before: State, version: Version) -> State:
    """The record with one more version; ``before`` itself where it tells nothing new."""
    if not version.partial and not before.stamps:
        return State(version.values, (0,) * len(COLUMNS), (version.stamp,), before.masters)
    stamps = [before.stamp(place) for place in range(len(COLUMNS))]
    values = list(before.values)
    changed = False
    for place, value in enumerate(version.values):
        speaks = not version.partial or value is not None or place in version.cleared
        if speaks and version.stamp > stamps[place]:
            values[place], stamps[place], changed = value, version.stamp, True
    if not changed:
        return before
    known = tuple(sorted({stamp for stamp in stamps if stamp != OLDEST}))
    where = {stamp: at for at, stamp in enumerate(known)} | {OLDEST: -1}
    return State(tuple(values), tuple(where[stamp] for stamp in stamps), known, before.masters)
