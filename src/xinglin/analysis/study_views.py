"""The views that a study's SQL is admitted over: the agreement's cohort over the published tables.

The same route at every hospital and where the analyst sits: published facts and text only, no row.
"""

from __future__ import annotations

import msgspec

from xinglin.analysis.admit import Admitted, ViewColumn, ViewSchema, admit
from xinglin.catalogue.model import ColumnDescription
from xinglin.catalogue.views import ExposedTable
from xinglin.kernel.verdict import Denied
from xinglin.terms.agreed import CohortView

_KINDS = {"integer": "number", "instant": "date"}


class StudyViews(msgspec.Struct, frozen=True):
    """``schemas``: what the study's SQL may name. ``selects``: a cohort view's relation and person-scoped SELECT."""

    schemas: dict[str, ViewSchema]
    selects: tuple[tuple[str, str], ...] = ()

    def admit(self, sql: str) -> Admitted | Denied:
        """The study's query over these views."""
        return admit(sql, self.schemas)


def published_relation(table: str) -> str:
    """The name under which a published table stands in the engine, where no query can spell it."""
    return f"__published_{table}"


def study_views(tables: tuple[ExposedTable, ...], cohort: tuple[CohortView, ...]) -> StudyViews | Denied:
    """The views of ``cohort`` over the exposed ``tables``; without a cohort, the tables themselves."""
    exposed = {table.name: _schema(table) for table in tables}
    if not cohort:
        return StudyViews(exposed)
    schemas: dict[str, ViewSchema] = {}
    selects: list[tuple[str, str]] = []
    for position, view in enumerate(cohort):
        admitted = admit(view.select, exposed, cohort=True)
        if isinstance(admitted, Denied):
            words = (msgspec.structs.replace(r, words=f"View {view.name!r}: {r.words}") for r in admitted.reasons)
            return Denied(tuple(words))
        relation = f"__view_{position}"
        selects.append((relation, admitted.sql_rewritten))
        columns = (column.as_view_column() for column in admitted.columns)
        graded = tuple(msgspec.structs.replace(column, grade=admitted.grade) for column in columns)
        schemas[view.name] = ViewSchema(graded, relation)
    return StudyViews(schemas, tuple(selects))


def _schema(table: ExposedTable) -> ViewSchema:
    columns = tuple(_view_column(column, table.grades[column.name]) for column in table.columns)
    return ViewSchema(columns, published_relation(table.name))


def _view_column(column: ColumnDescription, grade: str) -> ViewColumn:
    return ViewColumn(
        column.name,
        _KINDS.get(column.kind, column.kind),
        column.low,
        column.high,
        column.levels,
        grade,
        column.kind == "integer",
        identifier=column.role != "data",
    )
