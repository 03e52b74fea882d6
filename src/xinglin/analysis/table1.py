"""The baseline table of a study: numbers and categories by group, small cells hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from xinglin.analysis import arithmetic as exact
from xinglin.analysis.algorithm import Algorithm, Cell, Guard, Outcome, Part, Premises, Result, State
from xinglin.analysis.cells import Crossing, crossing_cells
from xinglin.analysis.crosstab import chi_square, persons_grid, shown_table
from xinglin.analysis.descriptive import MomentState
from xinglin.analysis.design import is_binary, levels_of
from xinglin.analysis.errors import BadParameters
from xinglin.analysis.missing import counts_payload, told_counts_payload
from xinglin.analysis.moments import MomentSums, Summary
from xinglin.analysis.packed import (
    Told,
    blunted,
    check_cohort,
    hidden_cell,
    not_judged,
    told_table,
    whys,
    with_exact_totals,
)
from xinglin.analysis.parameters import numbers, read_params
from xinglin.analysis.table import Column, Floats, Mask, Table, column_of
from xinglin.kernel.verdict import Denied, Reason, Verdict
from xinglin.privacy.disclosure import check_total, hidden_reason
from xinglin.privacy.packs.carried import least_shown
from xinglin.privacy.packs.model import Pack
from xinglin.privacy.packs.table import with_margins
from xinglin.privacy.suppression import suppress_list, suppress_table


class TableOneParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``columns``: what to describe. ``by``: the groups. ``categories``: whole numbers to count by value."""

    columns: tuple[str, ...]
    by: str
    categories: tuple[str, ...] = ()


class TableOneState(MomentState, frozen=True, kw_only=True):
    """The sums of round 0 that the result needs: counts of each categorical column's cells."""

    tables: tuple[tuple[int, ...], ...] = ()


