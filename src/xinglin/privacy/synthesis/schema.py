"""What is public about a table that is to be synthesised: columns, their domains, and rules that always hold.

Everything here must be known without the data: a level or an edge that was read off the data is not protected.
"""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from xinglin.privacy.synthesis.errors import BadSchema, TooWide

KINDS = ("category", "boolean", "integer", "number", "date")
"""Dates are whole days since 1970-01-01."""
MAX_COLUMNS = 64
MAX_LEVELS = 10_000
MAX_BINS = 256
WHOLE = ("integer", "date")


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column and its published domain.

    ``levels``: every value of a category. ``low``, ``high``: the range of a number, inclusive; values outside count as
    its ends. ``edges``: published ends of bins, ascending, from ``low`` to ``high`` (bin i holds edges[i] ≤ value <
    edges[i+1], the last its end too); without them at most ``bins`` bins are found by noisy quantiles.
    ``missing``: whether a value may lack; what is no level counts as missing, or as the first level where none may.
    """

    name: str
    kind: str = "category"
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    edges: tuple[float, ...] = ()
    bins: int = 24
    missing: bool = True

    @property
    def numeric(self) -> bool:
        """Whether it is binned."""
        return self.kind in ("integer", "number", "date")


class Ordered(msgspec.Struct, frozen=True, tag="ordered"):
    """``second`` is never below ``first`` (death after birth); where it would be, it is raised to it.

    In a child table ``first`` may be ``person_table.column``.
    """

    first: str
    second: str


class OnlyWhen(msgspec.Struct, frozen=True, tag="only_when"):
    """``column`` is missing unless ``when`` has one of ``levels`` (a date of death only of the dead)."""

    column: str
    when: str
    levels: tuple[str, ...]


Rule = Ordered | OnlyWhen


class Schema(msgspec.Struct, frozen=True):
    """Columns in their order and the rules that drawn rows keep. Checked when it is made: raises ``BadSchema``."""

    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if not names or len(set(names)) != len(names) or not all(names):
            raise BadSchema("A schema has at least one column, each with a name of its own.")
        if len(names) > MAX_COLUMNS:
            raise TooWide(f"At most {MAX_COLUMNS} columns can be synthesised together; {len(names)} were given.")
        for column in self.columns:
            check_column(column)
        for rule in self.rules:
            _check_rule(rule, {column.name: column for column in self.columns})

    def column(self, name: str) -> Column:
        """The column of that name; raises ``BadSchema``."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise BadSchema(f"The schema has no column {name!r}.")
        return found


def check_column(column: Column) -> None:
    """Raises ``BadSchema`` for a column that contradicts itself, ``TooWide`` for too many levels or bins."""
    if column.kind not in KINDS:
        raise BadSchema(f"{column.name}: {column.kind!r} is no kind.", remedy=f"Use one of {', '.join(KINDS)}.")
    if column.kind == "category" and (not column.levels or len(set(column.levels)) != len(column.levels)):
        raise BadSchema(f"{column.name}: a category has levels, each once.")
    if len(column.levels) > MAX_LEVELS:
        raise TooWide(f"{column.name}: at most {MAX_LEVELS} levels; {len(column.levels)} were given.")
    if column.numeric:
        _check_range(column)


def _check_range(column: Column) -> None:
    low, high = column.low, column.high
    if low is None or high is None or not math.isfinite(low) or not math.isfinite(high) or low >= high:
        raise BadSchema(f"{column.name}: a published range is needed, low below high.")
    if column.kind in WHOLE and (low != int(low) or high != int(high)):
        raise BadSchema(f"{column.name}: the range of whole numbers has whole ends.")
    if not 1 <= column.bins <= MAX_BINS or len(column.edges) > MAX_BINS + 1:
        raise TooWide(f"{column.name}: from 1 to {MAX_BINS} bins.")
    edges = column.edges
    if edges and (len(edges) < 2 or any(a >= b for a, b in pairwise(edges))):
        raise BadSchema(f"{column.name}: edges ascend, and there are at least two.")
    if edges and (edges[0] > low or edges[-1] < high):
        raise BadSchema(f"{column.name}: the edges do not cover the range.")


def _check_rule(rule: Rule, columns: dict[str, Column]) -> None:
    names = (rule.first, rule.second) if isinstance(rule, Ordered) else (rule.column, rule.when)
    for name in names:
        if name not in columns and not (isinstance(rule, Ordered) and "." in name and name == rule.first):
            raise BadSchema(f"A rule names {name!r}, which is no column.")
    if isinstance(rule, OnlyWhen):
        if not columns[rule.column].missing:
            raise BadSchema(f"A rule makes {rule.column!r} missing, but it may not lack.")
        if columns[rule.when].kind != "category" or not set(rule.levels) <= set(columns[rule.when].levels):
            raise BadSchema(f"A rule asks {rule.when!r} for levels that it has not.")
    elif not columns[rule.second].numeric or (rule.first in columns and not columns[rule.first].numeric):
        raise BadSchema(f"{rule.first!r} and {rule.second!r} have no order.")
