"""A person's word on the grade of a column: kept for ever, with the suggestion that the person saw.

The newest word on a column stands until a higher grade is suggested than the person saw; then it has lapsed.
Where no word stands, the suggested grade holds. A grade may be raised freely; one below the suggestion needs a
reason, and stays marked. A grade never falls below what the description itself states.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from xinglin.catalogue.canonical import Physical
from xinglin.catalogue.grading import GradeSuggestion, suggest_grade
from xinglin.catalogue.model import ColumnDescription, DataSetDescription, TableDescription
from xinglin.catalogue.profile import ColumnProfile, LevelCount, TableProfile
from xinglin.kernel.canonical import canonical_digest
from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Denied, Reason
from xinglin.terms.grades import GRADES, highest

State = Literal["open", "as_suggested", "tightened", "loosened", "lapsed"]
STATES: dict[State, str] = {
    "open": "nobody confirmed it",
    "as_suggested": "confirmed as suggested",
    "tightened": "confirmed above the suggestion",
    "loosened": "confirmed below the suggestion, for a stated reason",
    "lapsed": "confirmed, and a higher grade is suggested since",
}

REASON_CHARACTERS = Limit("reason of a confirmation", 1_000, "characters")
NAME_CHARACTERS = Limit("name of who confirms", 200, "characters")

_HIGHEST = GRADES[-1]
_HOLDS: dict[str, Physical] = {
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
    "instant": "instant",
}


class GradeConfirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gave a column which grade, when, why, and what was suggested then. Version 1; append-only.

    ``reason``: in words; never empty where ``loosened``.
    """

    data_set: str
    table: str
    column: str
    grade: str
    by: str
    at: Instant
    suggestion: GradeSuggestion
    reason: str = ""
    version: int = 1

    @property
    def loosened(self) -> bool:
        """Whether the grade is below the one that was suggested."""
        return _rank(self.grade) < _rank(self.suggestion.grade)

    def digest(self) -> str:
        """``sha256:…`` of the canonical bytes: what the evidence log is shown, under a salt."""
        return canonical_digest(self)


class SettledGrade(msgspec.Struct, frozen=True):
    """The grade that holds for a column, from which suggestion, and the newest word on it."""

    table: str
    suggestion: GradeSuggestion
    grade: str
    state: State
    word: GradeConfirmation | None = None

    @property
    def confirmed(self) -> bool:
        """Whether a person's word stands."""
        return self.state not in ("open", "lapsed")


def confirm_grade(
    data_set: str, table: str, suggestion: GradeSuggestion, by: str, at: Instant, *, grade: str = "", reason: str = ""
) -> GradeConfirmation | Denied:
    """A person's word on one column, or every reason why it is none. ``grade``: by default the suggested one."""
    given = GradeConfirmation(
        data_set, table, suggestion.column, grade or suggestion.grade, by.strip(), at, suggestion, reason.strip()
    )
    reasons = []
    where = f"{table}.{suggestion.column}"
    if given.grade not in GRADES:
        reasons.append(_reason(f"'{given.grade[:20]}' is no grade.", f"Use one of {', '.join(GRADES)}."))
    if not _printable(given.by, NAME_CHARACTERS) or not given.by:
        reasons.append(_reason("Somebody confirms.", f"Name them, in at most {NAME_CHARACTERS.value} characters."))
    if not _printable(given.reason, REASON_CHARACTERS):
        words = f"A reason has at most {REASON_CHARACTERS.value} printable characters."
        reasons.append(_reason(words, "Shorten it."))
    if given.loosened and not given.reason:
        words = f"{where} is suggested as {suggestion.grade} ({suggestion.why}): {given.grade} is below it."
        reasons.append(_reason(words, "State a reason, or take the suggested grade."))
    return Denied(tuple(reasons)) if reasons else given


def settled_grades(
    suggestions: Mapping[str, Sequence[GradeSuggestion]], words: Iterable[GradeConfirmation]
) -> tuple[SettledGrade, ...]:
    """One grade for each suggested column, by table. ``words``: of one data set, oldest first.

    Guarantee: without a standing word no grade is below the suggested one.
    """
    newest = {(word.table, word.column): word for word in words}
    return tuple(
        _settled(table, one, newest.get((table, one.column)))
        for table in sorted(suggestions)
        for one in suggestions[table]
    )


