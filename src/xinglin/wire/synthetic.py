"""Synthetic sets: what leaves with the rows, and what the hospital's log entry commits to.

They are asked for, followed and fetched by the calls of ``xinglin.wire.extracts``: a ``RunCall`` whose plan is a
synthetic set's, the same sealed parts, the same attestation. Their package holds a ``SyntheticManifest`` in place of an
extract's. Append-only.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import JSON_BYTES, Limit
from xinglin.wire.extracts import ExtractFile

KIND = "synthetic"
"""What tells the manifest from an extract's, and the view of one at the hub."""
REPORT_FILE = "report.json"
REPORT_BYTES = Limit("report of a synthetic set", JSON_BYTES.value, "bytes")
COLUMNS = Limit("columns of a synthetic table", 1_024, "columns")
ROW_COLUMN = "row"
"""Of every table of a set, the first: a made-up id of the row."""


class SyntheticColumn(msgspec.Struct, frozen=True):
    """A column of a synthetic table: its published domain, and in words what marking did to it (empty: nothing)."""

    name: str
    kind: str
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    marked: str = ""


class SyntheticTable(msgspec.Struct, frozen=True):
    """A table of the set: its rows, columns, and the column that names a made-up person (empty: none).

    Its file is ``{name}.parquet``, with the columns ``row``, ``key`` where there is one, and these, in order.
    """

    name: str
    rows: int
    columns: tuple[SyntheticColumn, ...]
    key: str = ""


class SyntheticManifest(msgspec.Struct, frozen=True):
    """What the set is and what protects it; canonical JSON, committed to in the log. Version 1; append-only.

    ``rho_units`` of 10⁻¹² rho that the model cost, paid by the ledger's entry with hash ``entry`` (by an earlier run
    where ``again``). ``epsilon`` at ``delta``: the same, as a decimal rounded up. ``model``: SHA-256 of the model; it
    stays at the hospital. ``method``. ``unit``: whose rows are protected, in words. ``released``: what the mark stands
    for (ms). ``held_out``: one person in so many was left out, to judge the set inside the hospital. ``fake``: no row
    is a person's.
    """

    run_id: str
    study: str
    data_set: str
    node: str
    recipient: str
    agreement: str
    as_of: Instant
    method: str
    rho_units: int
    epsilon: str
    delta: str
    rows_per_person: int
    unit: str
    entry: str
    model: str
    tables: tuple[SyntheticTable, ...]
    files: tuple[ExtractFile, ...]
    released: Instant
    held_out: int
    again: bool = False
    fake: bool = True
    kind: str = KIND
    version: int = 1


class MeasuredTold(msgspec.Struct, frozen=True):
    """A table of counts that was measured: its columns, cells, the noise's standard deviation (rows), its distance."""

    columns: tuple[str, ...]
    cells: Annotated[int, msgspec.Meta(ge=0, le=10**18)]
    sd: Annotated[float, msgspec.Meta(ge=0, le=1e18)]
    distance: Annotated[float, msgspec.Meta(ge=0, le=1)]


class TableTold(msgspec.Struct, frozen=True):
    """What the report tells of one table: ``xinglin.privacy.synthesis.quality``."""

    name: str
    total: Annotated[int, msgspec.Meta(ge=0, le=10**15)] = 0
    alone: tuple[MeasuredTold, ...] = ()
    together: tuple[MeasuredTold, ...] = ()


class ReportTold(msgspec.Struct, frozen=True):
    """The part of a report that people are shown; what else it says is plain JSON. Append-only."""

    format: str
    tables: tuple[TableTold, ...] = ()
