"""Counts tables for a data set's public statement, inside the hospital: profiles, bins, months, population."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from xinglin.catalogue.canonical import PhysicalColumn
from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.describe import publishable
from xinglin.catalogue.grading import GradeSuggestion, suggest_grade
from xinglin.catalogue.model import DataSetDescription, TableDescription
from xinglin.catalogue.profile import LevelCount, TableProfile
from xinglin.catalogue.statement import AGE_BAND_YEARS, BINS, OLDEST_BAND, BinCount, Measured, Population
from xinglin.kernel.instants import Instant
from xinglin.lake.consenting import kept_where
from xinglin.lake.current import PERSON_LINK
from xinglin.lake.delta import Lake
from xinglin.lake.model import NIGHTLY
from xinglin.lake.profiling import Ask, counted, profile_relation
from xinglin.lake.quality_days import MOMENTS
from xinglin.lake.reading import read_current
from xinglin.terms.consent import PersonFilter

_HOLDS = {"integer": "integer", "number": "number", "date": "date", "instant": "instant", "boolean": "boolean"}


class Counted(msgspec.Struct, frozen=True):
    """Everything that a statement is made of; never leaves the hospital."""

    measured: dict[str, Measured]
    population: Population | None
    suggestions: dict[str, tuple[GradeSuggestion, ...]]


def count_for_statement(
    lake: Lake, description: DataSetDescription, at: Instant, persons: PersonFilter | None = None
) -> Counted:
    """Profiles of the described tables that the lake has, and the population of ``patient``.

    ``persons``: whose rows are counted; everybody's where nothing is given.
    """
    allowed = persons or PersonFilter()
    held = set(lake.names())
    tables = [table for table in description.tables if table.name in held]
    measured: dict[str, Measured] = {}
    suggestions: dict[str, tuple[GradeSuggestion, ...]] = {}
    names = [table.name for table in tables] + (["patient"] if "patient" in held else [])
    if not names:
        return Counted({}, None, {})
    if not allowed.lets_everybody and PERSON_LINK in held:
        names.append(PERSON_LINK)
    population = None
    with read_current(lake, lake.pin_newest(names), NIGHTLY, persons=allowed) as session:
        for table in tables:
            stored = set(session.columns(table.name))
            columns = [one for one in _columns(table) if one.name in stored]
            listed = ", ".join(f'"{one.name}"' for one in columns if one.name != table.patient_key)
            select = f'SELECT "{table.patient_key}"{", " + listed if listed else ""} FROM "{table.name}"'  # noqa: S608
            select += kept_where(table.patient_key, allowed)
            with counted(session.batches(select), table.name) as ask:
                profile = profile_relation(ask, table.name, table.name, columns, table.patient_key)
                measured[table.name] = Measured(profile, _bins(ask, table, profile), _months(ask, table, stored))
            suggestions[table.name] = _suggestions(table, profile)
        if "patient" in held:
            wanted = ("patient", "sex", "birth_year", "province", "country")
            stored = set(session.columns("patient"))
            listed = ", ".join(f'"{name}"' for name in wanted if name in stored)
            select = f"SELECT {listed} FROM patient{kept_where('patient', allowed)}"  # noqa: S608 (known columns)
            with counted(session.batches(select), "patient") as ask:
                population = _population(ask, stored & set(wanted), datetime.fromtimestamp(at / 1000, UTC).year)
    return Counted(measured, population, suggestions)


def _columns(table: TableDescription) -> list[PhysicalColumn]:
    canonical = canonical_table(table.name)
    if canonical is not None:
        return list(publishable(canonical))
    return [
        PhysicalColumn(one.name, _HOLDS.get(one.kind, "text"), one.name)  # type: ignore[arg-type]
        for one in table.columns
        if one.role != "person"
    ]


def _bins(ask: Ask, table: TableDescription, profile: TableProfile) -> dict[str, tuple[BinCount, ...]]:
    """Bins of equal width over the published range; values outside are in none."""
    found: dict[str, tuple[BinCount, ...]] = {}
    for column in table.columns:
        seen = profile.column(column.name)
        if column.role != "data" or column.low is None or column.high is None or seen is None or not seen.filled:
            continue
        low, width = column.low, (column.high - column.low) / BINS
        if width <= 0:
            continue
        place = f'least({BINS - 1}, CAST(floor(("{column.name}" - {low!r}) / {width!r}) AS INTEGER))'
        rows = ask(
            f'SELECT {place} AS bin, count(DISTINCT "{table.patient_key}") FROM "{table.name}" '  # noqa: S608
            f'WHERE "{column.name}" BETWEEN {low!r} AND {column.high!r} GROUP BY bin'
        )
        by_bin = {int(number): int(persons) for number, persons in rows}
        edges = [low + number * width for number in range(BINS)] + [column.high]
        found[column.name] = tuple(
            BinCount(round(edges[n], 9), round(edges[n + 1], 9), by_bin.get(n, 0)) for n in range(BINS)
        )
    return found


def _months(ask: Ask, table: TableDescription, stored: Iterable[str]) -> tuple[LevelCount, ...]:
    moment = MOMENTS.get(table.name, "")
    dated = [one.name for one in table.columns if one.kind in ("date", "instant") and one.role == "data"]
    chosen = moment if moment in {column.name for column in table.columns} else next(iter(dated), "")
    if not chosen or chosen not in set(stored):
        return ()
    rows = ask(
        f"SELECT strftime(CAST(\"{chosen}\" AS TIMESTAMP), '%Y-%m') AS month, "  # noqa: S608 (its own columns)
        f'count(DISTINCT "{table.patient_key}") FROM "{table.name}" WHERE "{chosen}" IS NOT NULL GROUP BY month'
    )
    return tuple(LevelCount(str(month), int(persons)) for month, persons in sorted(rows))


def _population(ask: Ask, stored: set[str], year: int) -> Population:
    (persons,) = ask("SELECT count(DISTINCT patient) FROM patient")[0]
    age = f"least({OLDEST_BAND}, CAST(floor(({year} - birth_year) / {AGE_BAND_YEARS}) AS INTEGER) * {AGE_BAND_YEARS})"
    found = {
        "sexes": _by(ask, "sex") if "sex" in stored else (),
        "ages": _by(ask, age) if "birth_year" in stored else (),
        "regions": _by(ask, "province") if "province" in stored else (),
    }
    return Population(int(persons), **found)


def _by(ask: Ask, what: str) -> tuple[LevelCount, ...]:
    rows = ask(f"SELECT {what} AS level, count(DISTINCT patient) FROM patient GROUP BY level HAVING level IS NOT NULL")  # noqa: S608
    return tuple(LevelCount(str(level), int(persons)) for level, persons in sorted(rows, key=str))


def _suggestions(table: TableDescription, profile: TableProfile) -> tuple[GradeSuggestion, ...]:
    """By what is in a column where it was counted; by the canonical table's word where it holds who somebody is."""
    found = []
    canonical = canonical_table(table.name)
    if canonical is not None:
        for logical in canonical.columns:
            if logical.role == "identifier":
                why = "the canonical table says that it may name a person"
                found.append(GradeSuggestion(logical.name, "identifier", "L3", "identifier", why))
            elif logical.name in ("note", "body", "conclusion", "title"):
                why = "somebody's own words, which may name a person"
                found.append(GradeSuggestion(logical.name, "identifier", "L3", "free_text", why))
    return (*found, *(suggest_grade(profile, column) for column in profile.columns if column.filled))