def settled_description(description: DataSetDescription, settled: Iterable[SettledGrade]) -> DataSetDescription:
    """The description with each data column's grade raised to the one that holds; none is lowered."""
    grades = {(one.table, one.suggestion.column): one.grade for one in settled}
    tables = tuple(_raised(table, grades) for table in description.tables)
    return msgspec.structs.replace(description, tables=tables)


def regraded(description: DataSetDescription, settled: Sequence[SettledGrade]) -> DataSetDescription:
    """The description with the grades that hold: raised, or lowered where a person's word stands.

    No grade falls below its table's.
    """
    grades = {(one.table, one.suggestion.column): one.grade for one in settled if one.confirmed}
    tables = tuple(_lowered(table, grades) for table in description.tables)
    return settled_description(msgspec.structs.replace(description, tables=tables), settled)


def unconfirmed(description: DataSetDescription, settled: Iterable[SettledGrade]) -> tuple[SettledGrade, ...]:
    """Those of the description's data columns on which no word stands."""
    published = {(table.name, one.name) for table in description.tables for one in table.columns if one.role == "data"}
    return tuple(one for one in settled if (one.table, one.suggestion.column) in published and not one.confirmed)


def described_suggestions(description: DataSetDescription) -> dict[str, tuple[GradeSuggestion, ...]]:
    """What is suggested for the data columns by their description alone, without counting a row."""
    return {
        table.name: tuple(_by_description(table, column) for column in table.columns if column.role == "data")
        for table in description.tables
    }


def stricter_suggestions(
    counted: Mapping[str, Sequence[GradeSuggestion]], described: Mapping[str, Sequence[GradeSuggestion]]
) -> dict[str, tuple[GradeSuggestion, ...]]:
    """Of two suggestions for a column, the higher grade; of two alike, what was counted."""
    found: dict[str, tuple[GradeSuggestion, ...]] = {}
    for table in sorted({*counted, *described}):
        first = {one.column: one for one in counted.get(table, ())}
        for one in described.get(table, ()):
            known = first.get(one.column)
            if known is None or _rank(one.grade) > _rank(known.grade):
                first[one.column] = one
        found[table] = tuple(first.values())
    return found


def _settled(table: str, suggestion: GradeSuggestion, word: GradeConfirmation | None) -> SettledGrade:
    if word is None:
        return SettledGrade(table, suggestion, suggestion.grade, "open")
    if _rank(suggestion.grade) > _rank(word.suggestion.grade):
        return SettledGrade(table, suggestion, highest((suggestion.grade, word.grade)) or _HIGHEST, "lapsed", word)
    state: State = "as_suggested"
    if word.loosened:
        state = "loosened"
    elif _rank(word.grade) > _rank(suggestion.grade):
        state = "tightened"
    return SettledGrade(table, suggestion, word.grade, state, word)


def _raised(table: TableDescription, grades: Mapping[tuple[str, str], str]) -> TableDescription:
    columns = []
    for column in table.columns:
        holds = grades.get((table.name, column.name), "")
        if column.role == "data" and holds and _rank(holds) > _rank(column.grade or table.grade):
            columns.append(msgspec.structs.replace(column, grade=holds))
        else:
            columns.append(column)
    return msgspec.structs.replace(table, columns=tuple(columns))


def _lowered(table: TableDescription, grades: Mapping[tuple[str, str], str]) -> TableDescription:
    columns = []
    for column in table.columns:
        word = grades.get((table.name, column.name), "")
        grade = word if _rank(word) > _rank(table.grade) else ""
        columns.append(msgspec.structs.replace(column, grade=grade) if word and column.role == "data" else column)
    return msgspec.structs.replace(table, columns=tuple(columns))


def _by_description(table: TableDescription, column: ColumnDescription) -> GradeSuggestion:
    levels = tuple(LevelCount(level, 0) for level in column.levels)
    profile = ColumnProfile(column.name, _HOLDS.get(column.kind, "text"), 0, 0, 0, levels=levels)
    return suggest_grade(TableProfile(table.name, 0, 0, (profile,)), profile, min_persons=0)


def _rank(grade: str) -> int:
    """An unknown grade is above every known one: it is never taken for a lower."""
    return GRADES.index(grade) if grade in GRADES else len(GRADES)


def _printable(text: str, limit: Limit) -> bool:
    return len(text) <= limit.value and (not text or text.isprintable())


def _reason(words: str, remedy: str) -> Reason:
    return Reason("catalogue.bad_confirmation", words, remedy)
