"""Lake: batches appended, current views with and without partial versions, maintenance, erasure."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from bench._report import quick, say

from xinglin.catalogue.canonical_tables import CANONICAL_TABLES
from xinglin.lake import Lake, checkpoint, compact, erase_person, read_current

PATIENTS = 20_000
CODES = 400
_KINDS = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "instant": pa.timestamp("ms", tz="UTC"),
}
COUNT = "SELECT code, count(*) AS n, count(DISTINCT patient) AS persons FROM observation GROUP BY code"


def observations(first: int, count: int, batch: int, *, partial: bool = False, seed: int = 1) -> pa.Table:
    """Laboratory values in the canonical columns, as an intake would hand them over: 20 a message."""
    random = np.random.default_rng(seed + batch)
    at = pa.array(1_700_000_000_000 + batch * 60_000 + np.arange(count)).cast(_KINDS["instant"])
    patients = np.array([f"Patient/{number:06d}" for number in range(PATIENTS)])
    codes = np.array([f"{number}-{number % 10}" for number in range(CODES)])
    known = {
        "id": pa.array([f"Observation/{number}" for number in range(first, first + count)]),
        "patient": pa.array(np.repeat(patients[random.integers(0, PATIENTS, count // 20 + 1)], 20)[:count]),
        "code": pa.array(codes[random.integers(0, CODES, count)]),
        "code_system": pa.array(["http://loinc.org"] * count),
        "code_source": pa.array(codes[random.integers(0, CODES, count)]),
        "status": pa.array(["final"] * count),
        "value_number": pa.array(random.normal(5, 1, count).round(2)),
        "value_unit": pa.array(["mmol/L"] * count),
        "version_at": at,
        "recorded_at": at,
        "effective": at,
        "batch": pa.array(np.full(count, batch)),
        "partial": pa.array(np.full(count, partial)),
        "message": pa.array([f"{number // 20:064x}" for number in range(first, first + count)]),
        "place": pa.array([f"entry[{number % 20}]" for number in range(count)]),
        "source": pa.array(["lab"] * count),
    }
    (table,) = (table for table in CANONICAL_TABLES if table.name == "observation")
    columns = {part.name: known.get(part.name) for part in table.physical()}
    kinds = {part.name: _KINDS[part.holds] for part in table.physical()}
    return pa.table(
        {
            name: values.cast(kinds[name]) if values is not None else pa.nulls(count, kinds[name])
            for name, values in columns.items()
        }
    )


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def appending(folder: Path, rows: int, batches: int) -> Lake:
    """Durable batches of the widest table; the lake that they made."""
    lake, each = Lake(folder), rows // batches
    tables = [observations(number * each, each, number + 1) for number in range(batches)]

    def append() -> None:
        for number, table in enumerate(tables, 1):
            lake.append_batch(number, {"observation": table})

    wall, cpu = timed(append)
    what = f"observations of {len(tables[0].column_names)} columns, durable, {batches} batches of {each:,}"
    say("lake.append", what, rows / cpu, "rows/s a core", ">= 400000", f"{rows / wall:,.0f} rows/s by the wall clock")
    return lake


def small_batches(folder: Path, count: int) -> None:
    """Small batches of six tables: what a quiet feed costs."""
    lake, rows = Lake(folder), observations(0, 100, 1)
    names = ("condition", "encounter", "observation", "patient", "procedure", "report")
    wall, _ = timed(lambda: [lake.append_batch(n, dict.fromkeys(names, rows)) for n in range(1, count + 1)])
    say("lake.append.small", "batches of 100 rows in each of six tables, durable", count / wall, "batches/s")


def viewing(lake: Lake, key: str, what: str) -> None:
    """One grouped count over the current view, opening included; and over the stored rows."""
    snapshot = lake.current(["observation"])
    rows = lake.statistics("observation").rows

    def count(sql: str) -> None:
        with read_current(lake, snapshot) as session:
            session.run(sql)

    count(COUNT)
    wall, cpu = timed(lambda: count(COUNT))
    stored, _ = timed(lambda: count(COUNT.replace("FROM observation", "FROM rows_observation")))
    comment = f"{cpu:.2f} s of processor; opening and the stored rows alone {stored:.2f} s"
    say(f"lake.current.{key}", f"grouped count over the current view, {rows:,} rows, {what}", wall, "s", "", comment)


def main() -> None:
    rows, batches = (20_000, 4) if quick(sys.argv) else (1_000_000, 20)
    with tempfile.TemporaryDirectory() as name:
        lake = appending(Path(name) / "lake", rows, batches)
        viewing(lake, "one", "one version a fact")
        tenth = rows // 10
        lake.append_batch(batches + 1, {"observation": observations(0, tenth, batches + 1)})
        viewing(lake, "whole", "a tenth corrected")
        lake.append_batch(batches + 2, {"observation": observations(tenth, tenth, batches + 2, partial=True)})
        viewing(lake, "partial", "a tenth corrected, a tenth amended in part")
        wall, _ = timed(lambda: compact(lake, "observation"))
        total = lake.statistics("observation").rows
        say("lake.compact", f"compaction of {batches + 2} files, {total:,} rows", total / wall, "rows/s")
        wall, _ = timed(lambda: checkpoint(lake, "observation"))
        wall, _ = timed(lambda: erase_person(lake, ["Patient/000007"]))
        say("lake.erase", f"erasure of a person from {total:,} rows, log and old files with it", wall, "s")
        small_batches(Path(name) / "small", 3 if quick(sys.argv) else 60)


if __name__ == "__main__":
    main()
