"""Cells of category-like columns: the groups of persons that a release is about."""

from __future__ import annotations

import itertools
import math

import msgspec
import numpy as np

from xinglin.analysis.algorithm import CELLS, Cell
from xinglin.analysis.design import codes_of, levels_of
from xinglin.analysis.table import Column, Domain, Floats, Mask, Table, column_of


class Crossing(msgspec.Struct, frozen=True):
    """Every combination of the levels of some columns, the last column running fastest."""

    columns: tuple[str, ...]
    sizes: tuple[int, ...]
    names: tuple[str, ...]
    described: tuple[Column, ...]

    @classmethod
    def of(cls, domain: Domain, names: tuple[str, ...]) -> Crossing:
        """The crossing of these columns; raises ``LimitExceeded`` when it has too many cells."""
        described = tuple(column_of(domain, name) for name in names)
        levels = [levels_of(column) for column in described]
        sizes = tuple(len(each) for each in levels)
        CELLS.check(math.prod(sizes))
        labels = [[f"{name}={level}" for level in each] for name, each in zip(names, levels, strict=True)]
        return cls(names, sizes, tuple(" & ".join(each) for each in itertools.product(*labels)), described)

    def index(self, table: Table) -> Floats:
        """The cell of each row, shape (n_rows,); −1 where a value is missing."""
        index, missing = np.zeros(table.n_rows), np.zeros(table.n_rows, dtype=np.bool_)
        for column, size in zip(self.described, self.sizes, strict=True):
            codes = codes_of(table, column, slice(None))
            missing |= (codes < 0) | (codes >= size) | (codes != np.floor(codes))
            index = index * size + codes
        return np.where(missing, -1.0, index)


def crossing_cells(table: Table, crossing: Crossing, used: Mask) -> list[Cell]:
    """One cell a combination: its used rows."""
    index = crossing.index(table)
    return [Cell(name, used & (index == k)) for k, name in enumerate(crossing.names)]
