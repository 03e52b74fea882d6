"""A table that another party made, as a Parquet file: read through, or its first rows read, in a child with limits.

A small file can hold gigabytes, its footer can lie about that, and what parses it can break on it: so it is never
opened first by a process that holds keys. What is asked for here is checked there: columns, their kinds, rows, size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.codec import decode_msgpack, encode_msgpack
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.limits import Limit
from xinglin.stores.looking import LookLimits, open_looker

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

OPENED_BYTES = Limit("opened table of another party", 1024 * 1024 * 1024, "bytes")
"""A process that reads the whole of a table that was looked through needs about as much."""
CELLS = Limit("cells of a table that are shown", 5_000_000, "cells")
SHOWN_BYTES = Limit("rows of a table that are shown", 64 * 1024 * 1024, "bytes")
GROUPS = Limit("row groups of a table", 10_000, "groups")
LIMITS = LookLimits(memory_bytes=2 * OPENED_BYTES.value)
_BATCH_ROWS = 4_096
_TASK = f"{__name__}:seen"
_KINDS = {"category": "string", "boolean": "bool", "date": "date32[day]", "integer": "int64", "number": "double"}
"""Kinds of published columns, and the only Arrow type that each has in a file."""
_FLAT = frozenset(_KINDS.values()) | {"int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64", "float"}
"""Nothing nested, no dictionary, nothing that an extension of Arrow brings along."""


Columns = tuple[tuple[str, str], ...]


class _Said(msgspec.Struct, frozen=True):
    """What its maker says is in the file. ``columns`` None: any names, and any types that are not nested."""

    rows: int
    columns: Columns | None


class TableFile(msgspec.Struct, frozen=True):
    """A file, what errors call it, and what it should hold; made by ``table_file``."""

    name: str
    data: bytes
    said: _Said


class _Asked(msgspec.Struct, frozen=True):
    """``first``: give so many rows back and read no further; -1: give none, read all."""

    said: _Said
    first: int = -1


def table_file(name: str, data: bytes, rows: int, columns: Columns | None = None) -> TableFile:
    """A file ``data`` that errors call ``name``; its maker says how many rows, and name and kind of each column.

    ``columns`` None: they have any names, and any types that are not nested.
    """
    return TableFile(name, data, _Said(rows, columns))


def look_through(tables: Iterable[TableFile]) -> None:
    """Every page of every file is read and thrown away; when this returns, all of it is what was said, and bounded.

    Raises ``LookRefused`` where a file is not what was said, and the other errors of ``stores.looking``.
    """
    with open_looker(LIMITS) as looker:
        for one in tables:
            looker.look(_TASK, encode_msgpack(_Asked(one.said)), one.data, name=one.name)


def first_rows(table: TableFile, most: int) -> list[list[Any]]:
    """The first ``most`` rows as plain values, dates as text; raises what ``look_through`` does."""
    asked = encode_msgpack(_Asked(table.said, most))
    with open_looker(LIMITS) as looker:
        packed = looker.look(_TASK, asked, table.data, name=table.name)
    return decode_msgpack(packed, list[list[Any]], SHOWN_BYTES)


def seen(given: bytes, body: bytes) -> bytes:
    """In the child: the file ``body`` read as ``given`` asks; raises ``MalformedMessage`` or ``LimitExceeded``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    asked = decode_msgpack(given, _Asked)
    try:
        with pq.ParquetFile(pa.BufferReader(body)) as file:
            _check_footer(file, asked.said)
            if asked.first >= 0:
                return encode_msgpack(_first(file, asked))
            _read_through(file, asked.said)
            return b""
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OSError) as error:
        raise MalformedMessage("It is damaged, or no Parquet file.") from error


def _check_footer(file: pq.ParquetFile, said: _Said) -> None:
    footer = file.metadata
    GROUPS.check(footer.num_row_groups)
    found = tuple((one.name, str(one.type)) for one in file.schema_arrow)
    if said.columns is None:
        right = {kind for _, kind in found} <= _FLAT
    else:
        right = found == tuple((name, _KINDS.get(kind, "")) for name, kind in said.columns)
    if not right:
        raise MalformedMessage("Its columns are not those that its maker names.")
    groups = [footer.row_group(place) for place in range(footer.num_row_groups)]
    if footer.num_rows != said.rows or sum(one.num_rows for one in groups) != said.rows:
        raise MalformedMessage("It has not as many rows as its maker says.")
    OPENED_BYTES.check(sum(max(one.total_byte_size, 0) for one in groups))


def _read_through(file: pq.ParquetFile, said: _Said) -> None:
    """A footer is only said: what counts is what was read."""
    rows = size = 0
    for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
        rows += batch.num_rows
        size += batch.nbytes
        OPENED_BYTES.check(size)
    if rows != said.rows:
        raise MalformedMessage("It has not as many rows as its maker says.")


def _first(file: pq.ParquetFile, asked: _Asked) -> list[list[Any]]:
    most = min(asked.first, asked.said.rows)
    CELLS.check(most * len(file.schema_arrow))
    rows: list[list[Any]] = []
    size = 0
    for batch in file.iter_batches(max(1, min(most, _BATCH_ROWS)), use_threads=False):
        rest: pa.RecordBatch = batch.slice(0, most - len(rows))
        size += rest.nbytes
        SHOWN_BYTES.check(size)
        rows += map(list, zip(*(column.to_pylist() for column in rest.columns), strict=True))
        if len(rows) >= most:
            break
    return rows
