"""What of a data set an agreement exposes to its study: data columns it lists, and nothing else.

The patient key is known to the node, which counts persons by it; no view holds it as a column, and no
column that names a person ever enters one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.verdict import Denied, Reason, deny
from xinglin.terms.agreed import AgreedTerms
from xinglin.terms.grades import highest

FREE_TEXT = ("text",)


class ExposedTable(msgspec.Struct, frozen=True):
    """A published table cut down to what is agreed; ``patient_key`` is for the node's counting alone."""

    name: str
    columns: tuple[ColumnDescription, ...]
    patient_key: str
    grades: dict[str, str]


class StudyView(msgspec.Struct, frozen=True):
    """All that a study's queries at one hospital can reach."""

    data_set: str
    tables: tuple[ExposedTable, ...]
    grade: str

    def table(self, name: str) -> ExposedTable | None:
        """The table of that name, or ``None``."""
        return next((table for table in self.tables if table.name == name), None)

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes."""
        return canonical_digest(self)


def study_view(data_set: DataSetDescription, terms: AgreedTerms) -> StudyView | Denied:
    """The study's view of ``data_set`` under ``terms``, or every reason why there is none.

    Denied: a variable that is not published, is a person's key or an identifier, is free text, has no
    known grade, or is graded above the agreement.
    """
    wanted: dict[str, list[str]] = {}
    for variable in terms.variables:
        table, _, column = variable.partition(".")
        wanted.setdefault(table, []).append(column)
    reasons: list[Reason] = []
    tables = []
    for name, columns in wanted.items():
        found = data_set.table(name)
        if found is None:
            reasons.append(_reason(f"Table '{name}' is not published.", "Name a published table."))
            continue
        refused = [reason for column in columns for reason in _refusals(data_set, found, column, terms.grade)]
        reasons += refused
        if not refused:
            tables.append(_exposed(data_set, found, columns))
    if reasons:
        return Denied(tuple(reasons))
    if not tables:
        return deny("catalogue.nothing_exposed", "The agreement lists no variable.", "List what the study needs.")
    grade = highest(grade for table in tables for grade in table.grades.values())
    return StudyView(data_set.name, tuple(tables), grade or terms.grade)


def _reason(words: str, remedy: str) -> Reason:
    return Reason("catalogue.not_exposable", words, remedy)


def _refusals(data_set: DataSetDescription, table: TableDescription, name: str, covered: str) -> Iterator[Reason]:
    column, here = table.column(name), f"'{table.name}.{name}'"
    if column is None:
        yield _reason(f"{here} is not published.", "Name a published column.")
        return
    if column.role != "data":
        yield _reason(f"{here} names a person.", "Leave it out: persons are counted by the node.")
    if column.kind in FREE_TEXT:
        yield _reason(f"{here} is free text.", "Leave it out, or have it coded.")
    grade = data_set.grade_of(table.name, name)
    if grade is None or highest((grade, covered)) != covered:
        yield _reason(f"{here} is graded above the agreement.", "Leave it out, or have the grade agreed.")


def _exposed(data_set: DataSetDescription, table: TableDescription, columns: list[str]) -> ExposedTable:
    described = tuple(column for column in table.columns if column.name in columns)
    grades = {column.name: data_set.grade_of(table.name, column.name) or "" for column in described}
    return ExposedTable(table.name, described, table.patient_key, grades)