class TableOne(Algorithm):
    """Complete cases over all columns, by group: mean and sd of numbers, counts of categories.

    A number's overall mean is hidden when one of its groups is: it would give that group's mean back.
    Group comparisons (F, χ²) are given where nothing of the variable is hidden.
    """

    kind = "table1"
    state_type = TableOneState

    def __init__(self, premises: Premises) -> None:
        super().__init__(premises)
        self.params = read_params(self.spec, TableOneParams)
        names = self.params.columns
        if not names or len({*names, self.params.by}) != len(names) + 1:
            raise BadParameters("Name at least one column beside the groups, and none twice.")
        described = [column_of(self.domain, name) for name in names]
        self._counted = [column for column in described if self._is_counted(column)]
        measured = [column for column in described if not self._is_counted(column)]
        self._groups = Crossing.of(self.domain, (self.params.by,))
        self._levels = levels_of(column_of(self.domain, self.params.by))
        self._crossings = [Crossing.of(self.domain, (column.name, self.params.by)) for column in self._counted]
        self._margins = [Crossing.of(self.domain, (column.name,)) for column in self._counted]
        if measured:
            numbers(self.domain, tuple(column.name for column in measured))
        self._sums = MomentSums(measured, self._groups, overall=True)
        self._told: dict[str, Told] | None = None

    def _is_counted(self, column: Column) -> bool:
        return column.kind == "category" or is_binary(column) or column.name in self.params.categories

    @property
    def columns(self) -> tuple[str, ...]:
        """The described columns and the groups."""
        return (*self.params.columns, self.params.by)

    def cell_names(self) -> tuple[str, ...]:
        """``all``, the groups, then levels and cells of each counted column."""
        pairs = zip(self._margins, self._crossings, strict=True)
        return ("all", *self._groups.names, *(n for pair in pairs for c in pair for n in c.names))

    def cells(self, table: Table) -> list[Cell]:
        """The rows of each of these."""
        used = self.used(table)
        pairs = zip(self._margins, self._crossings, strict=True)
        crossings = [self._groups, *(c for pair in pairs for c in pair)]
        return [Cell("all", used), *(cell for c in crossings for cell in crossing_cells(table, c, used))]

    def release_rules(self, guard: Guard, hospitals: int) -> Verdict:
        """The whole must be large enough; small cells are hidden."""
        return check_total(self.rules, persons={"all": guard.cells[0]}, hospitals=hospitals)

    def released_cells(self, result: Result) -> tuple[str, ...]:
        """The entries that are shown; a mean of a group shows that group."""
        payload = result.payload
        if self._told is not None:
            return self._released(self._told)
        shown: list[Any] = [payload["total"], *payload["sizes"]]
        for variable in payload["variables"]:
            if variable["kind"] == "number":
                means = [variable["overall"]["mean"], *(group["mean"] for group in variable["groups"])]
                whole = shown[: len(means)]
                shown[: len(means)] = [a if a is not None else b for a, b in zip(whole, means, strict=True)]
        counted = {v["name"]: v for v in payload["variables"] if v["kind"] == "category"}
        for column in self._counted:
            variable = counted[column.name]
            shown += [*variable["totals"], *(count for row in variable["counts"] for count in row)]
        return tuple(name for name, value in zip(self.cell_names(), shown, strict=True) if value is not None)

    def _released(self, tables: Mapping[str, Told]) -> tuple[str, ...]:
        """Under a pack: all groups, and the entries of each counted column that are told of somebody."""
        flags = [True] * (1 + len(self._levels))
        for column in self._counted:
            grid = tables[column.name].released
            known = not _hides_margin(tables[column.name])
            flags += [known and row[-1] for row in grid[:-1]]
            flags += [known and flag for row in grid[:-1] for flag in row[:-1]]
        return tuple(name for name, flag in zip(self.cell_names(), flags, strict=True) if flag)

    def payload_parts(self, state: State) -> tuple[Part, ...]:
        """Counts and sums, then centred squares with support counts."""
        sums = self._sums.parts(state, self.max_rows)
        if state.round:
            return sums
        rows = float(self.max_rows)
        counted = sum(len(crossing.names) for crossing in self._crossings)
        groups = Part("groups", len(self._groups.names), rows, integer=True)
        return (groups, Part("tables", counted, rows, integer=True), *sums)

    def contribute(self, table: Table, state: State) -> dict[str, Floats]:
        """This hospital's counts and sums."""
        used = self.used(table)
        if state.round:
            return self._sums.second(table, used, _known(state).means)
        counts = [_counts(table, crossing, used) for crossing in self._crossings]
        return {
            "groups": _counts(table, self._groups, used),
            "tables": np.concatenate([np.zeros(0), *counts]),
            **self._sums.first(table, used),
        }

    def advance(self, state: State, totals: Mapping[str, tuple[float, ...]]) -> State | Outcome:
        """The means after round 0, the table after round 1."""
        known = _known(state)
        if known.round == 1:
            tables, start = [], 0
            for crossing in self._crossings:
                stop = start + len(crossing.names)
                tables.append(tuple(int(v) for v in totals["tables"][start:stop]))
                start = stop
            groups = tuple(int(v) for v in totals["groups"])
            means = self._sums.means(totals)
            return msgspec.structs.replace(known, rows=totals["rows"], means=means, tables=(groups, *tables))
        return self._under(self.pack, known, totals) if self.pack else Result("table1", self._payload(known, totals))

    def _payload(self, known: TableOneState, totals: Mapping[str, tuple[float, ...]]) -> dict[str, Any]:
        width, persons = len(self._levels), known.guard.cells
        hidden, total_hidden = suppress_list(self.rules, known.tables[0], [*persons[1 : 1 + width], persons[0]])
        variables = {**self._measured(known, totals), **self._categorical(known)}
        counts = counts_payload(known.guard, self.rules)
        if total_hidden:
            counts |= {"rows_used": None, "persons_used": None}
        return {
            "by": self.params.by,
            "levels": list(self._levels),
            "sizes": [None if h else n for h, n in zip(hidden, known.tables[0], strict=True)],
            "total": None if total_hidden else sum(known.tables[0]),
            "variables": [variables[name] for name in self.params.columns],
            "min_cell": self.rules.min_cell,
            **counts,
        }

    def _measured(self, known: TableOneState, totals: Mapping[str, tuple[float, ...]]) -> dict[str, dict[str, Any]]:
        width = len(self._levels)
        persons = list(known.guard.cells[: 1 + width])
        columns = len(self._sums.names) // (1 + width)
        found = self._sums.summaries(self.rules, known.rows, known.means, persons * columns, totals, self.pack)
        variables = {}
        for k in range(columns):
            overall, *groups = found[k * (1 + width) : (k + 1) * (1 + width)]
            if any(group.hidden for group in groups) and not overall.hidden:
                blank = hidden_reason(self.rules) if self.pack is None else hidden_cell(self.pack)
                overall = msgspec.structs.replace(overall, hidden=(blank,))
            variables[overall.column] = {
                "name": overall.column,
                "kind": "number",
                "overall": overall.payload(),
                "groups": [group.payload() for group in groups],
                "test": None if overall.hidden else _f_test(groups),
            }
        return variables

    def _categorical(self, known: TableOneState) -> dict[str, dict[str, Any]]:
        variables = {}
        for column, counts, persons in self._tables(known):
            mask = suppress_table(self.rules, counts, persons, keep_columns=True)
            shown = shown_table(counts, mask)
            variables[column.name] = {
                "name": column.name,
                "kind": "category",
                "levels": list(levels_of(column)),
                "counts": shown["counts"],
                "totals": shown["row_totals"],
                "test": None if mask.hidden else chi_square(counts),
            }
        return variables

    def _tables(self, known: TableOneState) -> Iterator[tuple[Column, list[list[int]], list[list[int]]]]:
        """Each counted column with its counts by group, and persons with margins."""
        width, cells = len(self._levels), known.guard.cells
        position = 1 + width
        for column, flat in zip(self._counted, known.tables[1:], strict=True):
            height = len(levels_of(column))
            margin, inner = cells[position : position + height], position + height
            block = (cells[0], *margin, *cells[1 : 1 + width], *cells[inner : inner + height * width])
            position = inner + height * width
            counts = [list(flat[i * width : (i + 1) * width]) for i in range(height)]
            yield column, counts, persons_grid(block, height, width)

    # Under a pack: every table shares the groups, so their sizes are told whole or nothing is.

    def _under(self, pack: Pack, known: TableOneState, totals: Mapping[str, tuple[float, ...]]) -> Outcome:
        """The table under a pack. Group sizes are in every part of it: a group that is too small refuses it."""
        width, guard, strict = len(self._levels), known.guard, with_exact_totals(pack)
        fit = check_cohort(pack, guard.persons_used, [len(levels_of(column)) for column in self._counted])
        if isinstance(fit, Denied):
            return fit
        groups = {self.params.by: self._levels}
        persons = [*guard.cells[1 : 1 + width], guard.cells[0]]
        sizes = told_table(strict, self.params.by, groups, with_margins(list(known.tables[0])), persons)
        if not sizes.whole:
            words = f"A group of {self.params.by!r} may not be told (pack {pack.name})."
            return Denied((Reason("privacy.small_group", words, "Merge groups, or widen the cohort."),))
        counted = {}
        for column, counts, behind in self._tables(known):
            axes = {column.name: levels_of(column), self.params.by: self._levels}
            counted[column.name] = told_table(strict, column.name, axes, with_margins(counts), behind)
        self._told, self.notes = counted, {"tables": [sizes.notes, *(one.notes for one in counted.values())]}
        variables = {**self._measured(known, totals), **{name: self._variable(one) for name, one in counted.items()}}
        payload = {
            "by": self.params.by,
            "levels": list(self._levels),
            "sizes": sizes.cells[:-1],
            "total": sizes.cells[-1],
            "variables": [variables[name] for name in self.params.columns],
            "min_cell": least_shown(pack),
            **told_counts_payload(guard, self.rules, pack, sizes.cells[-1], whole=True),
            **whys(*counted.values()),
            "pack": pack.name,
            **(not_judged(pack, sums=True) if len(counted) < len(self.params.columns) else {}),
        }
        return Result("table1", payload)

    def _variable(self, told: Told) -> dict[str, Any]:
        """A counted column; where a group's total would have to be hidden, all is: the sizes tell these totals."""
        inner, totals = [row[:-1] for row in told.cells[:-1]], [row[-1] for row in told.cells[:-1]]
        column = next(one for one in self._counted if one.name == told.name)
        if _hides_margin(told):
            inner, totals = [[None for _ in row] for row in inner], [None for _ in totals]
        return {
            "name": column.name,
            "kind": "category",
            "levels": list(levels_of(column)),
            "counts": inner,
            "totals": totals,
            "test": chi_square(inner) if told.whole else None,
        }

    def packed(self, result: Result) -> Result:
        """Figures of numbers are rounded as the pack asks; the tables were."""
        if self.pack is None:
            return result
        numbers_ = [blunted(self.pack, one) if one["kind"] == "number" else one for one in result.payload["variables"]]
        return Result(result.kind, {**result.payload, "variables": numbers_})


def _hides_margin(told: Told) -> bool:
    return any(cell is None for cell in told.cells[-1])


def _counts(table: Table, crossing: Crossing, used: Mask) -> Floats:
    index = crossing.index(table)
    return np.bincount(index[used].astype(np.int64), minlength=len(crossing.names)).astype(np.float64)


def _f_test(groups: list[Summary]) -> dict[str, Any] | None:
    rows = sum(group.rows for group in groups)
    within = exact.total([(group.rows - 1) * (group.variance or 0.0) for group in groups])
    if len(groups) < 2 or within <= 0 or rows <= len(groups):
        return None
    grand = exact.total([group.rows * group.mean for group in groups]) / rows
    between = exact.total([g.rows * ((g.mean - grand) * (g.mean - grand)) for g in groups])
    df_between, df_within = len(groups) - 1, rows - len(groups)
    return {
        "f": (between / df_between) / (within / df_within),
        "df_between": df_between,
        "df_within": df_within,
    }


def _known(state: State) -> TableOneState:
    if not isinstance(state, TableOneState):
        raise TypeError("a baseline table goes on from its own state")
    return state
