"""From a formula and the published domain to the columns of a model matrix.

A *piece* is a product of numeric factors with the interval that published ranges give it; a design
column is a piece, or an indicator of levels, or their product. Categories are coded against a reference
level exactly where the terms before leave no room for all levels (Wilkinson–Rogers; the algorithm is
that of patsy's ``contrast`` documentation). Columns are centred and scaled for the sums and the
coefficients taken back in closed form: if z = (c − a)/d then β = γ/d and β₀ = γ₀ − Σ γ·a/d.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from xinglin.analysis import arithmetic
from xinglin.analysis.errors import BadParameters, NoPublishedRange, UnknownColumn
from xinglin.analysis.formula import Categorical, Factor, Formula, Log, Numeric, Power, Spline, Term
from xinglin.analysis.table import LEVELS, Column, Domain, Floats, Table, column_of
from xinglin.kernel.limits import Limit

PARAMETERS = Limit("parameters a model", 256, "parameters")
NUMBER_LEVELS = Limit("levels of C() on whole numbers", 64, "levels")


Number = TypeVar("Number", float, Floats)


class Piece(msgspec.Struct, frozen=True):
    """A product of numeric factors (each with the index of its basis function) and its interval."""

    factors: tuple[tuple[Factor, int], ...]
    label: str
    low: float
    high: float


class Coded(msgspec.Struct, frozen=True):
    """A categorical factor: its column, how it is named, its levels, and the declared reference."""

    column: str
    label: str
    levels: tuple[str, ...]
    reference: int | None = None


class DesignColumn(msgspec.Struct, frozen=True):
    """One column of the matrix: ``piece`` (−1: none) times the indicator of every (column, level)."""

    label: str
    piece: int
    levels: tuple[tuple[str, int], ...] = ()


Observed = Mapping[str, Sequence[int]]
"""The levels of each categorical column that the pooled data has, ascending."""


class Design:
    """The model matrix of a formula on a domain: same columns at every hospital.

    Raises ``UnknownColumn``, ``NoPublishedRange`` or ``BadParameters`` with what would be right.
    """

    def __init__(self, formula: Formula, domain: Domain) -> None:
        self.formula, self._domain = formula, domain
        self.coded: dict[str, Coded] = {}
        self.pieces: list[Piece] = []
        self._terms = [self._split(term) for term in formula.terms]
        self.response = _piece(((formula.response, 0),), domain, formula.response.label)

    @property
    def centred(self) -> bool:
        """Whether numeric columns may be centred: only an intercept can take the shift back."""
        return self.formula.intercept

    def crossings(self) -> tuple[tuple[str, ...], ...]:
        """The sets of category-like columns that terms cross; each gives cells that must be filled.

        A boolean, or a whole number from 0 to 1, counts as a category here although it enters the
        matrix as a number.
        """
        sets: dict[tuple[str, ...], None] = {}
        for term in self.formula.terms:
            names = [f.column for f in term if self._is_cell(f)]
            if names:
                sets.setdefault(tuple(dict.fromkeys(names)))
        return tuple(sets)

    def levels_of(self, name: str) -> tuple[str, ...]:
        """The published levels of a category-like column."""
        return levels_of(column_of(self._domain, name))

    def columns(self, observed: Observed) -> tuple[DesignColumn, ...]:
        """The columns of the matrix for these observed levels, the intercept first."""
        used: dict[frozenset[int], set[frozenset[str]]] = {}
        columns: list[DesignColumn] = []
        if self.formula.intercept:
            columns.append(DesignColumn("Intercept", -1))
            used[frozenset()] = {frozenset()}
        for pieces, names in self._terms:
            seen = used.setdefault(frozenset(pieces), set())
            for coding in _codings(names, seen):
                columns += self._coded_columns(pieces, coding, observed)
        PARAMETERS.check(len(columns))
        return tuple(columns)

    def fill(
        self,
        matrix: Floats,
        table: Table,
        rows: slice,
        columns: Sequence[DesignColumn],
        shift: Sequence[float],
        scale: Sequence[float],
    ) -> None:
        """Write the standardised columns of these rows into ``matrix``, shape (rows, columns)."""
        cache: dict[int, Floats] = {}
        for j, column in enumerate(columns):
            if column.piece < 0:
                matrix[:, j] = 1.0
            else:
                if column.piece not in cache:
                    cache[column.piece] = values_of(self.pieces[column.piece], table, rows)
                np.subtract(cache[column.piece], shift[j], out=matrix[:, j])
                matrix[:, j] /= scale[j]
            for name, level in column.levels:
                matrix[:, j] *= codes_of(table, column_of(self._domain, name), rows) == level

    def _split(self, term: Term) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """(indices of the numeric pieces, names of the categorical columns) of one term."""
        numeric: list[list[tuple[Factor, int]]] = []
        labels: list[str] = []
        names: list[str] = []
        for factor in term:
            column = column_of(self._domain, factor.column)
            if isinstance(factor, Categorical) or (isinstance(factor, Numeric) and column.kind == "category"):
                self._code(factor, column)
                names.append(column.name)
            else:
                width = len(factor.knots) + 1 if isinstance(factor, Spline) else 1
                numeric.append([(factor, k) for k in range(width)])
                labels.append(factor.label)
        if not numeric:
            return (), tuple(names)
        indices = []
        for combination in itertools.product(*numeric):
            label = ":".join(_name(factor, k) for factor, k in combination)
            indices.append(self._index(_piece(tuple(combination), self._domain, label)))
        return tuple(indices), tuple(names)

    def _index(self, piece: Piece) -> int:
        if piece not in self.pieces:
            self.pieces.append(piece)
        return self.pieces.index(piece)

    def _code(self, factor: Categorical | Numeric, column: Column) -> None:
        levels = levels_of(column)
        declared = factor.reference if isinstance(factor, Categorical) else None
        if declared is not None and declared not in levels:
            raise BadParameters(
                f"{declared!r} is not a level of {column.name!r}.", remedy=f"Levels: {', '.join(levels[:20])}."
            )
        reference = levels.index(declared) if declared is not None else None
        known = self.coded.get(column.name)
        coded = Coded(column.name, factor.label, levels, reference)
        if known is not None and known.reference is not None and reference not in (None, known.reference):
            raise BadParameters(f"{column.name!r} has two references.", remedy="Declare one.")
        if known is None or (known.reference is None and reference is not None):
            self.coded[column.name] = coded

    def _is_cell(self, factor: Factor) -> bool:
        if factor.column in self.coded and isinstance(factor, Categorical | Numeric):
            return True
        return isinstance(factor, Numeric) and is_binary(column_of(self._domain, factor.column))

    def _coded_columns(
        self, pieces: tuple[int, ...], coding: Sequence[tuple[str, bool]], observed: Observed
    ) -> list[DesignColumn]:
        choices = []
        for name, full in coding:
            coded = self.coded[name]
            levels = list(observed[name])
            if not full and levels:
                levels.remove(coded.reference if coded.reference in levels else levels[0])
            mark = "" if full else "T."
            choices.append([((name, k), f"{coded.label}[{mark}{coded.levels[k]}]") for k in levels])
        columns = []
        for piece in pieces or (-1,):
            for combination in itertools.product(*choices):
                labels = [label for _, label in combination] + ([self.pieces[piece].label] if piece >= 0 else [])
                columns.append(DesignColumn(":".join(labels), piece, tuple(level for level, _ in combination)))
        return columns


def is_binary(column: Column) -> bool:
    """Whether a column is a boolean, or a whole number from 0 to 1."""
    return column.kind == "boolean" or (
        column.kind == "number" and column.integer and column.low is not None and (column.low, column.high) == (0, 1)
    )


def levels_of(column: Column) -> tuple[str, ...]:
    """The levels of a category, ``0`` and ``1`` of a boolean, or the whole numbers of a short range."""
    if column.kind == "category":
        LEVELS.check(len(column.levels))
        return column.levels
    if column.kind == "boolean":
        return ("0", "1")
    low, high = column.range()
    if not column.integer:
        raise BadParameters(
            f"{column.name!r} is a number without levels.", remedy="Use it as a number, or group it in the query."
        )
    NUMBER_LEVELS.check(int(high - low) + 1)
    return tuple(str(k) for k in range(int(low), int(high) + 1))


def codes_of(table: Table, column: Column, rows: slice) -> Floats:
    """The level index of each of these rows of a category-like column, as float64; −1 where missing."""
    values = table.columns[column.name][rows].astype(np.float64, copy=False)
    if column.kind == "category":
        return values
    low = 0.0 if column.kind == "boolean" else column.range()[0]
    return np.where(np.isfinite(values), values - low, -1.0)


def values_of(piece: Piece, table: Table, rows: slice) -> Floats:
    """The values of a piece on these rows, shape (rows,); it may be a view of the table."""
    answer: Floats | None = None
    for factor, index in piece.factors:
        values = _evaluate(factor, index, table.columns[factor.column][rows].astype(np.float64, copy=False))
        answer = values if answer is None else answer * values
    if answer is None:
        raise BadParameters("A piece has at least one factor.")
    return answer


def _power(values: Number, exponent: int) -> Number:
    """By repeated multiplication: ``pow`` of two machines may differ in the last bit."""
    answer = values
    for _ in range(exponent - 1):
        answer = answer * values
    return answer


def _evaluate(factor: Factor, index: int, values: Floats) -> Floats:
    if isinstance(factor, Power):
        return _power(values, factor.exponent)
    if isinstance(factor, Log):
        return np.log(values)
    if isinstance(factor, Spline):
        return spline_basis(values, _knots_of(factor), index)
    return values


def spline_basis(values: Floats, knots: Sequence[float], index: int) -> Floats:
    """Function ``index`` of the natural cubic basis, 0 being linear, on the scale of the boundary.

    Linear beyond the boundary knots. Each function is zero at the first boundary and never falls, so
    its interval is given by its ends. Source: Hastie, Tibshirani, Friedman, The Elements of Statistical
    Learning (2009), equations 5.4 and 5.5.
    """
    width = knots[-1] - knots[0]
    t = (np.asarray(values, dtype=np.float64) - knots[0]) / width
    if index == 0:
        return t
    ends = [(knot - knots[0]) / width for knot in knots]

    def curve(k: int) -> Floats:
        above, beyond = np.maximum(t - ends[k], 0.0), np.maximum(t - ends[-1], 0.0)
        return (_power(above, 3) - _power(beyond, 3)) / (ends[-1] - ends[k])

    return curve(index - 1) - curve(len(ends) - 2)


def _knots_of(factor: Spline) -> tuple[float, ...]:
    if factor.boundary is None:
        raise BadParameters("A spline's boundary is set from the published range before it is evaluated.")
    return (factor.boundary[0], *factor.knots, factor.boundary[1])


def _name(factor: Factor, index: int) -> str:
    return f"{factor.label}[{index + 1}]" if isinstance(factor, Spline) else factor.label


def _piece(factors: tuple[tuple[Factor, int], ...], domain: Domain, label: str) -> Piece:
    bound: list[tuple[Factor, int]] = []
    low, high = 1.0, 1.0
    for factor, index in factors:
        ready = _with_boundary(factor, domain)
        bound.append((ready, index))
        ends = _interval(ready, index, domain)
        corners = [a * b for a in (low, high) for b in ends]
        low, high = min(corners), max(corners)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise NoPublishedRange(f"The range of {label!r} is too wide for a double.", remedy="Rescale it in the query.")
    return Piece(tuple(bound), label, low, high)


def _with_boundary(factor: Factor, domain: Domain) -> Factor:
    if not isinstance(factor, Spline):
        return factor
    low, high = column_of(domain, factor.column).range()
    boundary = factor.boundary or (low, high)
    if not boundary[0] < factor.knots[0] or not factor.knots[-1] < boundary[1]:
        raise BadParameters(
            f"The knots of {factor.column!r} lie inside its boundary.",
            remedy=f"The boundary is {boundary[0]:g} to {boundary[1]:g}; choose knots between.",
        )
    return Spline(factor.column, factor.knots, boundary)


def _interval(factor: Factor, index: int, domain: Domain) -> tuple[float, float]:
    column = column_of(domain, factor.column)
    if column.kind == "category":
        raise UnknownColumn(f"{column.name!r} is a category, not a number.", remedy=f"Write C({column.name}).")
    low, high = column.range()
    if isinstance(factor, Power):
        ends = (_power(low, factor.exponent), _power(high, factor.exponent))
        least = 0.0 if low < 0 < high and factor.exponent % 2 == 0 else min(ends)
        return least, max(ends)
    if isinstance(factor, Log):
        if low <= 0:
            raise NoPublishedRange(
                f"log({column.name}) needs a published range above zero.",
                remedy=f"Bound it in the query: GREATEST({column.name}, some positive number).",
            )
        return arithmetic.log(low), arithmetic.log(high)
    if isinstance(factor, Spline):
        ends_array = spline_basis(np.asarray([low, high]), _knots_of(factor), index)
        return float(ends_array[0]), float(ends_array[1])
    return low, high


def _codings(names: tuple[str, ...], seen: set[frozenset[str]]) -> list[list[tuple[str, bool]]]:
    """How to code the categories of a term so that it adds what no earlier term spans, and no more.

    Each answer lists (column, all levels?). ``seen`` holds the subsets that are spanned already, and
    takes up the new ones.
    """
    subsets = [frozenset(c) for size in range(len(names) + 1) for c in itertools.combinations(names, size)]
    fresh = [{name: False for name in names if name in subset} for subset in subsets if subset not in seen]
    seen.update(subsets)
    while _absorb_one(fresh):
        pass
    return [list(coding.items()) for coding in fresh]


def _absorb_one(codings: list[dict[str, bool]]) -> bool:
    """Merge one coding into a longer one that differs by a single contrast-coded column."""
    for i, short in enumerate(codings):
        for longer in codings[i + 1 :]:
            extra = longer.keys() - short.keys()
            if len(extra) == 1 and short.items() <= longer.items():
                longer[extra.pop()] = True
                del codings[i]
                return True
    return False
