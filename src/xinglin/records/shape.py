"""``shape``: mapped rows become Arrow tables in the stored columns of their canonical table.

Times and dates are read, their precision and zone put beside them; numbers are read; keys get the source's
namespace. A value that cannot be read becomes NULL and the row a flag (``shape.bad_time``); no value raises.
Three columns are derived where they are not given: ``encounter.length_days``, ``patient.birth_year`` and
``observation.value_titre_denominator``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from xinglin.catalogue.canonical import CanonicalTable, PhysicalColumn
from xinglin.catalogue.canonical_tables import canonical_table
from xinglin.kernel.instants import Instant
from xinglin.records.columns import Marks, booleans, days, instants, integers, moments, numbers, texts
from xinglin.records.errors import RecordsError
from xinglin.records.model import Mapped, Turned

if TYPE_CHECKING:
    import pyarrow as pa

_KEY_WORDS = re.compile(r"\(\w+\.id\b")
_DAY_MS = 86_400_000
_TURNED_ROWS = 256
_TITRE = re.compile(r"\s*[<>]?=?\s*\d+(?:\.\d+)?\s*[:：]\s*(\d+(?:\.\d+)?)\s*")


class UnknownColumn(RecordsError):
    """Mapped rows name a table or a column that the canonical tables do not have."""

    code = "shape.unknown_column"


class FromWhere(Protocol):
    """Where the rows of a part came from."""

    @property
    def source(self) -> str:
        """The feed."""
        ...

    @property
    def namespace(self) -> str:
        """Put before every key."""
        ...

    @property
    def message(self) -> str:
        """SHA-256 of the object, hexadecimal."""
        ...

    @property
    def zone(self) -> str:
        """Taken for times without one."""
        ...

    @property
    def received_at(self) -> Instant:
        """The version of rows that tell none; 0: they stay without."""
        ...


class _Origin(msgspec.Struct, frozen=True):
    source: str
    namespace: str
    message: str
    zone: str
    received_at: Instant = 0


@cache
def arrow_schema(table: str) -> pa.Schema:
    """The Arrow schema of a canonical table, the system columns first. Raises ``UnknownColumn``.

    >>> arrow_schema("death").names[:2]
    ['id', 'patient']
    """
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "instant": pa.timestamp("us", tz="UTC"),  # whole milliseconds; Delta stores microseconds
    }
    return pa.schema([pa.field(column.name, types[column.holds]) for column in _table(table).physical()])


def shape(
    mapped: Mapped,
    *,
    batch: int,
    recorded_at: Instant,
    source: str,
    message: str | Sequence[str],
    namespace: str = "",
    zone: str = "+08:00",
) -> pa.Table:
    """The rows of ``mapped`` as an Arrow table with the schema of ``arrow_schema``, in their order.

    ``message``: the digest of the object they came from, or one for each row. ``zone``: IANA name or offset, taken
    for times that name none. Raises ``UnknownColumn`` for a column that the table does not have.
    """
    if isinstance(message, str):
        origin = _Origin(source, namespace, message, zone)
        return shape_parts(mapped.table, [(mapped, origin)], batch, recorded_at)
    import pyarrow as pa

    shaped = shape(
        mapped, batch=batch, recorded_at=recorded_at, source=source, message="", namespace=namespace, zone=zone
    )
    at = shaped.schema.get_field_index("message")
    return shaped.set_column(at, shaped.schema.field(at), pa.array(list(message), pa.string()))


def shape_parts(
    table: str, parts: Sequence[tuple[Mapped | Turned, FromWhere]], batch: int, recorded_at: Instant
) -> pa.Table:
    """Rows of many objects as one Arrow table, in their order. As ``shape`` otherwise."""
    import pyarrow as pa

    whole = [(part if isinstance(part, Turned) else _turned(part), origin) for part, origin in parts]
    found = [_Shaping(table, run, batch, recorded_at).table() for run in _runs(whole)]
    return pa.concat_tables(found) if found else arrow_schema(table).empty_table()


def _turned(mapped: Mapped) -> Turned:
    """Some hundred rows at a time, which a processor has at hand when it turns them into columns."""
    columns: tuple[list[Any], ...] = tuple([] for _ in mapped.columns)
    for start in range(0, len(mapped.rows), _TURNED_ROWS):
        block = mapped.rows[start : start + _TURNED_ROWS]
        for column, values in zip(columns, zip(*block, strict=True), strict=True):
            column.extend(values)
    return Turned(mapped.table, mapped.columns, columns, len(mapped.rows), mapped.kinds)


def _runs(parts: Sequence[tuple[Turned, FromWhere]]) -> list[list[tuple[Turned, FromWhere]]]:
    """Parts one after the other that share namespace and zone."""
    runs: list[list[tuple[Turned, FromWhere]]] = []
    last: tuple[str, str] | None = None
    for part in parts:
        key = (part[1].namespace, part[1].zone)
        if key != last:
            runs.append([])
            last = key
        runs[-1].append(part)
    return runs


@cache
def _table(name: str) -> CanonicalTable:
    table = canonical_table(name)
    if table is None:
        raise UnknownColumn(f"There is no canonical table {name!r}.")
    return table


@cache
def _physical(name: str) -> tuple[PhysicalColumn, ...]:
    return _table(name).physical()


@cache
def _kinds(name: str) -> dict[str, str]:
    from xinglin.catalogue.canonical import SYSTEM_COLUMNS

    return {column.name: column.kind for column in (*SYSTEM_COLUMNS, *_table(name).columns)}


@cache
def key_columns(name: str) -> frozenset[str]:
    """Columns of a table that hold keys of facts: ``id``, ``patient`` and every reference."""
    references = {c.name for c in _table(name).columns if _KEY_WORDS.search(c.words) or c.name == "based_on"}
    return frozenset({"id", "patient", *references})


class _Shaping:
    """One run of rows on its way."""

    def __init__(self, table: str, parts: list[tuple[Turned, FromWhere]], batch: int, recorded_at: Instant) -> None:
        self._table, self._parts, self._batch, self._recorded_at = table, parts, batch, recorded_at
        self._zone, self._namespace = parts[0][1].zone, parts[0][1].namespace
        self._marks = Marks()
        self._given, self._rows = _gathered(parts)
        self._made: dict[str, Any] = {}

    def table(self) -> pa.Table:
        """The Arrow table."""
        import pyarrow as pa

        schema = arrow_schema(self._table)
        self._check(schema)
        self._constants()
        self._versions()
        kinds = _kinds(self._table)
        for column in _physical(self._table):
            if column.name not in self._made and column.name == column.part_of and column.name != "flags":
                self._make(column.name, kinds[column.name])
        self._derived()
        for column in _physical(self._table):
            if column.name not in self._made and column.name != "flags":
                self._make(column.name, "text")
        self._made["flags"] = self._flags()
        return pa.table([self._made[name] for name in schema.names], schema=schema)

    def _check(self, schema: pa.Schema) -> None:
        unknown = [name for name in self._given if name not in schema.names]
        if unknown and unknown != ["patient"]:
            raise UnknownColumn(f"The table {self._table!r} has no column {unknown[0]!r}.")

    def _constants(self) -> None:
        import pyarrow as pa

        stamp = pa.scalar(self._recorded_at * 1000, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        self._made["recorded_at"] = pa.repeat(stamp, self._rows)
        self._made["batch"] = pa.repeat(pa.scalar(self._batch, pa.int64()), self._rows)
        for name in ("source", "message"):
            runs = [(getattr(origin, name), part.count) for part, origin in self._parts]
            self._made[name] = _repeated(runs, pa.string())

    def _versions(self) -> None:
        """What the rows tell, or their receipt."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self._make("version_at", "instant")
        told = self._made["version_at"]
        if not told.null_count or not any(origin.received_at for _, origin in self._parts):
            return
        runs = [(origin.received_at * 1000 or None, part.count) for part, origin in self._parts]
        received = _repeated(runs, pa.int64()).cast(told.type)
        self._made["version_at"] = pc.coalesce(told, received)

    def _make(self, name: str, kind: str) -> None:
        import pyarrow as pa

        values = self._given.get(name)
        schema = arrow_schema(self._table)
        if values is None:
            self._made[name] = pa.nulls(self._rows, schema.field(name).type)
            if name == "partial":
                self._made[name] = pa.repeat(pa.scalar(False), self._rows)
            return
        if kind == "time":
            made, precision, zone = moments(values, self._zone, self._marks)
            self._made |= {name: made, f"{name}_precision": precision, f"{name}_zone": zone}
        elif kind == "date":
            made, precision = days(values, self._marks)
            self._made |= {name: made, f"{name}_precision": precision}
        elif name in key_columns(self._table):
            self._made[name] = self._keys(texts(values, self._marks))
        elif name == "partial":
            self._made[name] = booleans(values, self._marks).fill_null(False)
        else:
            self._made[name] = _READERS.get(kind, texts)(values, self._marks)

    def _keys(self, keys: Any) -> Any:
        """Keys with the namespace before them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self._namespace:
            return keys
        return pc.binary_join_element_wise(pa.scalar(self._namespace), keys, "/")

    def _derived(self) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        made = self._made
        if self._table == "encounter" and made["length_days"].null_count:
            exact = pc.is_in(made["started_precision"], pa.array(["hour", "minute", "second", "millisecond"]))
            span = pc.subtract(made["ended"].cast(pa.int64()), made["started"].cast(pa.int64()))
            length = pc.divide(span.cast(pa.float64()), _DAY_MS * 1000.0)
            length = pc.if_else(pc.and_(exact, pc.greater_equal(length, 0)), length, None)
            made["length_days"] = pc.coalesce(made["length_days"], length)
        if self._table == "patient" and made["birth_year"].null_count:
            made["birth_year"] = pc.coalesce(made["birth_year"], pc.year(made["birth_date"]))
        if self._table == "observation" and made["value_titre"].null_count < self._rows:
            told = [_denominator(text) for text in made["value_titre"].to_pylist()]
            made["value_titre_denominator"] = pc.coalesce(made["value_titre_denominator"], pa.array(told, pa.float64()))

    def _flags(self) -> Any:
        """What the rows carried already, and what was found here."""
        import pyarrow as pa

        given = self._given.get("flags")
        if not self._marks.by_row:
            return pa.nulls(self._rows, pa.string()) if given is None else texts(given, self._marks)
        found: list[Any] = [None] * self._rows if given is None else list(given)
        for row, codes in self._marks.by_row.items():
            known = found[row].split() if isinstance(found[row], str) else []
            found[row] = " ".join(dict.fromkeys([*known, *sorted(codes)]))
        return texts(found, Marks())


_READERS: dict[str, Callable[[Sequence[Any], Marks], Any]] = {
    "number": numbers,
    "integer": integers,
    "boolean": booleans,
    "instant": instants,
}


def _gathered(parts: list[tuple[Turned, FromWhere]]) -> tuple[dict[str, Sequence[Any]], int]:
    """Columns of all parts by name, and the number of rows."""
    names = dict.fromkeys(name for part, _ in parts for name in part.columns)
    gathered: dict[str, list[Any]] = {name: [] for name in names}
    for part, _ in parts:
        for name, values in zip(part.columns, part.values, strict=True):
            gathered[name].extend(values)
        for name in names.keys() - set(part.columns) if len(names) > len(part.columns) else ():
            gathered[name].extend([None] * part.count)
    return dict(gathered), sum(part.count for part, _ in parts)


def _repeated(runs: Sequence[tuple[Any, int]], type_: Any) -> Any:
    """Each value as often as it is said."""
    import numpy as np
    import pyarrow as pa

    if len(runs) == 1:
        return pa.repeat(pa.scalar(runs[0][0], type_), runs[0][1])
    each = np.repeat(np.arange(len(runs)), [count for _, count in runs])
    return pa.array([value for value, _ in runs], type_).take(pa.array(each))


def _denominator(text: str | None) -> float | None:
    match = _TITRE.fullmatch(text) if text else None
    return float(match.group(1)) if match else None
