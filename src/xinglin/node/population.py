"""Which populations a cohort may hold, from the SELECTs that define it: only what they exclude is left out.

A policy that prohibits minors has to know that there are none. A view excludes them when its own WHERE says so in plain
words (``age >= 18``, joined by AND), of one published table whose ``age`` is in years. Anything else excludes nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from xinglin.catalogue import DataSetDescription, TableDescription
from xinglin.terms.agreed import CohortView
from xinglin.terms.vocabulary import POPULATIONS

ADULT_AT, OLDER_AT, NEWBORN_UNTIL = 18.0, 60.0, 1.0
"""Years: majority (Civil Code, Article 17), older adults (Law on the Elderly, Article 2), a newborn's most."""

YEARS = ("a", "a_t", "a_j", "a_g")
"""UCUM's years."""

_BELOW = {"minors": ADULT_AT, "newborns": NEWBORN_UNTIL}
_FROM = {"adults": ADULT_AT, "older-adults": OLDER_AT}


@lru_cache(maxsize=256)
def populations(cohort: tuple[CohortView, ...], described: DataSetDescription | None) -> tuple[str, ...] | None:
    """Every population that some view may hold, sorted; None where the data set is not known."""
    if described is None:
        return None
    found: set[str] = set()
    for view in cohort:
        low, high = _ages(view.select, described)
        without = {name for name, years in _BELOW.items() if low >= years}
        without |= {name for name, years in _FROM.items() if high < years}
        found |= set(POPULATIONS) - without
    return tuple(sorted(found))


def _ages(select: str, described: DataSetDescription) -> tuple[float, float]:
    """The least and the most years that a view's WHERE leaves; without limits where it cannot be told."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    low, high = -math.inf, math.inf
    try:
        trees = sqlglot.parse(select, read="duckdb")
    except SqlglotError:
        return low, high
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Select) or len(list(tree.find_all(exp.Select, exp.Join, exp.SetOperation))) != 1:
        return low, high
    tables = list(tree.find_all(exp.Table))
    table = described.table(tables[0].name) if len(tables) == 1 and _as_it_is(tables[0]) else None
    where = tree.args.get("where")
    if table is None or not _in_years(table) or not isinstance(where, exp.Where):
        return low, high
    for part in _conjuncts(where.this):
        least, most = _limits(part)
        low, high = max(low, least), min(high, most)
    return low, high


def _as_it_is(table: Any) -> bool:
    """Whether the columns have their own names: ``FROM t AS u(age)`` and UNPIVOT call another column so."""
    alias = table.args.get("alias")
    plain = all(not value for name, value in table.args.items() if name not in ("this", "alias"))
    return plain and (alias is None or not alias.args.get("columns"))


def _in_years(table: TableDescription) -> bool:
    column = table.column("age")
    return column is not None and column.kind in ("number", "integer") and column.unit in YEARS


def _conjuncts(part: Any) -> Iterator[Any]:
    from sqlglot import exp

    if isinstance(part, exp.Paren):
        yield from _conjuncts(part.this)
    elif isinstance(part, exp.And):
        yield from _conjuncts(part.left)
        yield from _conjuncts(part.right)
    else:
        yield part


def _limits(part: Any) -> tuple[float, float]:
    """What one comparison of ``age`` with a number leaves; a missing age satisfies none. Not equal counts as equal."""
    from sqlglot import exp

    if isinstance(part, exp.Between) and not part.args.get("symmetric") and _is_age(part.this):
        return _number(part.args["low"], -math.inf), _number(part.args["high"], math.inf)
    if not isinstance(part, exp.GTE | exp.GT | exp.LTE | exp.LT | exp.EQ):
        return -math.inf, math.inf
    upward, left, right = isinstance(part, exp.GTE | exp.GT), part.left, part.right
    if _is_age(right):
        upward, left, right = not upward, right, left
    if not _is_age(left):
        return -math.inf, math.inf
    if isinstance(part, exp.EQ):
        return _number(right, -math.inf), _number(right, math.inf)
    if upward:
        return _number(right, -math.inf), math.inf
    most = _number(right, math.inf)
    # Below 18 and no more: strictly less.
    return -math.inf, math.nextafter(most, -math.inf) if isinstance(part, exp.LT | exp.GT) else most


def _is_age(part: Any) -> bool:
    from sqlglot import exp

    return isinstance(part, exp.Column) and part.name == "age"


def _number(part: Any, unknown: float) -> float:
    from sqlglot import exp

    if isinstance(part, exp.Literal) and not part.is_string:
        try:
            found = float(part.this)
        except ValueError:
            return unknown
        return found if math.isfinite(found) else unknown
    return unknown
