"""Columns that hospitals publish differently, written so that every hospital derives the same domain.

Exact sums are scaled by ranges, and tables are laid out by levels: both have to be the same wherever a query is
computed. A hospital publishes what its own rows reach, so any three differ. Text in, text out; no row is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType

from xinglin.analysis.admit_model import OutputColumn

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_LEVELS = 100
"""A category of more levels than these is left to whoever asks: nobody reads such a list."""
_IN_PLACE = frozenset({"expressions", "from_", "from", "joins", "where"})
"""Clauses beside which a column of the SELECT may be rewritten where it stands."""


class Fit(msgspec.Struct, frozen=True):
    """The domain of all hospitals together: a range of numbers, or the levels of a category.

    Nothing that a hospital publishes lies outside: the rows keep their values, and what is missing stays missing.
    """

    low: float = 0.0
    high: float = 0.0
    levels: tuple[str, ...] = ()

    def text(self, column: str) -> str:
        """The expression that gives ``column`` this domain.

        >>> Fit(1, 81).text("num_medications")
        'LEAST(GREATEST(num_medications, 1), 81)'
        """
        if not self.levels:
            return f"LEAST(GREATEST({column}, {_number(self.low)}), {_number(self.high)})"
        named = " ".join(f"WHEN {column} = {_text(one)} THEN {_text(one)}" for one in self.levels)
        return f"CASE {named} END"


def fit_of(columns: Sequence[OutputColumn | None]) -> Fit | None:
    """The domain of one column of all hospitals together; None where no expression makes them the same."""
    known = [one for one in columns if one is not None]
    kinds = {(one.kind, one.integer) for one in known}
    if len(known) < len(columns) or len(kinds) != 1 or not all(one.bounded for one in known):
        return None
    if known[0].kind == "number":
        if any(one.chosen or one.stepped for one in known):
            return None  # its values are counted one by one, or may not be bounded again
        lows, highs = (one.low or 0.0 for one in known), (one.high or 0.0 for one in known)
        return Fit(min(lows), max(highs))
    levels = tuple(sorted({level for one in known for level in one.levels}))
    return Fit(levels=levels) if 0 < len(levels) <= _LEVELS else None


def fitted(sql: str, names: Sequence[str], fits: Mapping[str, Fit]) -> str:
    """An admitted query with the output columns ``names``, of which some get these domains; as it was without any."""
    if not fits:
        return sql
    tree = sqlglot.parse_one(sql, read="duckdb")
    if isinstance(tree, exp.Select) and _in_place(tree, fits):
        projections = [_fitted(one, fits) for one in tree.selects]
        return str(tree.select(*projections, append=False).sql(dialect="duckdb", pretty=True))
    inner = tree.sql(dialect="duckdb", pretty=True)
    columns = ",\n  ".join(_outer(name, fits) for name in names)
    return f"SELECT\n  {columns}\nFROM (\n{inner}\n) AS asked"


def _in_place(tree: exp.Select, fits: Mapping[str, Fit]) -> bool:
    """Whether each column to bound is written as a column, in a SELECT in which nothing else names it."""
    plain = {name for name, value in tree.args.items() if value} <= _IN_PLACE
    named = [one for one in tree.selects if one.alias_or_name in fits]
    return plain and not tree.is_star and all(isinstance(one.unalias(), exp.Column) for one in named)


def _fitted(projection: exp.Expr, fits: Mapping[str, Fit]) -> exp.Expr:
    name = projection.alias_or_name
    if name not in fits:
        return projection
    made = sqlglot.parse_one(fits[name].text(projection.unalias().sql(dialect="duckdb")), read="duckdb")
    return exp.alias_(made, name, quoted=_name(name) != name)


def _outer(name: str, fits: Mapping[str, Fit]) -> str:
    quoted = _name(name)
    return f"{fits[name].text(quoted)} AS {quoted}" if name in fits else quoted


def _name(name: str) -> str:
    plain = _PLAIN_NAME.fullmatch(name) and sqlglot.tokenize(name, read="duckdb")[0].token_type == TokenType.VAR
    return name if plain else '"' + name.replace('"', '""') + '"'


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
