"""Columns as level numbers and back: categories by their levels, numbers by bins, what is missing as a level.

Bins that are not published come from a noisy histogram over equal cells of the published range, closed where enough
persons were told; the same histogram says how values lie inside a bin when rows are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.synthesis.draw import Codes
from xinglin.privacy.synthesis.errors import BadColumns
from xinglin.privacy.synthesis.inference import Array
from xinglin.privacy.synthesis.meter import Meter
from xinglin.privacy.synthesis.schema import WHOLE, Column, Schema

Values = NDArray[Any]
Columns = dict[str, Values]
"""Arrays of equal length by name: int64, float64 (NaN is missing), or objects ``str | None``; dates in days."""

FINE_CELLS = 256
"""Cells of the noisy histogram from which bins are made."""
NOISES_A_BIN = 8
"""A bin holds at least this many standard deviations of noise."""


class Coding(msgspec.Struct, frozen=True):
    """How a column becomes level numbers. The last level is *missing* where the column has that.

    ``cells``: ends of the fine cells; ``bins``: which cell each bin begins with, and the end; ``weights``: how many
    were told in each cell, never below 0.
    """

    column: Column
    size: int
    cells: tuple[float, ...] = ()
    bins: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()


def rows_of(columns: Mapping[str, Values], schema: Schema) -> int:
    """The number of rows; raises ``BadColumns`` where columns lack, differ in length, or have the wrong kind."""
    lengths = set()
    for column in schema.columns:
        values = columns.get(column.name)
        if values is None or values.ndim != 1:
            raise BadColumns(f"There is no column {column.name!r} in what was given.")
        if column.numeric and values.dtype.kind not in "iufb":
            raise BadColumns(f"{column.name!r} does not hold numbers.", remedy="Use int64, or float64 with NaN.")
        if column.kind == "category" and values.dtype.kind not in "OU":
            raise BadColumns(f"{column.name!r} does not hold texts.", remedy="Use an array of objects: str or None.")
        lengths.add(len(values))
    if len(lengths) != 1:
        raise BadColumns("The columns differ in length.")
    return lengths.pop()


def find_codings(columns: Mapping[str, Values], schema: Schema, meter: Meter, rho_units: int) -> tuple[Coding, ...]:
    """The coding of each column; those without published bins share ``rho_units`` for noisy quantiles."""
    open_ones = [column.name for column in schema.columns if needs_quantiles(column)]
    codings = []
    for column in schema.columns:
        if not column.numeric:
            codings.append(Coding(column, _levels(column)))
        elif column.name in open_ones:
            cells = _with_ends(column, _cells(column))
            places = _place(np.asarray(columns[column.name]), column, cells)
            counts = np.bincount(places[places >= 0], minlength=len(cells) - 1).astype(np.int64)
            noisy, variance = meter.measure(f"quantiles of {column.name}", counts, rho_units // len(open_ones))
            codings.append(_quantiles(column, cells, simplex(noisy.astype(np.float64)), variance))
        else:
            ends = column.edges or tuple(map(float, _cells(column)))
            bins = tuple(range(len(ends)))
            codings.append(Coding(column, len(bins) - 1 + column.missing, ends, bins))
    return tuple(codings)


def plain_codings(schema: Schema) -> tuple[Coding, ...]:
    """Codings from published facts alone: published edges, or equal bins of the range: for comparing."""
    codings = []
    for column in schema.columns:
        if column.numeric:
            cells = np.asarray(column.edges) if column.edges else _cells(column)
            step = 1 if column.edges else -(-(len(cells) - 1) // column.bins)
            ends = (*map(float, cells[:-1:step]), float(cells[-1]))
            codings.append(Coding(column, len(ends) - 1 + column.missing, ends, tuple(range(len(ends)))))
        else:
            codings.append(Coding(column, _levels(column)))
    return tuple(codings)


def _levels(column: Column) -> int:
    return (2 if column.kind == "boolean" else len(column.levels)) + column.missing


def needs_quantiles(column: Column) -> bool:
    """Whether its bins have to be found with a part of the budget."""
    return column.numeric and not column.edges and len(_cells(column)) - 1 > column.bins


def simplex(values: Array, total: float | None = None) -> Array:
    """The nearest values that are not below 0 and have the same sum (at least 1). Source: Held et al. 1974."""
    wanted = max(float(values.sum()) if total is None else total, 1.0)
    falling = np.sort(values)[::-1]
    shift = (np.cumsum(falling) - wanted) / np.arange(1, len(values) + 1)
    found: Array = np.maximum(values - shift[np.flatnonzero(falling > shift)[-1]], 0.0)
    return found


def encode(columns: Mapping[str, Values], codings: Sequence[Coding]) -> Codes:
    """Level numbers, a column each; what is outside a range counts as its end, what is no level as missing."""
    found = [_encode(np.asarray(columns[coding.column.name]), coding) for coding in codings]
    return np.stack(found, axis=1).astype(np.int32)


def decode(codes: Codes, codings: Sequence[Coding], random: np.random.Generator) -> Columns:
    """Values for level numbers; numbers are drawn within their bins."""
    return {
        coding.column.name: _decode(codes[:, place].astype(np.int64), coding, random)
        for place, coding in enumerate(codings)
    }


def _cells(column: Column) -> Array:
    low, high = float(column.low or 0.0), float(column.high or 0.0)
    if column.kind in WHOLE:
        step = -(-(int(high) - int(low) + 1) // FINE_CELLS)
        return np.append(np.arange(int(low), int(high) + 1, step, dtype=np.float64), high + 1)
    return np.linspace(low, high, FINE_CELLS + 1)


def _with_ends(column: Column, cells: Array) -> Array:
    """The cells with one more for each end of the range alone: nought days, or what counts as an end, are many."""
    first, last = cells[0], cells[-1]
    if column.kind in WHOLE:
        ends = (first + 1, last - 1)
    else:
        ends = (float(np.nextafter(first, last)), float(np.nextafter(last, first)))
    return np.unique(np.concatenate([cells, ends]))


def _place(values: Values, column: Column, cells: Sequence[float] | Array) -> NDArray[np.int64]:
    """The cell of each value; -1 where it lacks."""
    numbers = values.astype(np.float64)
    inside = np.clip(np.where(np.isnan(numbers), float(column.low or 0.0), numbers), column.low, column.high)
    places = np.searchsorted(np.asarray(cells)[1:-1], inside, side="right").astype(np.int64)
    places[np.isnan(numbers)] = -1
    return places


def _quantiles(column: Column, cells: Array, weights: Array, variance: float) -> Coding:
    """Bins closed where they hold their share; a cell that holds one alone stands alone."""
    enough = max(float(weights.sum()) / column.bins, NOISES_A_BIN * float(np.sqrt(variance)))
    starts, held = [0], 0.0
    for place, weight in enumerate(weights):
        if held > 0 and weight >= enough and starts[-1] != place:
            starts.append(place)
            held = 0.0
        held += float(weight)
        if held >= enough and place + 1 < len(weights):
            starts.append(place + 1)
            held = 0.0
    if held < enough / 2 and len(starts) > 1:
        starts.pop()
    bins = (*starts, len(weights))
    size = len(starts) + column.missing
    return Coding(column, size, tuple(map(float, cells)), bins, tuple(map(float, weights)))


def _encode(values: Values, coding: Coding) -> NDArray[np.int64]:
    column = coding.column
    lacking = coding.size - 1 if column.missing else 0
    if column.numeric:
        places = _place(values, column, coding.cells)
        bins = np.searchsorted(np.asarray(coding.bins[1:-1]), places, side="right")
        return np.where(places < 0, lacking, bins).astype(np.int64)
    if column.kind == "boolean":
        return _truths(values, lacking)
    known = {level: number for number, level in enumerate(column.levels)}
    return np.fromiter((known.get(value, lacking) for value in values.tolist()), np.int64, len(values))


def _truths(values: Values, lacking: int) -> NDArray[np.int64]:
    if values.dtype.kind in "biuf":
        numbers = values.astype(np.float64)
        return np.where(np.isnan(numbers), lacking, (np.nan_to_num(numbers) != 0)).astype(np.int64)
    known = {"false": 0, "true": 1, False: 0, True: 1}
    return np.fromiter((known.get(value, lacking) for value in values.tolist()), np.int64, len(values))


def _decode(codes: NDArray[np.int64], coding: Coding, random: np.random.Generator) -> Values:
    column = coding.column
    gone = (codes == coding.size - 1) & column.missing
    if column.kind == "category":
        texts = np.array([*column.levels, *([None] if column.missing else [])], dtype=object)
        return texts[codes]
    if column.kind == "boolean":
        return np.where(gone, np.nan, codes) if column.missing else codes
    values = _within(np.where(gone, 0, codes), coding, random)
    if column.missing:
        return np.where(gone, np.nan, values)
    return values.astype(np.int64) if column.kind in WHOLE else values


def _within(codes: NDArray[np.int64], coding: Coding, random: np.random.Generator) -> Array:
    """A value inside each bin: a cell as often as it was told, then anywhere in the cell."""
    cells, bins = np.asarray(coding.cells), np.asarray(coding.bins)
    count = len(cells) - 1
    weights = np.asarray(coding.weights) if coding.weights else np.diff(cells)
    weights = weights + 1e-9 * (weights.sum() + 1.0) * np.diff(cells) / (cells[-1] - cells[0])
    ends = np.concatenate([[0.0], np.cumsum(weights)])
    first, last = ends[bins[codes]], ends[bins[codes + 1]]
    point = first + random.random(len(codes)) * (last - first)
    place = np.searchsorted(ends, point, side="right") - 1
    place = np.clip(place, bins[codes], np.minimum(bins[codes + 1], count) - 1)
    low, high = cells[place], cells[place + 1]
    values = low + random.random(len(codes)) * (high - low)
    # No rounding into the next cell; the last cell of numbers is the end of the range itself.
    values = np.where(place < count - 1, np.minimum(values, np.nextafter(high, low)), values)
    values = np.where((place == count - 1) & (np.nextafter(low, high) == high), high, values)
    if coding.column.kind in WHOLE:
        values = np.floor(values)
    clipped: Array = np.clip(values, coding.column.low, coding.column.high)
    return clipped
