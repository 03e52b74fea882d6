"""Where a column of an extract comes from: which published columns it is made of, and whether it is one as it stands.

A profile speaks of published columns. What a query only hands on is de-identified as that column; what it computes may
stay only where every column behind it may stay as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from xinglin.analysis.admit_model import OutputColumn
    from xinglin.terms.agreed import CohortView


class Origin(msgspec.Struct, frozen=True):
    """``published``: ``(table, column)`` pairs behind a column, sorted. ``plain``: it is one of these, unchanged."""

    published: tuple[tuple[str, str], ...]
    plain: bool


Views = Mapping[str, Mapping[str, Origin]]


def views_of(cohort: Iterable[CohortView], tables: Mapping[str, Iterable[str]]) -> Views:
    """The origins of each view's columns, names in small letters; without a ``cohort`` the tables are the views."""
    views = {name.lower(): {one.lower(): _published(name, one) for one in held} for name, held in tables.items()}
    wanted = tuple(cohort)
    return {one.name.lower(): _view(one.select, views) for one in wanted} if wanted else views


def origins(
    sql: str, columns: Iterable[OutputColumn], cohort: Iterable[CohortView], tables: Mapping[str, Iterable[str]]
) -> dict[str, Origin]:
    """The origin of each output column of an admitted query.

    ``tables``: exposed columns by published table. Without a ``cohort`` the tables are the views.
    """
    views = views_of(cohort, tables)
    handed_on = _handed_on(sql)
    found = {}
    for column in columns:
        sources = [behind(views, *source.lower().split(".", 1)) for source in column.sources]
        named = tuple(sorted({pair for one in sources for pair in one.published}))
        alone = len(sources) == 1 and sources[0].plain and column.name.lower() in handed_on
        found[column.name] = Origin(named, alone)
    return found


def _published(table: str, column: str) -> Origin:
    return Origin(((table, column),), plain=True)


def _view(select: str, tables: Mapping[str, Mapping[str, Origin]]) -> dict[str, Origin]:
    """The columns of a cohort's view. What it computes has every column of its tables behind it: it may be any."""
    plain = _handed_on(select)
    every = tuple(sorted({pair for held in tables.values() for one in held.values() for pair in one.published}))
    sources: dict[str, Origin] = {}
    for name, column in plain.items():
        held = [table[column] for table in tables.values() if column in table]
        sources[name] = held[0] if len(held) == 1 else Origin(every, plain=False)
    return _OrEvery(sources, Origin(every, plain=False))


class _OrEvery(dict[str, Origin]):
    """Columns with a known origin; any other has everything behind it."""

    def __init__(self, known: Mapping[str, Origin], other: Origin) -> None:
        super().__init__(known)
        self._other = other

    def __missing__(self, _name: str) -> Origin:
        return self._other


def behind(views: Views, view: str, column: str) -> Origin:
    """The origin of one column of a view, both in small letters; nothing where there is none such."""
    held = views.get(view)
    if held is None:
        return Origin((), plain=False)
    return held[column] if column in held or isinstance(held, _OrEvery) else Origin((), plain=False)


def _handed_on(sql: str) -> dict[str, str]:
    """Output names of a SELECT that are one column, as it stands, to that column's name; none where it is no plain one.

    A column is handed on only by a query without set operations, subqueries and WITH, so that its name means what it
    says.
    """
    import sqlglot
    from sqlglot import exp

    (tree,) = sqlglot.parse(sql, read="duckdb")
    nested = (exp.Subquery, exp.CTE, exp.SetOperation, exp.Group)
    if not isinstance(tree, exp.Select) or any(tree.find(kind) is not None for kind in nested):
        return {}
    found: dict[str, str] = {}
    for each in tree.expressions:
        inner = each.this if isinstance(each, exp.Alias) else each
        if isinstance(inner, exp.Column) and isinstance(inner.this, exp.Identifier):
            found[each.alias_or_name.lower()] = inner.name.lower()
    return found


def joined(texts: Iterable[str]) -> bool:
    """Whether any of these SELECTs reads rows of two relations beside each other."""
    import sqlglot
    from sqlglot import exp

    return any(
        tree is not None and tree.find(exp.Join) is not None
        for one in texts
        for tree in sqlglot.parse(one, read="duckdb")
    )
