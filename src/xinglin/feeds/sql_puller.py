"""Pulls from a hospital's database: only reading, in chunks, from where the last pull ended.

1. One read-only transaction sees one state of the data.
2. Rows are read from the watermark less the overlap, oldest first; rows that were handed over before and have not
   changed are left out by their digest, so that ties and late updates are neither lost nor doubled.
3. Each chunk becomes one Parquet object of texts in a canonical order; with it comes the watermark to persist once
   the object is kept. Whoever persists earlier may lose rows; whoever dies in between sees the chunk again.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Select

from xinglin.feeds.sql_model import (
    CELL_BYTES,
    SEEN_ROWS,
    BadSqlSource,
    Pulled,
    SourceReport,
    SqlKind,
    SqlNotReadOnly,
    SqlSource,
    Watermark,
)
from xinglin.feeds.sql_session import may_write, open_source, reading
from xinglin.feeds.sql_statements import (
    columns_statement,
    count_statement,
    keys_statement,
    null_statement,
    pull_statement,
    zone_statement,
)
from xinglin.intake.ports import Received
from xinglin.kernel.instants import Clock, system_clock

MEDIA_TYPE = "application/vnd.apache.parquet"
_DIGEST_BYTES = 16

Keep = Callable[[Received], object]
Save = Callable[[Watermark], object]
_Cells = tuple[str | None, ...]


class SqlPuller:
    """Reads one source. The engine is opened at once and read-only; ``close`` ends it."""

    def __init__(self, source: SqlSource, clock: Clock = system_clock) -> None:
        self._source = source
        self._clock = clock
        self._engine: Engine = open_source(source.url, source.timeout_s)

    def close(self) -> None:
        """End every connection."""
        self._engine.dispose()

    def report(self) -> SourceReport:
        """Columns and rights; raises ``SqlNotReadOnly`` for a login that may write, unless the source allows it."""
        with reading(self._engine) as connection:
            writes = may_write(connection)
            names = tuple(connection.execute(columns_statement(self._source)).keys())
        if writes and self._source.strict:
            raise SqlNotReadOnly(
                "The login may change tables of the source.",
                remedy="Use a login that may only SELECT; strict = false reads all the same.",
            )
        missing = {self._source.watermark, *self._source.order} - {"", *names}
        if missing:
            raise BadSqlSource(f"The source has no column {', '.join(sorted(missing))}.", remedy="Check their names.")
        warnings = ("The login may change tables; this session cannot.",) if writes else ()
        return SourceReport(self._engine.dialect.name, names, writes, warnings)

    def pull(self, watermark: Watermark | None = None) -> Iterator[Pulled]:
        """New and changed rows as objects, each with the watermark to persist after it is kept."""
        state = watermark or Watermark()
        with reading(self._engine) as connection:
            if not self._source.watermark:
                yield from self._whole(connection, pull_statement(self._source), state)
                return
            statement = pull_statement(self._source, _low(state, self._source))
            state = yield from self._growing(connection, statement, state)
            if self._source.nulls:
                # Rows without a watermark come with every pull; unchanged, they are the same bytes and kept once.
                yield from self._whole(connection, null_statement(self._source), state)

    def run(self, keep: Keep, save: Save, watermark: Watermark | None = None) -> int:
        """Pull, keep and save in that order; the number of rows handed over."""
        rows = 0
        for pulled in self.pull(watermark):
            keep(pulled.received)
            save(pulled.after)
            rows += pulled.rows
        return rows

    def counts(self, day: str, since: date, until: date, zone_minutes: int | None = None) -> dict[date, int]:
        """Rows a day of the column ``day``, from ``since`` to before ``until``.

        ``zone_minutes``: the hospital's zone, for stamps that have one of their own.
        """
        statement = count_statement(self._source, day, since, until, self._engine.dialect.name)
        with reading(self._engine) as connection:
            self._in_zone(connection, zone_minutes)
            return {_date(found): int(rows) for found, rows in connection.execute(statement) if found is not None}

    def keys(
        self, key: str, day: str, since: date, until: date, zone_minutes: int | None = None, limit: int = 1_000_000
    ) -> tuple[str, ...]:
        """The values of ``key`` of the rows that ``counts`` counts, each once, as a pull would write them.

        At most one more than ``limit``: whoever takes no more refuses it.
        """
        statement = keys_statement(self._source, key, day, since, until, self._engine.dialect.name).limit(limit + 1)
        with reading(self._engine) as connection:
            self._in_zone(connection, zone_minutes)
            rows = connection.execution_options(stream_results=True).execute(statement)
            return tuple(found for (value,) in rows if (found := _cell(value)) is not None)

    def _in_zone(self, connection: Connection, minutes: int | None) -> None:
        statement = zone_statement(minutes, self._engine.dialect.name) if minutes is not None else None
        if statement is not None:
            connection.execute(statement)

    def _growing(
        self, connection: Connection, statement: Select[Any], state: Watermark
    ) -> Generator[Pulled, None, Watermark]:
        known = {digest for _, digest in state.seen}
        seen = list(state.seen)
        for names, rows in self._chunks(connection, statement):
            place = names.index(self._source.watermark)
            last = rows[-1][place]
            cells = [(_cells(row), row[place]) for row in rows]
            marked = [(cell, _digest(cell), _written(mark)[0]) for cell, mark in cells]
            fresh = [cell for cell, digest, _ in marked if digest not in known]
            value, kind = _newer(state, *_written(last))
            floor = _low(Watermark(value, kind), self._source)
            seen = [*seen, *((mark, digest) for _, digest, mark in marked if digest not in known)]
            seen = [(mark, digest) for mark, digest in seen if _read(mark, kind) >= floor]
            SEEN_ROWS.check(len(seen))
            state = Watermark(value, kind, tuple(seen))
            if fresh:
                yield Pulled(self._received(names, fresh), state, len(fresh))
        return state

    def _whole(self, connection: Connection, statement: Select[Any], state: Watermark) -> Iterator[Pulled]:
        """Every row that a statement finds; the watermark stays where it is."""
        for names, rows in self._chunks(connection, statement):
            yield Pulled(self._received(names, [_cells(row) for row in rows]), state, len(rows))

    def _chunks(self, connection: Connection, statement: Select[Any]) -> Iterator[tuple[list[str], Sequence[Any]]]:
        options = {"stream_results": True, "yield_per": self._source.rows}
        result = connection.execution_options(**options).execute(statement)
        names = list(result.keys())
        for rows in result.partitions():
            yield names, rows

    def _received(self, names: list[str], rows: list[_Cells]) -> Received:
        body = parquet(names, rows)
        source = self._source
        return Received(body, source.name, MEDIA_TYPE, self._clock(), source.retention, source.table or "query")


def parquet(names: Sequence[str], rows: Sequence[_Cells]) -> bytes:
    """Rows of texts as Parquet, in the order of their texts: the same rows are the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = sorted(rows, key=lambda row: tuple("" if cell is None else "1" + cell for cell in row))
    arrays = [pa.array(list(column), pa.string()) for column in zip(*ordered, strict=True)]
    held = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, list(names)), held, compression="zstd", store_schema=False)
    return held.getvalue()


