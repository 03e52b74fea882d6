"""SQL on FHIR: an Observation view by both back-ends, and Synthea resources to canonical Arrow tables."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import orjson
from bench._report import quick, say, shortest
from bench._synthea import ARCHIVE, bundles

from xinglin.records.fhir import FhirReader
from xinglin.records.model import Mapped, ReadContext, Resource
from xinglin.records.shape import shape_parts
from xinglin.records.views import Mapping, canonical_views, compile_view, ndjson_sql, parse_view

VIEW: dict[str, Any] = {
    "resourceType": "ViewDefinition",
    "status": "active",
    "resource": "Observation",
    "select": [
        {
            "column": [
                {"name": "id", "path": "id", "type": "id"},
                {"name": "status", "path": "status", "type": "code"},
                {"name": "patient", "path": "subject.getReferenceKey()", "type": "string"},
                {
                    "name": "loinc",
                    "path": "code.coding.where(system = 'http://loinc.org').first().code",
                    "type": "code",
                },
                {"name": "effective", "path": "effective.ofType(dateTime)", "type": "dateTime"},
                {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
                {"name": "unit", "path": "value.ofType(Quantity).unit", "type": "string"},
            ]
        }
    ],
}
"""Seven columns, as the figures of peers are measured with."""


class Origin:
    """Where the rows of the benchmark come from."""

    source, namespace, message, zone = "bench", "", "00", "+08:00"


def resources(limit: int) -> list[list[Resource]]:
    """Resources of the archive's first bundles, by bundle."""
    reader, found = FhirReader(checked=False), []
    for body in bundles(limit):
        parts = reader.read(body, ReadContext("bench", 0))
        found.append([each for part in parts for each in part.resources])
    return found


def view_by_both(bodies: list[dict[str, Any]], times: int) -> None:
    """The Observation view over parsed resources, and over a file of NDJSON."""
    view = parse_view(VIEW)
    rows = compile_view(view).rows
    taken = shortest(times, lambda: [rows(body) for body in bodies])
    words = f"{len(VIEW['select'][0]['column'])} columns, {len(bodies):,} Observations; per processor second"
    say("views.python", "Observation view, compiled to Python", len(bodies) / taken, "/s", ">= 100000", words)
    lines = [orjson.dumps(body) for body in bodies]
    taken = shortest(times, lambda: [rows(orjson.loads(line)) for line in lines])
    say("views.python_ndjson", "the same with orjson.loads of each line", len(bodies) / taken, "/s")
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as engine:
        path = Path(folder) / "observation.ndjson"
        path.write_bytes(b"\n".join(lines) + b"\n")
        statement = ndjson_sql(view, str(path))
        taken = shortest(times, lambda: engine.execute(f"CREATE OR REPLACE TABLE made AS {statement}"))
        say("views.sql", "the same view as DuckDB SQL over NDJSON, one thread", len(bodies) / taken, "/s")
        if engine.execute("SELECT * FROM made").fetchall() != [row for body in bodies for row in rows(body)]:
            raise SystemExit("the back-ends do not agree")
    peer(bodies, rows)


def peer(bodies: list[dict[str, Any]], ours: Callable[[Any], Any]) -> None:
    """SAS sqlonfhir on some of them, where it is installed (it is no dependency of ours)."""
    if importlib.util.find_spec("sqlonfhir") is None:
        sys.stderr.write("peer: sqlonfhir is not installed here; 5,274 resources/s were measured on another day\n")
        return
    import sqlonfhir

    some = bodies[:500]
    theirs = shortest(1, lambda: sqlonfhir.evaluate(some, VIEW))
    mine = shortest(3, lambda: [ours(body) for body in some])
    say("views.peer", "SAS sqlonfhir on the same view", len(some) / theirs, "/s")
    say("views.ratio", "ours against it, side by side", theirs / mine, "×")


def canonical(bundles: list[list[Resource]], times: int) -> None:
    """All resources to canonical rows, and these to Arrow tables."""
    canonical_views()
    count = sum(map(len, bundles))
    kept: dict[str, list[tuple[Mapped, Any]]] = {}

    def map_all() -> None:
        kept.clear()
        for resources_ in bundles:
            for mapped in Mapping().rows(resources_, 0):
                kept.setdefault(mapped.table, []).append((mapped, Origin()))

    def shape_all() -> None:
        for table, parts in kept.items():
            shape_parts(table, parts, 1, 0)

    mapping, shaping = shortest(times, map_all), shortest(times, shape_all)
    rows = sum(len(mapped.rows) for parts in kept.values() for mapped, _ in parts)
    words = f"{count:,} Synthea resources of all types, {rows:,} rows"
    say("views.map", "resources to canonical rows", 1e6 * mapping / count, "µs", "", words)
    say("views.shape", "these to Arrow tables in stored columns", 1e6 * shaping / count, "µs", "", "a resource")
    say("views.map_and_shape", "both together", count / (mapping + shaping), "/s", "", "aim: 28,600 (35 µs a resource)")


def main(arguments: list[str]) -> None:
    """Everything; ``--quick``: two bundles, once."""
    if not ARCHIVE.is_file():
        sys.stdout.write(f"no {ARCHIVE.name}: set XINGLIN_DATA\n")
        return
    small = quick(arguments)
    bundles = resources(2 if small else 60)
    times = 1 if small else 5
    bodies = [each.body for some in bundles for each in some if each.body["resourceType"] == "Observation"]
    view_by_both(bodies, times)
    canonical(bundles, times)


if __name__ == "__main__":
    main(sys.argv[1:])
