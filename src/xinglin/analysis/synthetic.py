"""From the columns of an admitted query to the schema of a synthetic table: published facts and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xinglin.analysis.admit_model import OutputColumn
from xinglin.kernel.verdict import Denied, Reason
from xinglin.privacy.synthesis.errors import SynthesisError
from xinglin.privacy.synthesis.linked import Child, Linked
from xinglin.privacy.synthesis.schema import Column, Schema
from xinglin.terms.synthetic import PERSONS, SyntheticAsk

KEY = "person"
"""The column that names a made-up person where several tables hang together."""
_KINDS = frozenset({"number", "category", "boolean"})


MARKED_STEPS = 40
"""A number that can carry a mark has so many steps of its last decimal in its published range."""
MARKED_ROWS = 1_000
"""Without such a number a mark goes into a category, one row in eight: fewer rows would not name anybody."""


def shape_of(
    ask: SyntheticAsk, columns: Iterable[OutputColumn], more: Iterable[Iterable[OutputColumn]] = ()
) -> Schema | Linked | Denied:
    """The schema of what is asked for: of one table, or of several that hang together.

    ``Denied`` where a domain is not published, tables do not fit, or a table could not carry its recipient's mark:
    before anything is paid.
    """
    found = linked_of(ask, columns, more) if ask.children else schema_of_query(columns, ask)
    if isinstance(found, Denied):
        return found
    tables = [found] if isinstance(found, Schema) else [found.schema, *(child.schema for child in found.children)]
    for schema in tables:
        if not any(_carries(column) for column in schema.columns):
            texts = any(column.kind in ("category", "boolean") for column in schema.columns)
            if not texts or ask.rows < MARKED_ROWS:
                words = "No number of a table has a range wide enough to carry the recipient's mark."
                remedy = f"Ask for such a number too, or for {MARKED_ROWS} rows or more with a category."
                return Denied((Reason("synthetic.no_mark", words, remedy),))
    return found


def _carries(column: Column) -> bool:
    if column.kind not in ("integer", "number"):
        return False
    return column.kind == "number" or float(column.high or 0) - float(column.low or 0) >= MARKED_STEPS


def schema_of_query(columns: Iterable[OutputColumn], ask: SyntheticAsk) -> Schema | Denied:
    """The schema of a query's columns; ``Denied`` names every column whose domain is not published.

    ``ask.dates``: columns of whole days since 1970-01-01 that are dates, in the range ``ask.days``.
    """
    columns = tuple(columns)
    reasons = tuple(reason for one in columns for reason in _faults(one, ask))
    if reasons:
        return Denied(reasons)
    try:
        return Schema(tuple(_column(one, ask) for one in columns))
    except SynthesisError as error:
        return Denied((Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))


def linked_of(
    ask: SyntheticAsk, columns: Iterable[OutputColumn], more: Iterable[Iterable[OutputColumn]]
) -> Linked | Denied:
    """The schema of several tables: the plan's own SELECT is of persons; ``more``: one query's columns a child."""
    person = schema_of_query(columns, ask)
    if isinstance(person, Denied):
        return person
    children = []
    for child, theirs in zip(ask.children, more, strict=True):
        schema = schema_of_query(theirs, ask)
        if isinstance(schema, Denied):
            return schema
        children.append(Child(child.name, schema, KEY, child.rows_per_person, child.given, child.weight))
    try:
        return Linked(PERSONS, person, KEY, tuple(children))
    except SynthesisError as error:
        return Denied((Reason(error.code, f"{error.what} {error.why}".strip(), error.remedy),))


def _faults(column: OutputColumn, ask: SyntheticAsk) -> Iterator[Reason]:
    name = column.name
    if column.kind == "number" and name in ask.dates:
        return
    if column.kind not in _KINDS:
        yield Reason("synthetic.no_domain", f"{name!r} is a key or a text: no synthetic row has one.", "Leave it out.")
    elif column.kind == "number" and (column.low is None or column.high is None):
        remedy = f"Bound it in the query: LEAST(GREATEST({name}, low), high) AS {name}."
        yield Reason("synthetic.no_domain", f"{name!r} has no published range.", remedy)
    elif column.kind == "category" and not column.levels:
        remedy = "Choose the levels in the query, by CASE, or ask the hospital to publish them."
        yield Reason("synthetic.no_domain", f"{name!r} has no published levels.", remedy)


def _column(one: OutputColumn, ask: SyntheticAsk) -> Column:
    if one.kind == "category":
        return Column(one.name, levels=one.levels)
    if one.kind == "boolean":
        return Column(one.name, "boolean")
    if one.name in ask.dates:
        return Column(one.name, "date", low=float(ask.days[0]), high=float(ask.days[1]))
    low, high = one.low or 0.0, one.high or 0.0
    if one.integer:
        low, high = float(low // 1), float(-(-high // 1))
    kind = "integer" if one.integer else "number"
    return Column(one.name, kind, low=low, high=high if high > low else low + 1)
