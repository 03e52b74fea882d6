"""Tables: a zipped CSV of 101,766 rows and 50 columns to canonical rows and a product, and its suggested mapping."""

from __future__ import annotations

import csv
import io
import os
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from bench._report import quick, say

from xinglin.records.model import ReadContext
from xinglin.records.tabular.mapping import parse_mapping
from xinglin.records.tabular.product import product_arrow, product_schema
from xinglin.records.tabular.reader import TabularReader
from xinglin.records.tabular.suggest import suggest


def data(small: bool) -> tuple[bytes, str]:
    """The real data where it is, else rows of the same shape; and which of them it is."""
    folder = Path(os.environ.get("XINGLIN_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    path = folder / "diabetes130" / "dataset_diabetes.zip"
    if path.is_file() and not small:
        return path.read_bytes(), "diabetes130"
    return generated(2_000 if small else 100_000), "generated rows"


def generated(rows: int) -> bytes:
    """A zip with a CSV of 30 columns."""
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(["patient_id", "encounter_id", "gender", "diag_1", "diag_2", *(f"x{k}" for k in range(25))])
    for number in range(rows):
        cells = [number % (rows // 2), number, "MF"[number % 2], "I10", "E11.9"]
        writer.writerow([*cells, *((number * k) % 97 for k in range(25))])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("visits.csv", held.getvalue())
    return packed.getvalue()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def main(arguments: list[str]) -> None:
    """Suggest, read, and make Arrow tables of the product."""
    body, which = data(quick(arguments))
    found = suggest(body, "data.zip")
    cpu, wall = timed(lambda: suggest(body, "data.zip"))
    say(
        "tabular.suggest",
        f"a mapping suggested from {which}",
        cpu,
        "s CPU",
        "",
        f"wall {wall:.2f} s, {found.rows} rows",
    )
    mapped = []
    read = TabularReader().read(body, ReadContext("bench", 0, mapping=found.toml))
    cpu, wall = timed(lambda: mapped.extend(one for part in read for one in part.mapped))
    rows = sum(len(one.rows) for one in mapped)
    words = f"{cpu:.2f} s CPU, wall {wall:.2f} s, {rows} rows of {len({one.table for one in mapped})} tables"
    say("tabular.read", f"source rows from the zip to mapped rows, {which}", found.rows / cpu, "/s a core", "", words)
    say("tabular.rows", f"mapped rows, {which}", rows / cpu, "/s a core", "", words)
    schema = product_schema(parse_mapping(found.toml))
    if schema is not None:
        wide = [one for one in mapped if one.table == schema.name]
        cpu, wall = timed(lambda: [product_arrow(one, schema, {"batch": 1}) for one in wide])
        say("tabular.product", "the product's rows to a typed Arrow table", cpu, "s CPU", "", f"wall {wall:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
