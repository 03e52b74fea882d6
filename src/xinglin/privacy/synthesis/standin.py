"""A twin: a stand-in for a published table from its description alone, for trying code before any permission.

Nothing of the data is read and no budget is spent: every column is drawn by itself from what the catalogue publishes.
So names, kinds, ranges, levels and missing values are as they will be, and no relation between columns is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.privacy.synthesis.coding import Columns, Values
from xinglin.privacy.synthesis.draw import generator
from xinglin.privacy.synthesis.errors import BadSchema, TooWide

MAX_ROWS = 1_000_000
MISSING_SHARE = 0.05
"""Of a data column's values: code that cannot bear a missing value fails here, as it would on the data."""
DAYS = (10_957, 20_088)
"""2000-01-01 to 2024-12-31, in days since 1970: dates have no published range."""
DAY_MS = 86_400_000
MORE_ROWS = 0.5
"""Of a table's rows: further rows of persons who have one already."""


def twin(
    columns: Sequence[ColumnDescription] | TableDescription,
    rows: int,
    entropy: Callable[[int], bytes],
    *,
    persons: int | None = None,
    days: tuple[int, int] = DAYS,
) -> Columns:
    """``rows`` rows of a described table; every level, and both ends of every range, come where rows suffice.

    ``persons``: how many different persons the key column names (default: a person a row). ``days``: the range of
    dates (days) and instants (milliseconds since 1970). Columns of role ``identifier`` are left out, as in every
    study's view. Raises ``BadSchema`` for a category without levels or a number without a range.

    Guarantee: a function of published facts and ``entropy``; the data are not an argument.
    """
    described = columns.columns if isinstance(columns, TableDescription) else tuple(columns)
    if not 0 <= rows <= MAX_ROWS:
        raise TooWide(f"A twin has from 0 to {MAX_ROWS} rows.")
    random = generator(entropy)
    keys = _keys(rows, rows if persons is None else persons, random)
    found: Columns = {}
    for column in described:
        if column.role == "person":
            found[column.name] = keys
        elif column.role == "data":
            found[column.name] = _drawn(column, rows, days, random)
    return found


def twins(described: DataSetDescription, persons: int, entropy: Callable[[int], bytes]) -> dict[str, Columns]:
    """A twin of each table of a data set; half of the rows are a person's second ones."""
    rows = int(persons / (1 - MORE_ROWS))
    return {table.name: twin(table, rows, entropy, persons=persons) for table in described.tables}


def _keys(rows: int, persons: int, random: np.random.Generator) -> Values:
    """Each person once while rows last, then by lot."""
    numbers = np.arange(rows)
    if 0 < persons < rows:
        numbers[persons:] = random.integers(0, persons, rows - persons)
    return np.array([f"twin-{number:07d}" for number in random.permutation(numbers)], dtype=object)


def _drawn(column: ColumnDescription, rows: int, days: tuple[int, int], random: np.random.Generator) -> Values:
    lacking = random.random(rows) < MISSING_SHARE
    if column.kind in ("category", "text"):
        return _texts(column, rows, lacking, random)
    if column.kind == "boolean":
        return np.where(lacking, np.nan, random.integers(0, 2, rows))
    if column.kind in ("date", "instant"):
        unit = 1 if column.kind == "date" else DAY_MS
        low, high, whole = float(days[0] * unit), float(days[1] * unit), True
    else:
        if column.low is None or column.high is None:
            raise BadSchema(f"{column.name!r} has no published range.", remedy="Describe the column anew.")
        low, high, whole = column.low, column.high, column.kind == "integer"
    values = low + random.random(rows) * (high - low)
    if whole:
        values = np.floor(low + random.random(rows) * (high - low + 1))
    values = np.where(lacking, np.nan, np.clip(values, low, high))
    ends = random.permutation(rows)[:2]
    values[ends] = np.array([low, high])[: len(ends)]
    return values


def _texts(column: ColumnDescription, rows: int, lacking: Values, random: np.random.Generator) -> Values:
    """Levels in turn, shuffled; a text that is not published is a word that says so."""
    levels = column.levels if column.kind == "category" else ("text",)
    if not levels:
        raise BadSchema(f"{column.name!r} has no published levels.", remedy="Describe the column anew.")
    values = np.array(levels, dtype=object)[np.arange(rows) % len(levels)]
    lacking[: len(levels)] = False
    values[lacking] = None
    return values[random.permutation(rows)]
