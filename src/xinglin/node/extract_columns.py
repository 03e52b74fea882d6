"""Columns of an extract: from the engine's rows to arrays that the privacy room works on, and from there to Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from xinglin.analysis.admit_model import OutputColumn

Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]
PERSON_COLUMN = "person"
"""The column of an extract that tells whose rows are one person's: a pseudonym of this extract alone."""


def columns_of(rows: pa.Table, described: tuple[OutputColumn, ...]) -> Columns:
    """The query's columns: int64 for whole numbers without gaps, float64 (NaN: missing), else texts or None."""
    return {column.name: _array(rows.column(column.name), column) for column in described}


def _array(values: Any, described: OutputColumn) -> np.ndarray[Any, np.dtype[Any]]:
    import pyarrow as pa

    if described.kind == "number":
        if described.integer and values.null_count == 0:
            return np.asarray(values.cast(pa.float64()).to_numpy()).astype(np.int64)
        return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)
    texts = values.cast(pa.string()).to_pylist()
    return np.array([*texts, None], dtype=object)[:-1]


def parquet_of(columns: Columns, metadata: dict[str, str]) -> bytes:
    """A Parquet file (zstd) of the columns; ``metadata`` in its footer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _arrow(values) for name, values in columns.items()})
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(dict(metadata)), sink, compression="zstd")
    return bytes(sink.getvalue())


def _arrow(values: np.ndarray[Any, np.dtype[Any]]) -> pa.Array:
    import pyarrow as pa

    if values.dtype.kind == "O":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values, from_pandas=values.dtype.kind == "f")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
