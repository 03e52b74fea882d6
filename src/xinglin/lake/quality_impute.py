"""Imputation as a named, versioned derivation: a product with ``x`` filled and ``x_imputed`` beside it.

Single imputation only: it makes data look surer than they are, narrows spreads and weakens associations. It serves
displays and features of a model that is validated with it; inference takes multiple imputation, which comes with the
models. Every filled cell is marked, the product's lineage holds the SELECT, and originals are never touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.lake.current import literal, quoted
from xinglin.lake.delta import Lake
from xinglin.lake.errors import LakeError
from xinglin.lake.model import QueryLimits
from xinglin.lake.products import materialise

Method = Literal["median", "mode", "locf", "constant"]
METHODS: dict[Method, tuple[str, str]] = {
    "median": ("the median of all values", "全部取值的中位数"),
    "mode": ("the most frequent value; of several, the smallest", "出现最多的取值"),
    "locf": ("the person's last value before (last observation carried forward)", "同一人的前一次取值"),
    "constant": ("a constant", "常数"),
}
COLUMNS = Limit("imputed columns", 64, "columns")
CAUTION = (
    "Single imputation: no use for inference; spreads and associations are too small.",
    "单一插补：不可用于推断；离散程度和关联会被低估。",
)


class CannotImpute(LakeError):
    """An imputation that the table or the method does not allow."""

    code = "lake.cannot_impute"


def impute_select(
    table: str,
    columns: Iterable[str],
    method: Method,
    *,
    constant: float | str | None = None,
    order: str = "",
    within: Iterable[str] = ("patient",),
) -> str:
    """The SELECT of an imputation.

    ``order``: the moment by which a person's rows follow each other, and ``within``: what belongs together, both for
    ``locf``. Raises ``CannotImpute``.

    >>> impute_select("t", ["x"], "constant", constant=0)
    'SELECT * REPLACE (coalesce("x", 0) AS "x"), "x" IS NULL AS "x_imputed" FROM "t"'
    """
    chosen = tuple(columns)
    COLUMNS.check(len(chosen))
    if not chosen or method not in METHODS:
        raise CannotImpute("Name columns, and one method.", remedy=f"Methods: {', '.join(METHODS)}.")
    if (method == "constant") != (constant is not None):
        raise CannotImpute("A constant belongs to the method 'constant'.", remedy="Give one, or another method.")
    if method == "locf" and not order:
        raise CannotImpute("To carry a value forward, say what rows are ordered by.", remedy="Give order.")
    filled = [f"{_filled(table, name, method, constant, order, tuple(within))} AS {quoted(name)}" for name in chosen]
    # A value that nothing could fill (no value before it, or none at all) is not marked: it is still missing.
    marks = [f"{_mark(table, name, method, order, tuple(within))} AS {quoted(name + '_imputed')}" for name in chosen]
    return f"SELECT * REPLACE ({', '.join(filled)}), {', '.join(marks)} FROM {quoted(table)}"  # noqa: S608 (quoted)


def impute(
    lake: Lake,
    name: str,
    table: str,
    columns: Iterable[str],
    method: Method,
    *,
    constant: float | str | None = None,
    order: str = "",
    within: Iterable[str] = ("patient",),
    at: Instant | None = None,
    limits: QueryLimits | None = None,
) -> int:
    """Write product ``name``: ``table``'s current view with ``columns`` filled; the product's version.

    Raises ``CannotImpute`` (no such column, or it is not one to fill) or as ``materialise`` does.
    """
    chosen = tuple(columns)
    stored = {field.name for field in lake.open(table).schema().fields}
    missing = [one for one in (*chosen, *([order] if order else [])) if one not in stored]
    if missing:
        raise CannotImpute(f"Table {table!r} has no column {missing[0][:80]!r}.", remedy="See its columns.")
    if {"id", "patient", "message", "place", "source"} & set(chosen):
        raise CannotImpute("Keys and provenance are never imputed.", remedy="Choose columns of facts.")
    if any(f"{one}_imputed" in stored for one in chosen):
        raise CannotImpute("The column was imputed before.", remedy="Impute the original table.")
    select = impute_select(table, chosen, method, constant=constant, order=order, within=within)
    return materialise(lake, name, select, [table], at=at, limits=limits)


def _filled(
    table: str, name: str, method: Method, constant: float | str | None, order: str, within: tuple[str, ...]
) -> str:
    own = quoted(name)
    if method == "constant":
        return f"coalesce({own}, {_literal(constant)})"
    return f"coalesce({own}, {_value(table, name, method, order, within)})"


def _mark(table: str, name: str, method: Method, order: str, within: tuple[str, ...]) -> str:
    own = quoted(name)
    if method == "constant":
        return f"{own} IS NULL"
    return f"{own} IS NULL AND ({_value(table, name, method, order, within)}) IS NOT NULL"


def _value(table: str, name: str, method: Method, order: str, within: tuple[str, ...]) -> str:
    own, source = quoted(name), quoted(table)
    if method == "median":
        return f"(SELECT median({own}) FROM {source})"  # noqa: S608 (quoted names)
    if method == "mode":
        counted = f"SELECT {own} AS v, count(*) AS n FROM {source} WHERE {own} IS NOT NULL GROUP BY v"  # noqa: S608
        return f"(SELECT v FROM ({counted}) ORDER BY n DESC, v LIMIT 1)"  # noqa: S608 (quoted names)
    keys = ", ".join(map(quoted, within))
    return f"last_value({own} IGNORE NULLS) OVER (PARTITION BY {keys} ORDER BY {quoted(order)} NULLS FIRST, id)"


def _literal(value: float | str | None) -> str:
    if isinstance(value, str):
        return literal(value)
    return repr(value)