def _cells(row: Sequence[Any]) -> _Cells:
    return tuple(_cell(value) for value in row)


def _cell(value: Any) -> str | None:
    """A value as a CSV would hold it; bytes in hexadecimal."""
    match value:
        case None:
            return None
        case str():
            found = value
        case bool():
            found = "true" if value else "false"
        case bytes() | bytearray() | memoryview():
            found = bytes(value).hex()
        case datetime() | date() | time():
            found = value.isoformat()
        case Decimal():
            found = format(value, "f")
        case _:
            found = str(value)
    CELL_BYTES.check(len(found))
    return found


def _digest(cells: _Cells) -> str:
    text = "\x1f".join("\x00" if cell is None else cell for cell in cells)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: 2 * _DIGEST_BYTES]


def _written(mark: Any) -> tuple[str, SqlKind]:
    match mark:
        case datetime():
            return mark.isoformat(), "time"
        case date():
            return datetime(mark.year, mark.month, mark.day).isoformat(), "time"  # noqa: DTZ001 (the server's own)
        case bool():
            raise BadSqlSource("A boolean is no watermark.", remedy="Name a time or a growing number.")
        case int() | Decimal() | float():
            return str(mark), "number"
        case str():
            return mark, "text"
        case _:
            raise BadSqlSource("The watermark's kind cannot be ordered.", remedy="Name a time or a growing number.")


def _read(value: str, kind: SqlKind) -> Any:
    if kind == "time":
        return datetime.fromisoformat(value)
    return Decimal(value) if kind == "number" else value


def _newer(state: Watermark, value: str, kind: SqlKind) -> tuple[str, SqlKind]:
    """The newer of two: the first chunks of a pull lie in the overlap, before what was reached already."""
    if state.kind not in ("none", kind):
        raise BadSqlSource("The watermark's column changed its kind.", remedy="Begin again without a watermark.")
    known = state.kind == kind and _read(state.value, kind) > _read(value, kind)
    return (state.value, kind) if known else (value, kind)


def _low(state: Watermark, source: SqlSource) -> Any:
    """Where the next pull begins; ``None`` for the first."""
    if state.kind == "none":
        return None
    value = _read(state.value, state.kind)
    if state.kind == "time":
        return value - timedelta(seconds=source.overlap_s)
    if state.kind == "number":
        low = value - source.overlap
        return int(low) if low == int(low) else low
    return _earlier_text(value, source.overlap_s)


def _earlier_text(value: str, overlap_s: int) -> str:
    """A time that is kept as text (SQLite), less the overlap; other texts have none."""
    try:
        stamp = datetime.fromisoformat(value)
    except ValueError:
        return value
    if len(value) < 19:
        return (stamp - timedelta(seconds=overlap_s)).strftime("%Y-%m-%d") if len(value) == 10 else value
    return (stamp - timedelta(seconds=overlap_s)).isoformat(value[10], "seconds")


def _date(found: Any) -> date:
    if isinstance(found, datetime):
        return found.date()
    return found if isinstance(found, date) else date.fromisoformat(str(found)[:10])
