"""Parquet and lines of flat JSON to chunks; every value as the text that a CSV would hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from xinglin.records.errors import Unreadable
from xinglin.records.model import Read, Unread
from xinglin.records.tabular.csv_sheets import CHUNK_ROWS
from xinglin.records.tabular.encoding import decode
from xinglin.records.tabular.model import COLUMNS, SourceOptions
from xinglin.records.tabular.rows import Chunk

BAD_JSON, NESTED = "tabular.bad_json", "tabular.nested_value"


def parquet_chunks(body: bytes, sheet: str, options: SourceOptions) -> Iterator[Chunk | Read]:
    """Rows of a Parquet file; the line is the row's number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(pa.BufferReader(body))
        names = opened.schema_arrow.names
        COLUMNS.check(len(names))
        row, null = 1, frozenset(options.null)
        for batch in opened.iter_batches(CHUNK_ROWS):
            columns = {name: _text_column(column) for name, column in zip(names, batch.columns, strict=True)}
            yield Chunk(sheet, names, columns, range(row, row + batch.num_rows), null, True)
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise Unreadable("The Parquet file is damaged.", place=sheet, remedy="Send it again.") from error


def _text_column(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_large_string(kind) or pa.types.is_date(kind) or pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        return pa.array([_iso(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind) or pa.types.is_time(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        return pc.replace_substring_regex(column.cast(pa.string()), r"\.0$", "")
    return pa.array([None if value is None else _json_text(value) for value in column.to_pylist()], pa.string())


def _iso(value: Any) -> str | None:
    return None if value is None else value.isoformat()


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def jsonl_chunks(body: bytes, sheet: str, options: SourceOptions) -> Iterator[Chunk | Read]:
    """One flat object a line; numbers keep the digits that they were written with."""
    decoder = msgspec.json.Decoder(dict[str, Any], float_hook=str)
    lines = decode(body, options.encoding).body.split(b"\n")
    names = _names(lines, decoder)
    null = frozenset(options.null)
    for start in range(0, len(lines), CHUNK_ROWS):
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        bad: list[Unread] = []
        for number, line in enumerate(lines[start : start + CHUNK_ROWS], start + 1):
            if not line.strip():
                continue
            place = f"{sheet} line {number}" if sheet else f"line {number}"
            try:
                rows.append(decoder.decode(line))
                numbers.append(number)
            except msgspec.DecodeError:
                bad.append(Unread(place, BAD_JSON, "The line is no JSON object."))
        if bad:
            yield Read(received=len(bad), unread=tuple(bad))
        if rows:
            columns = {name: [_cell(row.get(name)) for row in rows] for name in names}
            yield Chunk(sheet, names, columns, numbers, null, True)


def _names(lines: list[bytes], decoder: msgspec.json.Decoder[dict[str, Any]]) -> list[str]:
    """The keys of all lines, in the order in which they first appear."""
    seen: dict[str, None] = {}
    for line in lines:
        try:
            seen.update(dict.fromkeys(decoder.decode(line)))
        except msgspec.DecodeError:
            continue
    COLUMNS.check(len(seen))
    return list(seen)


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _json_text(value)
