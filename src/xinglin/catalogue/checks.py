"""Whether a description may be published: every word known, every range a range, one patient key a table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.catalogue.model import KINDS, ROLES, ColumnDescription, DataSetDescription, TableDescription
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Denied, Reason, Verdict
from xinglin.terms.grades import GRADES
from xinglin.terms.request import is_did, is_name

TABLES = Limit("tables a data set", 256, "tables")
COLUMNS = Limit("columns a table", 1_024, "columns")
LEVELS = Limit("levels a column", 1_000, "levels")
LEVEL_CHARACTERS = Limit("level", 200, "characters")
WORDS_CHARACTERS = Limit("words of a description", 1_000, "characters")

PERSON = "patient"
"""The patient key of every canonical table that holds patients."""
_OWN_PERSON = "person"
"""A canonical table has no such column: one so named is the hospital's own, and views fail where it is not."""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}\Z")


def check_data_set(description: DataSetDescription) -> Verdict:
    """Whether ``description`` may be published, with every reason why not."""
    reasons = [*_head(description)]
    for table in description.tables:
        reasons += _table(table)
        if table.grade in GRADES and description.grade in GRADES and table.grade < description.grade:
            reasons.append(_reason(f"Table '{table.name}' is graded below its data set.", "Raise its grade."))
    return Denied(tuple(reasons)) if reasons else Allowed()


def _reason(words: str, remedy: str) -> Reason:
    return Reason("catalogue.bad_description", words, remedy)


def _head(description: DataSetDescription) -> Iterator[Reason]:
    if description.version != 1:
        yield _reason(f"Version {description.version} of a description is not known here.", "Upgrade.")
    if not is_name(description.name) or not is_did(description.provider):
        yield _reason("A data set has a plain name and its provider's DID.", "Name both.")
    if not _words(description.title) or not description.title:
        yield _reason("A data set has a title of printable characters.", "Give it a title.")
    if description.grade not in GRADES:
        yield _reason("The data set has no known grade.", f"Use one of {', '.join(GRADES)}.")
    names = [table.name.lower() for table in description.tables]
    if not 1 <= len(names) <= TABLES.value or len(set(names)) != len(names):
        yield _reason(f"A data set has 1 to {TABLES.value} tables of different names.", "Rename or split.")


def _table(table: TableDescription) -> Iterator[Reason]:
    where = f"Table '{table.name[:63]}'"
    if not plain_name(table.name):
        yield _reason(f"{where} has no plain name.", "Use letters, digits and _, beginning with a letter.")
    if table.grade not in GRADES:
        yield _reason(f"{where} has no known grade.", f"Use one of {', '.join(GRADES)}.")
    if not _words(table.words):
        yield _reason(f"{where}: its words are too long or not printable.", "Shorten them.")
    names = [column.name.lower() for column in table.columns]
    if not 1 <= len(names) <= COLUMNS.value or len(set(names)) != len(names):
        yield _reason(f"{where} has 1 to {COLUMNS.value} columns of different names.", "Rename or split.")
    keys = [column.name for column in table.columns if column.role == "person"]
    if keys != [table.patient_key]:
        yield _reason(f"{where} has one column of role person, its patient key.", "Declare the patient key.")
    canonical = canonical_table(table.name)
    if canonical is not None and canonical.of_person and table.patient_key not in (PERSON, _OWN_PERSON):
        words = f"{where} is a canonical table of persons: its patient key is '{PERSON}'."
        yield _reason(words, "Declare that column as the patient key, or name the table otherwise.")
    if canonical is not None and not canonical.of_person:
        yield _reason(f"{where} is a canonical table that holds no patients.", "Leave it out, or name it otherwise.")
    for column in table.columns:
        yield from _column(where, table, column)


def _column(where: str, table: TableDescription, column: ColumnDescription) -> Iterator[Reason]:
    here = f"{where}, column '{column.name[:63]}'"
    if not plain_name(column.name):
        yield _reason(f"{here} has no plain name.", "Use letters, digits and _, beginning with a letter.")
    if column.role not in ROLES or column.kind not in KINDS:
        yield _reason(f"{here} has an unknown role or kind.", f"Roles: {', '.join(ROLES)}; kinds: {', '.join(KINDS)}.")
    if column.grade and (column.grade not in GRADES or column.grade < table.grade):
        yield _reason(f"{here} is graded below its table or not at all.", "A column raises its table's grade.")
    if not _words(column.words) or not _words(column.unit):
        yield _reason(f"{here}: its words are too long or not printable.", "Shorten them.")
    if column.role == "data" and column.kind in ("number", "integer"):
        yield from _range(here, column)
    elif column.low is not None or column.high is not None:
        yield _reason(f"{here} has a range, and is no number.", "Drop the range.")
    if column.kind == "category" and column.role == "data":
        yield from _levels(here, column)
    elif column.levels:
        yield _reason(f"{here} has levels, and is no category.", "Drop the levels.")


def _range(here: str, column: ColumnDescription) -> Iterator[Reason]:
    low, high = column.low, column.high
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high) and low < high):
        yield _reason(f"{here} has no published range.", "State low and high, low below high.")
    elif column.kind == "integer" and not (float(low).is_integer() and float(high).is_integer()):
        yield _reason(f"{here} holds integers, its range does not.", "State whole numbers.")


def _levels(here: str, column: ColumnDescription) -> Iterator[Reason]:
    levels = column.levels
    if not 1 <= len(levels) <= LEVELS.value or len(set(levels)) != len(levels):
        yield _reason(f"{here} has 1 to {LEVELS.value} different levels.", "List its levels, or describe it as text.")
    if any(not level or len(level) > LEVEL_CHARACTERS.value or not level.isprintable() for level in levels):
        yield _reason(f"{here} has a level that is empty, too long or not printable.", "Rename the level.")


def _words(text: str) -> bool:
    return len(text) <= WORDS_CHARACTERS.value and (not text or text.isprintable())


def plain_name(name: str) -> bool:
    """Whether a table or column name is letters, digits and ``_``, at most 63, and not one of ours (``__…``)."""
    return bool(_PLAIN.match(name))
