"""Synthetic rows as a table of a file: kinds as published, rounded as measured values are, marked for the recipient.

Rows are marked as they are read back from the file, so that a part that comes to light is read in the same way. Each
row has a made-up id, ``row``, by which it is found again where it is left; other columns together do where it is not.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from xinglin.kernel.errors import XinglinError
from xinglin.node.extract_leak import read_array
from xinglin.node.extract_mark import COARSE_KEYS, STEP_SHARE
from xinglin.wire.synthetic import ROW_COLUMN, SyntheticManifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from xinglin.analysis.admit_model import OutputColumn
    from xinglin.privacy.synthesis import Column
    from xinglin.privacy.watermark import Codes, MarkPlan, Numbers

Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]
FIGURES = 5
"""Decimal places of a range that drawn numbers have."""
MOST_DECIMALS = 6
SPARSE = 8
"""Of a set without numbers, one row in so many is marked, in a category: a mark there costs more than in a number."""
_DAY = np.dtype("datetime64[D]")


class NoMark(XinglinError):
    """The mark cannot be set: nothing leaves without one."""

    code = "synthetic.no_mark"


@dataclass(frozen=True)
class MarkedTable:
    """A table of the set, how its mark was set (JSON; empty: not marked), and in words what that did to a column."""

    table: pa.Table
    plan: bytes
    said: dict[str, str]


def values_of(column: Any, described: OutputColumn) -> np.ndarray[Any, np.dtype[Any]]:
    """A column of the engine's rows as the privacy room takes it: numbers with NaN (dates in days), texts or None."""
    import pyarrow as pa

    if described.kind == "number":
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    if described.kind == "boolean":
        return np.asarray(column.cast(pa.bool_()).cast(pa.uint8()).cast(pa.float64()).to_numpy(), dtype=np.float64)
    return np.array([*column.cast(pa.string()).to_pylist(), None], dtype=object)[:-1]


def marked_table(
    name: str, rows: Columns, wanted: Mapping[str, Column], key: bytes, draft: SyntheticManifest, seed: bytes
) -> MarkedTable:
    """The drawn ``rows`` of a table with their ids, marked for the draft's recipient, agreement and time.

    Raises ``NoMark`` where no column can carry it, and the privacy room's ``TooFewCells``.
    """
    from xinglin.privacy.watermark import MarkPlan, Recipient, mark
    from xinglin.privacy.watermark.marking import FEWEST_CELLS

    table = arrow_of(rows, wanted)
    table = table.add_column(0, ROW_COLUMN, _ids(f"{name}", table.num_rows, seed))
    columns = {one: read_array(table.column(one)) for one in table.column_names}
    numbers = _numbers(columns, wanted)
    codes = () if numbers else _codes(columns, wanted)
    if not numbers and not codes:
        words = f"No column of {name!r} can carry the recipient's mark."
        raise NoMark(words, remedy="Ask for a number with a range too, or for a category.")
    carriers = (*numbers, *codes)
    plan = MarkPlan(columns=carriers, keys=_keys(columns, carriers), every=2 if numbers else SPARSE)
    done = mark(columns, key, Recipient(draft.recipient, draft.agreement, draft.released), plan)
    if done.report.positions < FEWEST_CELLS:
        words = f"Too few rows of {name!r} can carry the recipient's mark."
        raise NoMark(words, remedy="Ask for more rows, or for a number with a range too.")
    for one in carriers:
        place = table.column_names.index(one.column)
        table = table.set_column(place, one.column, _back(done.columns[one.column], table.column(one.column).type))
    said = {
        one.column: f"{one.share:.0%} of the cells, by {one.largest:g} at most, the mean by {one.mean_shift:.4f} "
        "standard deviations" if numbers else f"{one.share:.0%} of the cells changed to another common level"
        for one in done.report.columns
    }  # fmt: skip
    return MarkedTable(table, _plain(plan), said)


def arrow_of(rows: Columns, wanted: Mapping[str, Column]) -> pa.Table:
    """Drawn rows in the kinds that were published; the key column, where there is one, comes first."""
    import pyarrow as pa

    keys = {one: pa.array(rows[one].tolist(), pa.string()) for one in rows if one not in wanted}
    return pa.table(keys | {one: _arrow(rows[one], about) for one, about in wanted.items()})


