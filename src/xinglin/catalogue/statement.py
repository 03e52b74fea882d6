"""A data set's public statement: variables with coverage and distributions, when and whom it is about, how good it is.

Guarantee: nothing is told that fewer than ``MIN_PERSONS`` persons stand behind. Levels, bins, sexes, ages and regions
of fewer persons are left out or merged into a neighbour; shares are whole percents, counts multiples of ten, time whole
months. What was counted (``Measured``) stays in the hospital.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from xinglin.catalogue.confirming import SettledGrade, State, settled_description
from xinglin.catalogue.describe import MIN_PERSONS
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.profile import LevelCount, TableProfile
from xinglin.catalogue.quality import QualityStatement
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant

ROUNDED_TO = 10
BINS = 12
LEVELS_TOLD = 50
AGE_BAND_YEARS = 10
OLDEST_BAND = 90


class BinCount(msgspec.Struct, frozen=True):
    """Persons with a value from ``low`` to below ``high`` (the last bin: to ``high``). Counted; never leaves."""

    low: float
    high: float
    persons: int


class Measured(msgspec.Struct, frozen=True):
    """What was counted of one table. ``bins`` by column; ``months`` (``2024-03``) with their persons."""

    profile: TableProfile
    bins: dict[str, tuple[BinCount, ...]] = {}
    months: tuple[LevelCount, ...] = ()


class Population(msgspec.Struct, frozen=True):
    """Who the persons are, counted: by sex, by age in whole bands (``"40"``: 40 to 49), by region. Never leaves."""

    persons: int
    sexes: tuple[LevelCount, ...] = ()
    ages: tuple[LevelCount, ...] = ()
    regions: tuple[LevelCount, ...] = ()


class Share(msgspec.Struct, frozen=True):
    """A level and the whole percents of persons who have it."""

    value: str
    percent: int


class BinShare(msgspec.Struct, frozen=True):
    """A bin and the whole percents of persons who have a value in it."""

    low: float
    high: float
    percent: int


class VariableStatement(msgspec.Struct, frozen=True):
    """One variable. ``filled_percent``: of the table's rows. ``levels`` and ``bins``: as far as they may be told."""

    table: str
    name: str
    kind: str
    words: str
    unit: str
    filled_percent: int
    low: float | None = None
    high: float | None = None
    levels: tuple[Share, ...] = ()
    bins: tuple[BinShare, ...] = ()
    grade: str = ""


class TableStatement(msgspec.Struct, frozen=True):
    """One table: rows and persons, rounded."""

    name: str
    words: str
    rows: int
    persons: int


class ConfirmedGrade(msgspec.Struct, frozen=True):
    """The grade that holds for a column, with the class and the reason of the suggestion, and who confirmed it.

    ``by`` is empty while no word stands; ``suggested`` and ``state`` (of ``confirming.STATES``) say how the grade
    stands to the suggestion. Reasons that persons state stay at the node.
    """

    table: str
    column: str
    role: str
    grade: str
    found: str
    why: str
    by: str = ""
    at: Instant = 0
    suggested: str = ""
    state: State = "open"


class DataSetStatement(msgspec.Struct, frozen=True):
    """Everything that is said in public of a data set. Version 1; append-only.

    ``first_month``, ``last_month``: of facts, empty where nothing may be told. ``population``: shares by ``sex``,
    ``age`` and ``region``. ``persons`` and ``records`` are rounded.
    """

    name: str
    title: str
    words: str
    provider: str
    at: Instant
    grade: str
    persons: int
    records: int
    tables: tuple[TableStatement, ...]
    variables: tuple[VariableStatement, ...]
    first_month: str = ""
    last_month: str = ""
    population: dict[str, tuple[Share, ...]] = {}
    youngest: int | None = None
    oldest: int | None = None
    quality: QualityStatement | None = None
    grades: tuple[ConfirmedGrade, ...] = ()
    description_digest: str = ""
    format: int = 1

    def digest(self) -> str:
        """``sha256:…`` of everything said."""
        return canonical_digest(msgspec.json.encode(self, order="sorted").decode())

    @property
    def confirmed(self) -> bool:
        """Whether a person has confirmed every grade."""
        return bool(self.grades) and all(one.by for one in self.grades)


