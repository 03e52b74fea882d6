"""Which v2 field an element of the expected bundles comes from, by the shipped maps (for the report only)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from xinglin.records.v2maps.data import Row, maps

_BY_TYPE = {"Practitioner": "XCN[Practitioner]", "Organization": "XON[Organization]", "PractitionerRole": "NDL"}
_HEADED = {"MessageHeader": "MSH", "Coverage": "IN1"}


def source_of(kind: str, path: str) -> str:
    """``PID-13 PID-14`` for ``Patient`` ``telecom.use``; the data type's component for what is mentioned by it."""
    names = tuple(path.split("."))
    found: dict[int, set[str]] = {}
    for steps, label in _known(kind):
        if names[: len(steps)] == steps:
            found.setdefault(len(steps), set()).add(label)
    best = sorted(found[max(found)]) if found and max(found) else []
    return " ".join(best[:4]) or _HEADED.get(kind, f"({kind} of the message)")


@cache
def _known(kind: str) -> list[tuple[tuple[str, ...], str]]:
    whole = [
        (steps, label)
        for name, rows in maps().segments.items()
        for row in rows
        for of, steps, label in _steps(name, row, name.partition("[")[0] + "-")
        if of == kind and steps
    ]
    if kind in ("Practitioner", "Organization", "Location"):
        whole += [
            (steps, label)
            for name, rows in maps().datatypes.items()
            if f"[{kind}" in name
            for row in rows
            for of, steps, label in _steps(name, row, name.partition("[")[0] + ".")
            if of == kind
        ]
    return whole


def _steps(name: str, row: Row, prefix: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """The path of a row in each resource that it runs through."""
    kind, steps = name.partition("[")[2].partition("-")[0].rstrip("]"), []
    label = prefix + (str(row.at[0]) if row.at[0] else "")
    for step in row.path:
        if isinstance(step, str):
            yield kind, (*steps, "reference"), label
            kind, steps = step[1:], []
        else:
            steps.append(step[0])
    yield kind, tuple(steps), label
