"""Writing a recipient's codeword into a table, and saying what that did to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.privacy.watermark.carriers import write
from xinglin.privacy.watermark.code import biases, codeword
from xinglin.privacy.watermark.errors import BadMarkPlan, TooFewCells
from xinglin.privacy.watermark.model import (
    KEY_BYTES,
    ColumnReport,
    Columns,
    Marked,
    MarkPlan,
    MarkReport,
    Recipient,
)
from xinglin.privacy.watermark.places import places

FEWEST_CELLS = 64
"""Cells that must carry a bit; with fewer, not even a whole copy would name its recipient."""


def check_key(key: bytes) -> None:
    """Raise ``BadMarkPlan`` unless the key has 32 bytes."""
    if len(key) != KEY_BYTES:
        raise BadMarkPlan(f"A key of marks has {KEY_BYTES} bytes.", remedy="Draw it from the operating system.")


def mark(columns: Columns, key: bytes, recipient: Recipient, plan: MarkPlan) -> Marked:
    """A copy of ``columns`` that carries the codeword of ``recipient``; columns without marks are shared, not copied.

    ``key``: 32 secret bytes of the hospital, the same for all recipients of a table. Raises ``BadMarkPlan`` for a
    column that is not there, ``TooFewCells`` where fewer than 64 cells can carry a bit.

    Guarantee: a number moves by at most its ``step`` and stays in its range; a code becomes one that the plan says
    means the same; a list keeps its parts. Marks come after k-anonymity and noise; where a marked column is one by
    which people could be found, the classes are to be checked again afterwards.
    """
    check_key(key)
    missing = [one.column for one in plan.columns if one.column not in columns]
    if missing or not any({name.removeprefix("~") for name in names} <= columns.keys() for names in plan.keys):
        raise BadMarkPlan(
            f"The table has no column {missing[0]!r}." if missing else "The table has none of the keys.",
            remedy="Name columns of the table.",
        )
    bits = codeword(key, recipient.digest(), biases(key, plan.length, plan.colluders))
    out = dict(columns)
    carried = np.zeros(plan.length, dtype=bool)
    cells = 0
    for there in places(columns, key, plan):
        name = there.column.column
        if out[name] is columns[name]:
            out[name] = columns[name].copy()
        out[name][there.rows] = write(columns[name][there.rows], there, bits[there.positions])
        carried[there.positions] = True
        cells += len(there.rows)
    if cells < FEWEST_CELLS:
        raise TooFewCells(
            "Too few cells of this table can carry a mark.",
            remedy="Mark more columns, or more rows (every = 1), or give no unmarked extract.",
        )
    reports = tuple(_reported(one.column, columns[one.column], out[one.column]) for one in plan.columns)
    return Marked(out, MarkReport(cells, int(carried.sum()), reports))


def _reported(name: str, before: NDArray[Any], after: NDArray[Any]) -> ColumnReport:
    if before.dtype == object:
        changed = sum(old != new for old, new in zip(before.tolist(), after.tolist(), strict=True))
        return ColumnReport(name, changed, changed / max(1, len(before)))
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    valid = ~np.isnan(old)
    change = np.where(valid, new - old, 0.0)
    changed = int(np.count_nonzero(change))
    deviation = float(np.std(old[valid])) if valid.any() else 0.0
    scale = 1 / deviation if deviation else 0.0
    return ColumnReport(
        name,
        changed,
        changed / max(1, len(old)),
        float(np.abs(change).max(initial=0.0)),
        float(np.sqrt(np.mean(change**2))) * scale if len(old) else 0.0,
        abs(float(change.mean())) * scale if len(old) else 0.0,
    )
