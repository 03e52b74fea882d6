"""The grades of a node's data sets: what is suggested by counting, what persons said, and their new words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xinglin.catalogue.confirming import (
    GradeConfirmation,
    SettledGrade,
    confirm_grade,
    described_suggestions,
    settled_grades,
    stricter_suggestions,
)
from xinglin.catalogue.grading import GradeSuggestion
from xinglin.catalogue.model import DataSetDescription
from xinglin.kernel.instants import Clock, system_clock
from xinglin.kernel.verdict import Denied, Reason
from xinglin.lake.delta import Lake
from xinglin.lake.quality_coverage import count_for_statement
from xinglin.node.intake.wiring import grade_words, open_grade_words
from xinglin.wire.errors import Refused


def settled_now(
    folder: Path, lake: Lake, description: DataSetDescription, clock: Clock = system_clock
) -> tuple[SettledGrade, ...]:
    """The grade of each column by what the lake holds now, what the description says, and what persons said."""
    counted = count_for_statement(lake, description, clock()).suggestions
    suggestions = stricter_suggestions(counted, described_suggestions(description))
    return settled_grades(suggestions, grade_words(folder, description.name))


def keep_grades(
    folder: Path,
    data_set: str,
    settled: tuple[SettledGrade, ...],
    asked: Mapping[tuple[str, str], str],
    by: str,
    reason: str,
    clock: Clock = system_clock,
) -> tuple[SettledGrade, ...]:
    """Keep a person's word on the asked columns (a grade, or empty for the suggested), all or none.

    Raises ``Refused`` with every reason why a word is none.
    """
    at = clock()
    words: list[GradeConfirmation] = []
    refused: list[Reason] = []
    for one in settled:
        grade = asked.get((one.table, one.suggestion.column))
        if grade is None:
            continue
        word = confirm_grade(data_set, one.table, one.suggestion, by, at, grade=grade, reason=reason)
        if isinstance(word, Denied):
            refused += word.reasons
        else:
            words.append(word)
    if refused:
        raise Refused(tuple(dict.fromkeys(refused)))
    store = open_grade_words(folder)
    try:
        store.keep(words)
    finally:
        store.close()
    return settled_grades(_suggestions(settled), grade_words(folder, data_set))


def grade_history(folder: Path, data_set: str) -> tuple[GradeConfirmation, ...]:
    """Every word on a data set's grades, oldest first."""
    store = open_grade_words(folder)
    try:
        return tuple(store.history(data_set))
    finally:
        store.close()


def _suggestions(settled: tuple[SettledGrade, ...]) -> dict[str, list[GradeSuggestion]]:
    found: dict[str, list[GradeSuggestion]] = {}
    for one in settled:
        found.setdefault(one.table, []).append(one.suggestion)
    return found