def parquet_of(table: pa.Table, metadata: dict[str, str]) -> bytes:
    """A Parquet file (zstd) of the table; ``metadata`` in its footer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(dict(metadata)), sink, compression="zstd")
    return bytes(sink.getvalue())


def _arrow(values: np.ndarray[Any, np.dtype[Any]], about: Column) -> pa.Array:
    import pyarrow as pa

    if about.kind == "category":
        return pa.array(values.tolist(), pa.string())
    numbers = np.asarray(values, dtype=np.float64)
    gone = np.isnan(numbers)
    whole = np.where(gone, 0, numbers)
    if about.kind == "boolean":
        return pa.array(whole != 0, pa.bool_(), mask=gone)
    if about.kind == "date":
        return pa.array(whole.astype(np.int64).astype(_DAY), pa.date32(), mask=gone)
    if about.kind == "integer":
        return pa.array(whole.astype(np.int64), pa.int64(), mask=gone)
    return pa.array(np.clip(np.round(whole, _decimals(about)), about.low, about.high), pa.float64(), mask=gone)


def _decimals(about: Column) -> int:
    """Decimals with which a number of a published range is told."""
    if about.kind == "integer":
        return 0
    span = float(about.high or 0.0) - float(about.low or 0.0)
    return min(max(FIGURES - math.ceil(math.log10(span)), 0), MOST_DECIMALS) if span > 0 else 0


def _ids(name: str, rows: int, seed: bytes) -> pa.Array:
    import pyarrow as pa

    data = hashlib.shake_256(seed + b"\0rows of " + name.encode()).hexdigest(8 * rows)
    return pa.array([data[at : at + 16] for at in range(0, len(data), 16)], pa.string())


def _numbers(columns: Columns, wanted: Mapping[str, Column]) -> tuple[Numbers, ...]:
    from xinglin.privacy.watermark import Numbers

    found = []
    for name, about in wanted.items():
        if about.kind not in ("integer", "number"):
            continue
        values = np.asarray(columns[name], dtype=np.float64)
        values = values[np.isfinite(values)]
        deviation = float(np.std(values)) if len(values) else 0.0
        decimals = _decimals(about)
        unit = 10.0**-decimals
        step = max(2 * unit, round(STEP_SHARE * deviation / unit) * unit)
        if deviation >= 2 * step:
            found.append(Numbers(name, step, decimals, float(about.low or 0.0), float(about.high or 0.0)))
    return tuple(found)


def _codes(columns: Columns, wanted: Mapping[str, Column]) -> tuple[Codes, ...]:
    """The category of the most even pair of common levels: a marked cell becomes the other of them in half the cases.

    Levels are counted in the drawn rows, which tell nothing that the model does not.
    """
    from xinglin.privacy.watermark import Codes

    best: tuple[int, str, tuple[str, str]] = (0, "", ("", ""))
    for name, about in wanted.items():
        if about.kind not in ("category", "boolean"):
            continue
        texts = [one for one in columns[name].tolist() if one is not None]
        levels, counts = np.unique(np.array(texts, dtype=str), return_counts=True)
        if len(levels) >= 2:
            first, second = np.argsort(-counts, kind="stable")[:2]
            best = max(best, (int(counts[second]), name, (str(levels[first]), str(levels[second]))))
    return (Codes(best[1], (best[2],)),) if best[0] else ()


def _keys(columns: Columns, carriers: tuple[Numbers | Codes, ...]) -> tuple[tuple[str, ...], ...]:
    """By what a row is found again: its id; all other columns; halves of them; the coarse parts of marked numbers."""
    from xinglin.privacy.watermark import Numbers

    marked = {one.column for one in carriers}
    others = tuple(name for name in columns if name not in marked and name not in (ROW_COLUMN, "person"))
    half = len(others) // 2
    coarse = tuple(f"~{one.column}" for one in carriers if isinstance(one, Numbers))[:COARSE_KEYS]
    wide = (*others, *coarse)
    sets = [(ROW_COLUMN,), wide if len(wide) > 1 else (), coarse if len(coarse) > 1 else ()]
    if half >= 2:
        sets += [(*others[:half], *coarse[:1]), (*others[half:], *coarse[:1])]
    return tuple(dict.fromkeys(one for one in sets if one))


def _back(values: np.ndarray[Any, np.dtype[Any]], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if values.dtype == object:
        return pa.array(values.tolist(), kind)
    gone = np.isnan(values.astype(np.float64))
    return pa.array(np.where(gone, 0, values), mask=gone).cast(kind)


def _plain(plan: MarkPlan) -> bytes:
    return msgspec.json.encode(plan)
