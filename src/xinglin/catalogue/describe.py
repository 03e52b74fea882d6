"""A table's public description out of its profile: what is safe to say, and nothing rarer.

Levels are published when at least ``min_persons`` persons have them. A range is the one that is declared for its
column (``FIXED_RANGES``); else its ends are numbers that at least ``min_persons`` persons reach, rounded outward to
1, 2 or 5 times a power of ten. Neither a rare code nor an extreme value is told: whatever fewer persons than that
have beyond the ends, the range is the same.
"""

from __future__ import annotations

import math

from xinglin.catalogue.canonical import CanonicalColumn, CanonicalTable, PhysicalColumn
from xinglin.catalogue.canonical_levels import FIXED_LEVELS, FIXED_RANGES
from xinglin.catalogue.grading import suggest_grade
from xinglin.catalogue.model import ColumnDescription, TableDescription
from xinglin.catalogue.profile import ColumnProfile, TableProfile

MIN_PERSONS = 10
SMALLEST_POWER = -12
"""No range is told more finely than to this power of ten."""
WORDS_OF_PEOPLE = ("note", "body", "title", "conclusion", "frequency_text", "range_text")
"""Columns that hold what somebody wrote: never published, however often a text comes again."""
_STAFF = "staff.id"
"""Columns whose words name this hold a key of somebody who works here: however many patients they have, a person's."""
CODE_PARTS = ("system", "loss")
"""Parts of a concept that are published beside the code; the source's own words never are."""


def describe_canonical(
    table: CanonicalTable, profile: TableProfile, *, min_persons: int = MIN_PERSONS, grade: str = "L2"
) -> TableDescription | None:
    """The description of a canonical table's current view; ``None`` where it has nothing to publish.

    Identifiers, free text and the system columns are left out, the patient key apart. Columns without a value
    of ``min_persons`` persons are left out.
    """
    if not table.of_person or profile.persons < min_persons:
        return None
    columns = [ColumnDescription("patient", "text", "person", words="the hospital's own key of a person")]
    for logical in table.columns:
        if not _fact(logical):
            continue
        for part in logical.physical():
            found = profile.column(part.name)
            if found is None or not _publishable(logical, part.name):
                continue
            described = _column(table.name, logical, found, min_persons)
            if described is not None:
                columns.append(described)
    if len(columns) == 1:
        return None
    return TableDescription(table.name, tuple(columns), "patient", grade, table.words)


def publishable(table: CanonicalTable) -> tuple[PhysicalColumn, ...]:
    """The columns that a description looks at: facts, without identifiers and without the source's own words."""
    return tuple(
        part
        for logical in table.columns
        if _fact(logical)
        for part in logical.physical()
        if _publishable(logical, part.name)
    )


def _fact(logical: CanonicalColumn) -> bool:
    """No identifier, no free text, nobody of the staff."""
    return logical.role == "data" and logical.name not in WORDS_OF_PEOPLE and _STAFF not in logical.words


def _publishable(logical: CanonicalColumn, part: str) -> bool:
    """The standard code and its system; no source code, no zone, no precision, no text of a note."""
    suffix = part.removeprefix(logical.name).lstrip("_")
    return suffix == "" or (logical.kind in ("concept", "coded") and suffix in CODE_PARTS)


def _column(table: str, logical: CanonicalColumn, found: ColumnProfile, min_persons: int) -> ColumnDescription | None:
    fixed = FIXED_LEVELS.get((table, found.name))
    if fixed is not None:
        return ColumnDescription(found.name, "category", levels=fixed, words=logical.words)
    bounds = FIXED_RANGES.get((table, found.name))
    if bounds is not None:
        kind = "integer" if found.holds == "integer" else "number"
        return ColumnDescription(found.name, kind, low=bounds[0], high=bounds[1], words=logical.words)
    if found.persons < min_persons:
        return None
    coded = logical.kind in ("concept", "coded")
    return describe_column(found, min_persons=min_persons, words=logical.words, coded=coded)


def describe_column(
    found: ColumnProfile, *, min_persons: int = MIN_PERSONS, words: str = "", coded: bool = False
) -> ColumnDescription | None:
    """A data column by its profile, or ``None`` where nothing of it may be told.

    ``coded``: its texts are codes of a code system (long numbers in SNOMED CT), whatever they look like.
    """
    if found.holds == "boolean":
        return ColumnDescription(found.name, "boolean", words=words)
    if found.holds in ("date", "instant"):
        return ColumnDescription(found.name, found.holds, words=words)
    if found.holds in ("integer", "number"):
        ends = found.reached(min_persons)
        if ends is None:
            return None
        low, high = outward(*ends)
        return ColumnDescription(found.name, found.holds, low=low, high=high, words=words)
    safe = suggest_grade(TableProfile("", found.filled, found.persons, (found,)), found, min_persons=min_persons)
    levels = tuple(sorted(level.value for level in found.levels if level.persons >= min_persons and level.value))
    if not levels or (safe.role != "data" and not coded):
        return None
    return ColumnDescription(found.name, "category", levels=levels, words=words)


def outward(low: float, high: float) -> tuple[float, float]:
    """The range rounded outward to 1, 2 or 5 times a power of ten; from 0 where nothing is negative.

    >>> outward(3.0, 137.2)
    (0.0, 200.0)
    >>> outward(-7.0, 0.0)
    (-10.0, 0.0)
    """
    top, bottom = _round_up(high) if high > 0 else 0.0, -_round_up(-low) if low < 0 else 0.0
    return (bottom, top) if bottom < top else (bottom, bottom + 1.0)


def _round_up(value: float) -> float:
    power = 10.0 ** max(math.floor(math.log10(value)), SMALLEST_POWER)
    found = next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-12))
    return float(round(found)) if found >= 1 else found
