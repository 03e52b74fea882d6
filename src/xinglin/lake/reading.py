"""The node's own queries: pinned tables as current views, read from lists of files.

Never for a study's query: here SQL can name the pinned files, with the keys of patients in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xinglin.kernel.instants import Instant
from xinglin.lake import files
from xinglin.lake.current import PERSON_LINK, rule_of
from xinglin.lake.delta import Lake
from xinglin.lake.model import PinnedTable, QueryLimits, Snapshot
from xinglin.lake.query import QuerySession
from xinglin.terms.consent import PersonFilter

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = "rows_"
"""In front of a table's name: every stored row of it, superseded ones too."""


@contextmanager
def read_current(
    lake: Lake,
    snapshot: Snapshot,
    limits: QueryLimits | None = None,
    *,
    as_of_recorded: Instant | None = None,
    persons: PersonFilter | None = None,
) -> Iterator[QuerySession]:
    """A locked session over the snapshot's tables, for the node's own queries; closed at the end.

    A table with versions of facts is readable under its name as its current view (``patient`` is the linked
    person where the snapshot has ``person_link``, ``patient_record`` the source's key); every stored row as
    ``rows_…``. ``as_of_recorded``: what the node knew at that instant. ``persons``: lists for
    ``consenting.kept_where``, with the records that are linked to them where the snapshot has links. Raises as
    ``Lake.datasets`` does.
    """
    session = QuerySession(limits or QueryLimits())
    try:
        opened = {pinned.name: open_rows(lake, session, pinned) for pinned in snapshot.tables}
        if PERSON_LINK in opened:
            session.links(ROWS + PERSON_LINK, as_of_recorded=as_of_recorded)
        if persons is not None:
            session.persons(persons)
        for name, schema in opened.items():
            rule = rule_of(name, schema.names)
            if rule is None:
                session.view(name, f'SELECT * FROM "{ROWS}{name}"')  # noqa: S608 (a table's checked name)
            else:
                session.view(name, session.current(ROWS + name, rule, as_of_recorded=as_of_recorded))
        session.lock()
        yield session
    finally:
        session.close()


def open_rows(lake: Lake, session: QuerySession, pinned: PinnedTable) -> pa.Schema:
    """Make every stored row of a pinned table readable as ``rows_…``; the table's schema."""
    import pyarrow as pa

    table, name = lake.open_pinned(pinned), ROWS + pinned.name
    schema = pa.schema(table.schema().to_arrow())
    kinds = {field.name: _engine_type(field.type) for field in schema}
    if all(kinds.values()) and not table.metadata().partition_columns:
        folder = lake.path(pinned.name)
        session.files(name, [str(folder / file.path) for file in files.data_files(table)], kinds)
    else:
        session.table(name, table.to_pyarrow_dataset())
    return schema


def _engine_type(kind: pa.DataType) -> str:
    """The engine's word for a column's type; empty for one that files are not read by."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
    if pa.types.is_decimal128(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "VARCHAR"
    words = {
        "bool": "BOOLEAN",
        "int8": "TINYINT",
        "int16": "SMALLINT",
        "int32": "INTEGER",
        "int64": "BIGINT",
        "float": "FLOAT",
        "double": "DOUBLE",
        "date32[day]": "DATE",
    }
    return words.get(str(kind), "")
