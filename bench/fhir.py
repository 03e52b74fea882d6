"""FHIR: bundles to checked resources, on real Synthea bundles, beside fhir.resources on the same resources."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import orjson
from bench._report import quick, say, shortest
from bench._synthea import ARCHIVE, bundles

from xinglin.records.fhir import FhirReader, check
from xinglin.records.fhir.findings import findings
from xinglin.records.model import ReadContext
from xinglin.records.views import map_resources

CONTEXT = ReadContext("bench", 0)


def main(arguments: list[str]) -> None:
    """Read, check, and let fhir.resources validate; ``--quick`` on two bundles."""
    if not ARCHIVE.is_file():
        say("fhir.absent", f"no {ARCHIVE.name}: set XINGLIN_DATA", 0, "")
        return
    bodies = bundles(2 if quick(arguments) else 60)
    times = 1 if quick(arguments) else 3
    every = [each.body for body in bodies for part in FhirReader().read(body, CONTEXT) for each in part.resources]
    count, size = len(every), sum(map(len, bodies))
    per = f"{count:,} resources, {size / count:,.0f} bytes each; per processor second of one process"

    def read(checked: bool) -> Callable[[], Any]:
        reader = FhirReader(checked=checked)
        return lambda: [sum(part.received for part in reader.read(body, CONTEXT)) for body in bodies]

    def mapped() -> int:
        parts = (part.resources for body in bodies for part in FhirReader().read(body, CONTEXT))
        return sum(len(map_resources(resources)) for resources in parts)

    parsed = shortest(times, lambda: [len(orjson.loads(body)) for body in bodies])
    say("fhir.orjson", "orjson alone: bundles to Python objects", count / parsed, "/s", "", per)
    say("fhir.read", "bundles to resources, references resolved", count / shortest(times, read(False)), "/s")
    say("fhir.read_checked", "the same, and checked", count / shortest(times, read(True)), "/s")
    say("fhir.mapped", "the same, and rows of the canonical tables", count / shortest(times, mapped), "/s")
    checks = shortest(times, lambda: [check(body) for body in every])
    flagged = sum(bool(check(body)) for body in every)
    say("fhir.check", "check of a parsed resource", count / checks, "/s", "", f"{flagged} of them have flags")
    slow = every[:: max(1, count // 400)]
    taken = shortest(1, lambda: [findings(body, "R4") for body in slow])
    say("fhir.findings", "the same by the slow engine, as for a resource with flags", len(slow) / taken, "/s")
    peer(slow)


def peer(resources: list[dict[str, Any]]) -> None:
    """fhir.resources (R4B models) on every so many resources."""
    from fhir.resources.R4B import get_fhir_model_class

    models = [(get_fhir_model_class(body["resourceType"]), copy.deepcopy(body)) for body in resources]
    for model, body in models[:40]:
        model.model_validate(body)
    theirs = shortest(1, lambda: [model.model_validate(body) for model, body in models])
    ours = shortest(3, lambda: [check(body) for body in resources])
    words = f"on {len(resources)} of them; it checks no required binding, invariant or reference type"
    say("fhir.peer", "fhir.resources: model_validate of a parsed resource", len(resources) / theirs, "/s", "", words)
    say("fhir.ratio", "our check against fhir.resources, side by side", theirs / ours, "×")


if __name__ == "__main__":
    main(sys.argv[1:])
