"""One Parquet file of rows beside a Delta table, and the action that adds it: what an append needs, and no planner.

Measured on canonical tables: a small append through the engine's own writer costs 10 ms of processor time, so 3. Snappy
takes two thirds of Zstandard's time at its fastest, since most columns of a batch are short, for files half as large
again; compaction writes them with Zstandard.
"""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake.transaction import AddAction

STATISTICS_COLUMNS = 7
"""Columns, from the first on, of which the log keeps least and greatest values (the table's property, too)."""
_LONGEST = 64


def written(folder: Path, rows: pa.Table) -> AddAction:
    """Write ``rows`` to a new file in ``folder``; the action that adds it to the table. Raises ``OSError``."""
    import pyarrow.parquet as pq
    from deltalake.transaction import AddAction

    path = folder / f"part-00000-{uuid.uuid4()}-c000.snappy.parquet"
    pq.write_table(rows, path, compression="snappy")
    now_ms = time.time_ns() // 1_000_000
    return AddAction(path.name, path.stat().st_size, {}, now_ms, True, statistics(rows))


def statistics(rows: pa.Table) -> str:
    """The number of rows and what is known of their first columns, as the Delta protocol writes it.

    A least text may be cut short; a greatest one that is longer than 64 characters is not told.
    """
    import pyarrow.compute as pc

    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    empty: dict[str, int] = {}
    for name in rows.column_names[:STATISTICS_COLUMNS]:
        column = rows.column(name)
        empty[name] = column.null_count
        if column.null_count == len(column):
            continue
        found = pc.min_max(column)
        low, high = _told(found["min"].as_py()), _told(found["max"].as_py())
        if low is not None:
            least[name] = low[:_LONGEST] if isinstance(low, str) else low
        if high is not None and not (isinstance(high, str) and len(high) > _LONGEST):
            greatest[name] = high
    return json.dumps(
        {"numRecords": rows.num_rows, "minValues": least, "maxValues": greatest, "nullCount": empty},
        ensure_ascii=False,
    )


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value if isinstance(value, str | int | float | bool) else None
