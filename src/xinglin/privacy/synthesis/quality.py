"""What may be told of a synthetic set: figures that follow from its model and its budget, and from nothing else.

The report on the data (``reporting``) reads rows beside the budget, so it stays with the hospital. What is here reads a
model, which is differentially private, so it is post-processing: it costs nothing and tells nothing more.
"""

from __future__ import annotations

import math

import msgspec

from xinglin.privacy.synthesis.coding import needs_quantiles
from xinglin.privacy.synthesis.fitting import QUANTILE_SHARE
from xinglin.privacy.synthesis.meter import Spend
from xinglin.privacy.synthesis.model import Model
from xinglin.privacy.synthesis.rounds import ROUNDS_AN_ATTRIBUTE
from xinglin.privacy.synthesis.schema import Schema

RHO_UNIT = 10**12
DIGITS = 4


class Measured(msgspec.Struct, frozen=True):
    """A table that was measured: its columns, cells, the standard deviation of its noise in rows, and its distance.

    ``distance``: the total variation distance from the data that the noise alone makes, in the mean; 1 at most. What
    other tables say of these columns makes it smaller.
    """

    columns: tuple[str, ...]
    cells: int
    sd: float
    distance: float


class TableQuality(msgspec.Struct, frozen=True):
    """What is told of one table. ``total``: rows that it was measured on, as the noisy counts tell.

    ``alone``: a column each; ``together``: sets of columns that were measured, in order: relations of columns that are
    in none of them are not in the rows. ``spends``: what each step cost, in units of 10⁻¹² rho.
    """

    name: str
    total: int
    alone: tuple[Measured, ...]
    together: tuple[Measured, ...]
    spends: tuple[Spend, ...]


class Expected(msgspec.Struct, frozen=True):
    """Before anything is measured: standard deviations of the noise, in rows.

    ``alone``: of a cell of one column's table; ``together``: of the first table of several columns; ``columns`` and the
    largest number of ``cells`` of one column.
    """

    alone: float
    together: float
    columns: int
    cells: int


def quality(name: str, model: Model) -> TableQuality:
    """What may be told of a model's table.

    Guarantee: post-processing of the model: no more is told of a person than the model was paid for.
    """
    names = [coding.column.name for coding in model.codings]
    total = max(round(model.total), 1)
    units: dict[tuple[int, ...], int] = {}
    for spend in model.spends:
        if spend.columns:  # measured twice is measured once with the sum of both
            units[spend.columns] = units.get(spend.columns, 0) + spend.rho_units
    found = [
        Measured(
            tuple(names[place] for place in places),
            cells := math.prod(model.sizes[place] for place in places),
            sd := _sd(spent, model.rows_per_person),
            round(min(1.0, math.sqrt(2 / math.pi) * sd * cells / (2 * total)), DIGITS),
        )
        for places, spent in units.items()
    ]
    alone = tuple(one for one in found if len(one.columns) == 1)
    together = tuple(one for one in found if len(one.columns) > 1)
    return TableQuality(name, total, alone, together, tuple(model.spends))


def expected(schema: Schema, rho_units: int, rows_per_person: int = 1, method: str = "aim") -> Expected:
    """How large the noise will be, from published facts and the cost alone; the caller names a method that exists."""
    count = len(schema.columns)
    open_ones = any(map(needs_quantiles, schema.columns))
    left = rho_units - (rho_units // QUANTILE_SHARE if open_ones else 0)
    alone = left // (ROUNDS_AN_ATTRIBUTE * count) if method == "aim" else left // (3 * count)
    together = alone if method == "aim" else left // (3 * max(count - 1, 1))
    cells = max(
        (column.bins if column.numeric else max(len(column.levels), 2)) + column.missing for column in schema.columns
    )
    return Expected(_sd(alone, rows_per_person), _sd(together, rows_per_person), count, cells)


def _sd(rho_units: int, rows: int) -> float:
    """Standard deviation of the noise for rho and so many rows of a person."""
    return round(rows * math.sqrt(RHO_UNIT / (2 * max(rho_units, 1))), DIGITS)
