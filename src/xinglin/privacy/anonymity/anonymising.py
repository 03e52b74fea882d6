"""A table made anonymous: columns coded, cut into classes, recoded, measured before and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xinglin.privacy.anonymity.coding import Coded, code_column, code_values, column_of, matrix_of, rows_of
from xinglin.privacy.anonymity.errors import BadColumns
from xinglin.privacy.anonymity.measures import equal_rows, loss_of, persons_of_classes, risks_of
from xinglin.privacy.anonymity.model import (
    QUASI_COLUMNS,
    ROWS,
    Anonymised,
    Array,
    Columns,
    Quasi,
    Risks,
    Rules,
)
from xinglin.privacy.anonymity.mondrian import Classes, Engine, cut_into_classes, with_bounds
from xinglin.privacy.anonymity.recode import labels_of
from xinglin.privacy.anonymity.rulebook import code_sensitive


def anonymise(
    columns: Columns,
    quasi: Sequence[Quasi],
    rules: Rules,
    persons: Array | None = None,
    population: Array | None = None,
    linked: bool = True,
    engine: Engine = "compiled",
    cores: int = 2,
) -> Anonymised:
    """A table in which every row is like those of at least ``rules.k`` persons in the ``quasi`` columns.

    ``columns``: arrays of equal length (int64, float64 with NaN, or object arrays of texts and None; dates as
    days). ``persons``: the person of each row, any of those types; without it a row is a person. Columns
    that are neither in ``quasi`` nor constant are handed on as they are: whoever calls decides which those
    are. ``population``: how many persons of the population look like each row of ``columns``, for the
    journalist's risk of the input. ``linked``: the release tells which rows are one person's (a pseudonym, or
    what amounts to one), so that all rows of a person go into one class; False where it does not and a
    person's rows may stand in several classes. ``engine``: *compiled*, or the slow *reference* with the same result;
    ``cores``: threads for tables of 200,000 rows and more.

    Raises ``TooFewPersons``, ``UnknownLevel``, ``Unreachable``, ``BadColumns``, ``BadRules``,
    ``LimitExceeded``.

    Guarantee: k-anonymity in persons over the quasi columns, l-diversity and t-closeness in persons of each
    sensitive column as ``rules`` say, each column by itself (Sweeney 2002; Machanavajjhala et al. 2007; Li et
    al. 2007). Not protected: what follows from knowing that somebody has or has not a sensitive value, from
    columns not named here, or from several releases taken together (``compare_releases``). With ``linked`` k
    holds for whoever knows all rows of a person, without it for whoever knows one.
    """
    rows = rows_of(columns)
    ROWS.check(rows)
    _check_names(columns, quasi, rules, rows)
    coded = [code_column(columns, one) for one in quasi]
    shown = code_sensitive(columns, rules.held())
    people = code_persons(persons, rows)
    matrix = matrix_of(coded, rows)
    together = people is not None and linked
    cut = whole_persons(matrix, people) if together and people is not None else matrix
    classes = cut_into_classes(coded, rules, shown, people, matrix=cut, engine=engine, cores=cores)
    if cut is not matrix:
        classes = with_bounds(classes.order, classes.starts, matrix[classes.order])
    groups, many = equal_rows(matrix, compiled=engine == "compiled")
    return recoded(columns, coded, classes, rules, people, risks_of(groups, many, people, population))


def whole_persons(matrix: Array, people: Array) -> Array:
    """Every row with the lowest codes of its person, so that a cut never parts a person's rows."""
    order = np.argsort(people, kind="stable")
    begins = np.flatnonzero(np.diff(people[order], prepend=-1))
    if len(begins) == len(people):
        return matrix
    lowest = np.minimum.reduceat(matrix[order], begins, axis=0)
    together = np.empty_like(matrix)
    together[order] = np.repeat(lowest, np.diff(np.append(begins, len(people))), axis=0)
    return together


def recoded(
    columns: Columns,
    coded: Sequence[Coded],
    classes: Classes,
    rules: Rules,
    people: Array | None,
    before: Risks,
) -> Anonymised:
    """The table with its classes recoded, and what that cost."""
    rows = rows_of(columns)
    number = classes.of_rows(rows)
    kept = np.flatnonzero(number >= 0) if len(classes.order) < rows else np.arange(rows)
    whole = len(kept) == rows
    mine = number if whole else number[kept]
    out = {
        name: np.asarray(column)[kept] if len(kept) < rows else np.asarray(column) for name, column in columns.items()
    }
    for j, one in enumerate(coded):
        out[one.name] = labels_of(one, classes.low[:, j], classes.high[:, j])[mine]
    staying = None if people is None else people[kept]
    return Anonymised(
        out,
        mine,
        kept,
        loss_of(coded, classes, rows, rules.k),
        before,
        risks_of(mine, len(classes.starts), staying),
        int(persons_of_classes(mine, len(classes.starts), staying).min(initial=rows)),
    )


def code_persons(persons: Array | None, rows: int) -> Array | None:
    """The person of each row as a whole number; every row needs one."""
    if persons is None:
        return None
    column = column_of({"persons": persons}, "persons", rows)
    codes, _, missing = code_values(column)
    if missing >= 0:
        raise BadColumns(
            "A row without a person.",
            why="Classes are counted in persons; whom a row belongs to must be known.",
            remedy="Give every row its person, or leave the persons out and count rows.",
        )
    return codes.astype(np.int64)


def _check_names(columns: Columns, quasi: Sequence[Quasi], rules: Rules, rows: int) -> None:
    QUASI_COLUMNS.check(len(quasi))
    names = [one.name for one in quasi]
    if not names or len(set(names)) != len(names):
        raise BadColumns("No quasi-identifying column, or one named twice.", remedy="Name each once.")
    if set(names) & {one.name for one in rules.held()}:
        raise BadColumns(
            "A column is both quasi-identifying and sensitive.",
            why="Recoding it would hide what its own rule is measured on.",
            remedy="Name it in one of the two.",
        )
    for name in columns:
        column_of(columns, name, rows)
