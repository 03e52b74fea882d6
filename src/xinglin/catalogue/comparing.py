"""Two to five data sets side by side: variables, coverage, grade, terms, quality."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinglin.catalogue.eligible import Standing, StudyFacts, standing
from xinglin.catalogue.entry import CatalogueEntry, EntryVariable
from xinglin.catalogue.errors import CatalogueError
from xinglin.catalogue.search_words import concepts_of, synonyms
from xinglin.terms.evaluate import Asked, compile_policy
from xinglin.terms.policy import Policy
from xinglin.terms.purposes import PURPOSES

FEWEST, MOST = 2, 5


class BadComparison(CatalogueError):
    """Fewer or more data sets than stand side by side, or one twice."""

    code = "catalogue.bad_comparison"


class Column(msgspec.Struct, frozen=True):
    """One data set of a comparison: what is said of it as a whole."""

    entry_id: str
    title: str
    institution: str
    grade: str
    region: str
    custody: str
    persons: int
    records: int
    first_month: str
    last_month: str
    quality: dict[str, int]
    population: dict[str, dict[str, int]]
    purposes: tuple[str, ...]
    duties: tuple[str, ...]
    restricted: bool
    origin: str
    standing: Standing | None = None


class Row(msgspec.Struct, frozen=True):
    """One variable across all: ``cells`` in the order of the data sets, ``None`` where one has it not.

    ``differs``: what those that have it do not agree on: kind, unit, range, levels or grade.
    """

    variable: str
    words: str
    words_zh: str
    cells: tuple[EntryVariable | None, ...]
    shared: bool
    differs: tuple[str, ...]


class Comparison(msgspec.Struct, frozen=True):
    """Data sets side by side; ``from_month`` to ``to_month``: the time that all of them cover, empty where none."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    shared: int
    from_month: str = ""
    to_month: str = ""


def compare(entries: Sequence[CatalogueEntry], study: StudyFacts | None = None) -> Comparison:
    """The comparison, shared variables first; raises ``BadComparison``."""
    if not FEWEST <= len(entries) <= MOST or len({one.entry_id for one in entries}) != len(entries):
        raise BadComparison(
            f"{len(entries)} data sets were named.", remedy=f"Name {FEWEST} to {MOST} different data sets."
        )
    by_name: list[dict[str, EntryVariable]] = [_named(entry) for entry in entries]
    names = sorted({name for found in by_name for name in found})
    rows = [_row(name, tuple(found.get(name) for found in by_name)) for name in names]
    rows.sort(key=lambda row: (-sum(cell is not None for cell in row.cells), row.variable))
    first, last = max(one.first_month for one in entries), min(one.last_month for one in entries)
    covered = all(one.first_month and one.last_month for one in entries) and first <= last
    return Comparison(
        tuple(_column(entry, study) for entry in entries),
        tuple(rows),
        sum(row.shared for row in rows),
        first if covered else "",
        last if covered else "",
    )


def _named(entry: CatalogueEntry) -> dict[str, EntryVariable]:
    """Variables by the one concept that they name, else by their own name."""
    found: dict[str, EntryVariable] = {}
    for one in entry.variables:
        meant = concepts_of(one.name)
        name = meant[0] if len(meant) == 1 else one.name.lower()
        key = name if name not in found else f"{one.table}.{one.name}".lower()
        found[key] = one
    return found


def _row(name: str, cells: tuple[EntryVariable | None, ...]) -> Row:
    there = [cell for cell in cells if cell is not None]
    facts: dict[str, set[object]] = {
        "kind": {one.kind for one in there},
        "unit": {one.unit for one in there},
        "range": {(one.low, one.high) for one in there},
        "levels": {one.levels for one in there},
        "grade": {one.grade for one in there},
    }
    differs = tuple(what for what, values in facts.items() if len(values) > 1)
    return Row(name, *synonyms().label(name), cells, len(there) == len(cells), differs)


def _column(entry: CatalogueEntry, study: StudyFacts | None) -> Column:
    return Column(
        entry.entry_id,
        entry.title,
        entry.institution,
        entry.grade,
        entry.region,
        entry.custody,
        entry.persons,
        entry.records,
        entry.first_month,
        entry.last_month,
        entry.quality,
        entry.population,
        _purposes(entry.policy),
        _duties(entry.policy),
        entry.restricted,
        entry.origin,
        standing(entry.policy, entry.grade, study) if study is not None else None,
    )


def _purposes(policy: Policy | None) -> tuple[str, ...]:
    if policy is None:
        return ()
    judged = compile_policy(policy)
    known = [one for one in PURPOSES.values() if not one.prohibited and one.code != "disease-research"]
    return tuple(one.code for one in known if judged.prospect(Asked("statistics", {"purpose": one.code})))


def _duties(policy: Policy | None) -> tuple[str, ...]:
    if policy is None:
        return ()
    owed = [*policy.duties, *(duty for one in policy.permissions for duty in one.duties)]
    return tuple(sorted({one.action for one in owed}))