def data_set_statement(
    description: DataSetDescription,
    measured: Mapping[str, Measured],
    population: Population | None,
    at: Instant,
    *,
    words: str = "",
    quality: QualityStatement | None = None,
    grades: Iterable[SettledGrade] = (),
    min_persons: int = MIN_PERSONS,
) -> DataSetStatement:
    """The statement of a described data set; tables that were not measured, or of too few persons, are left out.

    ``grades``: as ``confirming.settled_grades`` has them; no variable is told below the grade that holds.
    """
    settled = tuple(grades)
    published, description = description, settled_description(description, settled)
    told = [
        (table, measured[table.name])
        for table in description.tables
        if table.name in measured and measured[table.name].profile.persons >= min_persons
    ]
    variables = [one for table, found in told for one in _variables(description, table, found, min_persons)]
    months = sorted(one.value for _, found in told for one in found.months if one.persons >= min_persons)
    persons = population.persons if population else max((found.profile.persons for _, found in told), default=0)
    records = sum(found.profile.rows for _, found in told)
    ages = _enough(population.ages if population else (), min_persons)
    return DataSetStatement(
        name=description.name,
        title=description.title,
        words=words or f"{description.title}: {len(told)} tables of routine care.",
        provider=description.provider,
        at=at,
        grade=description.grade,
        persons=rounded(persons) if persons >= min_persons else 0,
        records=rounded(records),
        tables=tuple(
            TableStatement(table.name, table.words, rounded(found.profile.rows), rounded(found.profile.persons))
            for table, found in told
        ),
        variables=tuple(variables),
        first_month=months[0] if months else "",
        last_month=months[-1] if months else "",
        population=_population(population, min_persons),
        youngest=min((int(one.value) for one in ages), default=None),
        oldest=max((int(one.value) + AGE_BAND_YEARS - 1 for one in ages), default=None),
        quality=quality,
        grades=tuple(_confirmed(one) for one in settled),
        description_digest=published.digest(),
    )


def rounded(count: int) -> int:
    """To the nearest ten.

    >>> rounded(1203), rounded(14)
    (1200, 10)
    """
    return (count + ROUNDED_TO // 2) // ROUNDED_TO * ROUNDED_TO


def merged(bins: Sequence[BinCount], min_persons: int = MIN_PERSONS) -> tuple[BinCount, ...]:
    """Neighbouring bins merged until each has enough persons; empty where there are not enough in all.

    >>> merged([BinCount(0, 1, 4), BinCount(1, 2, 20), BinCount(2, 3, 3)])
    (BinCount(low=0, high=3, persons=27),)
    """
    found: list[BinCount] = []
    for one in bins:
        if found and found[-1].persons < min_persons:
            found[-1] = BinCount(found[-1].low, one.high, found[-1].persons + one.persons)
        else:
            found.append(one)
    if len(found) > 1 and found[-1].persons < min_persons:
        last = found.pop()
        found[-1] = BinCount(found[-1].low, last.high, found[-1].persons + last.persons)
    return tuple(found) if found and found[0].persons >= min_persons else ()


def _variables(
    description: DataSetDescription, table: TableDescription, found: Measured, min_persons: int
) -> Iterable[VariableStatement]:
    for column in table.columns:
        counted = found.profile.column(column.name)
        if column.role != "data" or counted is None:
            continue
        filled = round(100 * counted.filled / max(found.profile.rows, 1)) if counted.persons >= min_persons else 0
        yield VariableStatement(
            table.name,
            column.name,
            column.kind,
            column.words,
            column.unit,
            filled,
            column.low,
            column.high,
            _levels(column, counted.levels, counted.persons, min_persons),
            _bins(found.bins.get(column.name, ()), counted.persons, min_persons),
            description.grade_of(table.name, column.name) or "",
        )


def _levels(
    column: ColumnDescription, counted: Sequence[LevelCount], persons: int, min_persons: int
) -> tuple[Share, ...]:
    if column.kind != "category" or not persons:
        return ()
    allowed = set(column.levels)
    enough = [one for one in counted if one.persons >= min_persons and one.value in allowed]
    return tuple(Share(one.value, round(100 * one.persons / persons)) for one in enough[:LEVELS_TOLD])


def _bins(counted: Sequence[BinCount], persons: int, min_persons: int) -> tuple[BinShare, ...]:
    return tuple(
        BinShare(one.low, one.high, min(100, round(100 * one.persons / max(persons, 1))))
        for one in merged(counted, min_persons)
    )


def _enough(counted: Sequence[LevelCount], min_persons: int) -> list[LevelCount]:
    return [one for one in counted if one.persons >= min_persons and one.value]


def _population(population: Population | None, min_persons: int) -> dict[str, tuple[Share, ...]]:
    if population is None or population.persons < min_persons:
        return {}
    found = {"sex": population.sexes, "age": population.ages, "region": population.regions}
    return {
        name: tuple(
            Share(one.value, round(100 * one.persons / population.persons))
            for one in sorted(_enough(counted, min_persons), key=lambda one: _natural(one.value))
        )
        for name, counted in found.items()
        if _enough(counted, min_persons)
    }


def _natural(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isdigit() else (-1, value)


def _confirmed(one: SettledGrade) -> ConfirmedGrade:
    suggestion = one.suggestion
    by, at = (one.word.by, one.word.at) if one.word is not None and one.confirmed else ("", 0)
    return ConfirmedGrade(
        one.table,
        suggestion.column,
        suggestion.role,
        one.grade,
        suggestion.found,
        suggestion.why,
        by,
        at,
        suggestion.grade,
        one.state,
    )
