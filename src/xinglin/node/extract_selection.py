"""What picks the rows of an extract: only columns that the profile keeps as they are.

A profile changes what leaves in columns. Which rows there are, and how many of a person, tells of every column that a
WHERE, a JOIN, a GROUP BY or a subquery reads; so these may read only what could leave unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from xinglin.kernel.verdict import Reason, deny
from xinglin.node.extract_lineage import Views, behind, views_of

if TYPE_CHECKING:
    from sqlglot import exp

    from xinglin.privacy.deidentify import Action
    from xinglin.terms.agreed import CohortView

Given = Mapping[str, Mapping[str, "Action"]]
_WHOLE = ("group", "having", "qualify", "distinct")
"""Clauses under which every selected column decides which rows there are."""


def picked_by(
    sql: str, cohort: Iterable[CohortView], tables: Mapping[str, Iterable[str]], given: Given
) -> tuple[Reason, ...]:
    """Why an admitted query may not pick the rows of an extract; nothing where it may.

    ``tables``: exposed columns by published table. ``given``: what the profile does, by table and column. The cohort's
    views are what the hospital agreed to: their own WHERE is not looked at.
    """
    import sqlglot
    from sqlglot import exp

    wanted = tuple(cohort)
    (tree,) = sqlglot.parse(sql, read="duckdb")
    if tree is None or tree.find(exp.SetOperation) is not None:
        words = "An extract is one SELECT: UNION, INTERSECT and EXCEPT tell rows apart by every column."
        return deny("extract.selection", words, "Ask for each part as an extract of its own.").reasons
    views = views_of(wanted, tables)
    pairs = set(_pairs(tree, views))
    refused = sorted(f"{table}.{column}" for table, column in pairs if not _kept(given, table, column))
    if not wanted:
        read = {table.name.lower() for table in tree.find_all(exp.Table)}
        refused += sorted(name for name in tables if name.lower() in read and not given.get(name))
    if not refused:
        return ()
    words = f"The rows are picked by what the profile does not keep as it is: {', '.join(refused[:8])}."
    remedy = "Only select such a column; put it in no WHERE, JOIN, GROUP BY, DISTINCT or subquery; write VIEW.column."
    return deny("extract.selection", words, remedy).reasons


def _kept(given: Given, table: str, column: str) -> bool:
    action = given.get(table, {}).get(column)
    return action is not None and action.do == "keep"


def _pairs(tree: exp.Expr, views: Views) -> Iterator[tuple[str, str]]:
    """Every published column that may pick a row; rather one too many than one too few."""
    from sqlglot import exp

    called: dict[str, set[str]] = {}
    for table in tree.find_all(exp.Table):
        if table.name.lower() in views:
            called.setdefault(table.alias_or_name.lower(), set()).add(table.name.lower())
    every = {view for held in called.values() for view in held}
    for part in _picking(tree):
        for column in part.find_all(exp.Column):
            at = called.get(column.table.lower(), set()) if column.table else every
            yield from _published(views, at, column.name)
        for join in part.find_all(exp.Join):
            for name in join.args.get("using") or ():
                yield from _published(views, every, name.name)
        if any(not isinstance(star.parent, exp.Count) for star in part.find_all(exp.Star)):
            yield from (pair for view in every for held in views[view].values() for pair in held.published)
            yield from _published(views, every, "*")  # what a cohort computes


def _published(views: Views, at: Iterable[str], column: str) -> Iterator[tuple[str, str]]:
    for view in at:
        yield from behind(views, view, column.lower()).published


def _picking(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The parts of a statement that decide which rows there are: all but the plain list of the outermost SELECT."""
    from sqlglot import exp

    if not isinstance(tree, exp.Select) or any(tree.args.get(clause) for clause in _WHOLE):
        yield tree
        return
    for clause, held in tree.args.items():
        parts = held if isinstance(held, list) else [held]
        for part in (each for each in parts if isinstance(each, exp.Expr)):
            if clause != "expressions":
                yield part
            else:
                yield from part.find_all(exp.Query)
