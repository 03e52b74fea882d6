"""Means and variances of numbers, overall and by group: two rounds of centred sums.

Round 0 adds up z on −1 … 1 (the published range), round 1 the squares about the pooled mean of each
cell, with the counts of the support rules. Two rounds, because Σz² − n·mean² loses digits where a mean
is large beside the spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis.algorithm import Cell, Part, State
from xinglin.analysis.arithmetic import roof
from xinglin.analysis.cells import Crossing, crossing_cells
from xinglin.analysis.design import is_binary
from xinglin.analysis.packed import hidden_cell, rounds
from xinglin.analysis.support import BUCKETS, OUTSIDE, PROFILE, People, check_support, outside_counts, spread_profile
from xinglin.analysis.table import Column, Floats, Mask, Table, present
from xinglin.analysis.told_sums import ToldSums, told_sums
from xinglin.kernel.verdict import Denied, Reason
from xinglin.privacy.disclosure import hidden_reason
from xinglin.privacy.packs.carried import least_shown
from xinglin.privacy.packs.model import Pack
from xinglin.terms.thresholds import DisclosureRules

Totals = Mapping[str, tuple[float, ...]]


class MomentCell(msgspec.Struct, frozen=True):
    """One number in one group; ``group`` is ``all`` or the name of a combination of levels."""

    column: Column
    group: str

    @property
    def name(self) -> str:
        """The name of the released cell."""
        return self.column.name if self.group == "all" else f"{self.column.name} | {self.group}"


class Summary(msgspec.Struct, frozen=True):
    """Pooled rows, mean and variance (n − 1) of one cell, or the reasons why they are not shown."""

    column: str
    group: str
    rows: int
    mean: float
    variance: float | None
    hidden: tuple[Reason, ...] = ()

    def payload(self) -> dict[str, Any]:
        """Plain values; a hidden cell shows nothing but its reasons."""
        names: dict[str, Any] = {"column": self.column, "group": self.group}
        if self.hidden:
            words = [msgspec.to_builtins(reason) for reason in self.hidden]
            return {**names, "rows": None, "mean": None, "variance": None, "sd": None, "hidden": words}
        sd = None if self.variance is None else math.sqrt(self.variance)
        return {**names, "rows": self.rows, "mean": self.mean, "variance": self.variance, "sd": sd, "hidden": []}


class MomentSums:
    """The sums of every (number, group), for the algorithms that need means."""

    def __init__(self, columns: Sequence[Column], crossing: Crossing | None, *, overall: bool) -> None:
        self._columns, self._crossing = tuple(columns), crossing
        groups = (("all",) if overall or crossing is None else ()) + (crossing.names if crossing else ())
        self._overall = overall or crossing is None
        self.moment_cells = tuple(MomentCell(column, group) for column in columns for group in groups)
        self.names = tuple(cell.name for cell in self.moment_cells)

    def cells(self, table: Table, used: Mask) -> list[Cell]:
        """The used rows of each cell that have a value, in the order of ``names``."""
        groups = [used] if self._overall else []
        if self._crossing is not None:
            groups += [cell.mask for cell in crossing_cells(table, self._crossing, used)]
        masks = [group & present(table, column.name) for column in self._columns for group in groups]
        return [Cell(name, mask) for name, mask in zip(self.names, masks, strict=True)]

    def parts(self, state: State, max_rows: int) -> tuple[Part, ...]:
        """The parts of round 0 or 1; from round 1 on the pooled rows bound the sums (as a power of two)."""
        size, rows = len(self.names), float(max_rows)
        if state.round == 0:
            return (Part("rows", size, rows, integer=True), Part("sums", size, rows * 1.001))
        rows = roof(state.guard.rows_used)
        return (
            Part("residuals", size, rows * 2.1),
            Part("squares", size, rows * 4.1),
            Part("outside", OUTSIDE * size, rows, integer=True),
            Part("profile_persons", PROFILE * size, rows, integer=True),
            Part("profile_sums", PROFILE * size, rows * 4.1),
        )

    def first(self, table: Table, used: Mask) -> dict[str, Floats]:
        """Rows and Σz of each cell."""
        rows, sums = [], []
        for cell, where in zip(self.moment_cells, self.cells(table, used), strict=True):
            z = self._scaled(table, cell, where.mask)
            rows.append(float(z.size))
            sums.append(float(z.sum()))
        return {"rows": np.asarray(rows), "sums": np.asarray(sums)}

    def second(self, table: Table, used: Mask, means: Sequence[float]) -> dict[str, Floats]:
        """Σ(z − m), Σ(z − m)² and the support counts of each cell about the means ``m``."""
        residuals, squares = [], []
        outside, counts, sums = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
        for cell, where, mean in zip(self.moment_cells, self.cells(table, used), means, strict=True):
            z = self._scaled(table, cell, where.mask)
            people, centred = People.of(table.persons[where.mask]), z - mean
            counted, held = spread_profile(centred, people)
            residuals.append(float(centred.sum()))
            squares.append(float(np.dot(centred, centred)))
            outside.append(outside_counts(z, people))
            counts.append(counted)
            sums.append(held)
        return {
            "residuals": np.asarray(residuals),
            "squares": np.asarray(squares),
            "outside": np.concatenate(outside),
            "profile_persons": np.concatenate(counts),
            "profile_sums": np.concatenate(sums),
        }

    def means(self, totals: Totals) -> tuple[float, ...]:
        """The pooled mean of each cell on −1 … 1; 0 where there is no row."""
        return tuple(s / n if n else 0.0 for n, s in zip(totals["rows"], totals["sums"], strict=True))

    def summaries(
        self,
        rules: DisclosureRules,
        rows: Sequence[float],
        means: Sequence[float],
        persons: Sequence[int],
        totals: Totals,
        pack: Pack | None = None,
    ) -> list[Summary]:
        """Each cell's mean and variance in its own unit, with what the rules hide; under a pack, of told sums."""
        found = []
        for k, cell in enumerate(self.moment_cells):
            middle, half = column_frame(cell.column)
            count = int(rows[k])
            shift = totals["residuals"][k] / count if count else 0.0
            variance = None
            if count > 1:
                about = totals["squares"][k] - totals["residuals"][k] * shift
                variance = max(about, 0.0) / (count - 1) * half * half
            hidden = self._hidden(rules, k, persons[k], totals, pack)
            mean = middle + half * (means[k] + shift)
            if pack is not None and rounds(pack):
                told = self.told(pack, k, count, means[k], totals)
                count, mean, variance = 0, middle, None
                if told is not None:
                    count, mean = told.rows, middle + half * told.mean
                    variance = None if told.variance is None else told.variance * half * half
                elif not hidden:
                    hidden = (hidden_cell(pack),)
            found.append(Summary(cell.column.name, cell.group, count, mean, variance, hidden))
        return found

    def told(self, pack: Pack, k: int, rows: int, about: float, totals: Totals) -> ToldSums | None:
        """What a pack that rounds counts tells of cell ``k``; ``about``: the mean that the sums are centred on."""
        total = rows * about + totals["residuals"][k]
        squares = totals["squares"][k] + 2.0 * about * total - rows * about * about
        return told_sums(pack, rows, total, squares)

    def _hidden(
        self, rules: DisclosureRules, k: int, persons: int, totals: Totals, pack: Pack | None
    ) -> tuple[Reason, ...]:
        cell = self.moment_cells[k]
        blank = hidden_reason(rules) if pack is None else hidden_cell(pack)
        if persons < (rules.min_cell if pack is None else least_shown(pack)):
            return (blank,)
        outside = totals["outside"][k * OUTSIDE : (k + 1) * OUTSIDE]
        bins = slice(k * PROFILE, (k + 1) * PROFILE)
        if is_binary(cell.column):
            # A share of nobody, or of everybody, reads like a share of a few.
            constant = 0 in outside[:BUCKETS] and not rules.publish_zeros
            few = constant or any(0 < count < rules.min_cell for count in outside)
            return (blank,) if few else ()
        counts, sums = totals["profile_persons"][bins], totals["profile_sums"][bins]
        verdict = check_support(rules, cell.name, outside, counts, sums)
        return verdict.reasons if isinstance(verdict, Denied) else ()

    def _scaled(self, table: Table, cell: MomentCell, mask: Mask) -> Floats:
        middle, half = column_frame(cell.column)
        scaled: Floats = (table.columns[cell.column.name][mask].astype(np.float64) - middle) / half
        return scaled


def some_value(table: Table, columns: Sequence[str], by: Sequence[str]) -> Mask:
    """Rows with a value in at least one of ``columns``, and with a group in all of ``by``."""
    some = np.zeros(table.n_rows, dtype=np.bool_)
    for name in columns:
        some |= present(table, name)
    for name in by:
        some &= present(table, name)
    return some


def column_frame(column: Column) -> tuple[float, float]:
    """Middle and half width of a column's published range; the half width is above zero."""
    low, high = column.range()
    middle = low / 2 + high / 2
    return middle, (high / 2 - low / 2) or abs(middle) or 1.0
