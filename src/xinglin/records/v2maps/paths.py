"""Where a row puts its value: a path of a resource in the making, as a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xinglin.records.v2maps.nodes import Link, Shared, Slots, merge, thawed

Put = Callable[[dict[str, Any], int, Any], None]
"""Node, number of the repetition, value."""

_ONE_A_SEGMENT = frozenset({"contact", "dosageInstruction", "dosage", "reaction", "note", "communication"})
"""Lists of which a segment fills one element: what repeats in its fields repeats inside it."""


def putter(path: list[Any], segment: str) -> Put:
    """``put(node, repetition, value)`` for a path; of a segment, the first list has a place for each repetition.

    Places are the segment's own: PID's second extension is not PD1's.
    """
    steps = _steps(path, segment)
    if not steps:
        return lambda node, rep, value: merge(node, value)
    *above, (last, place, many, kind) = steps
    put_last = _last_putter(last, place, many, kind)
    if not above:
        return put_last

    def put(node: dict[str, Any], rep: int, value: Any) -> None:
        at = node
        for name, at_place, repeats, to in above:
            at = _into(at, name, (at_place, rep) if isinstance(at_place, tuple) else at_place, repeats, to)
        put_last(at, rep, value)

    return put


def _steps(path: list[Any], segment: str) -> list[tuple[str, Any, bool, str]]:
    """Steps as (name, place, whether it is a list, type of the resource that it leads to)."""
    steps: list[tuple[str, Any, bool, str]] = []
    first = bool(segment)
    for at, step in enumerate(path):
        if isinstance(step, str):
            continue
        name, index, many = step
        kind = path[at + 1][1:] if at + 1 < len(path) and isinstance(path[at + 1], str) else ""
        repeated = many and first and name not in _ONE_A_SEGMENT
        steps.append((name, (segment, index) if repeated else index, bool(many), kind))
        first = first and not repeated
    return steps


def _last_putter(last: str, place: Any, many: bool, kind: str) -> Put:
    """Puts a value at the last step: a text as it is, a node beside what another row has put there."""
    repeats = isinstance(place, tuple)

    def put(node: dict[Any, Any], rep: int, value: Any) -> None:
        name: Any = last
        if many:
            slots = node.get(last)
            if slots is None:
                slots = node[last] = Slots()
            node, name = slots, ((place, rep) if repeats else place)
        if not isinstance(value, dict):
            node[name] = value
            return
        old = node.get(name)
        if old is not None:
            merge(_writable(node, name, old), value)
        elif kind:
            link = node[name] = Link(kind)
            link.node = value
        else:
            node[name] = value

    return put


def _into(at: dict[str, Any], name: str, place: Any, many: bool, kind: str) -> dict[str, Any]:
    """The element at a step, made where there is none."""
    if many:
        slots = at.get(name)
        if slots is None:
            slots = at[name] = Slots()
        at, name = slots, place
    found = at.get(name)
    if found is None:
        found = at[name] = Link(kind) if kind else {}
    return found if type(found) is dict else _writable(at, name, found)


def _writable(at: dict[Any, Any], name: Any, found: Any) -> Any:
    """What a place holds, as a node that may be written in."""
    if isinstance(found, Link):
        if isinstance(found.node, Shared):
            found.node = thawed(found.node)
        return found.node
    if isinstance(found, Shared):
        found = at[name] = thawed(found)
    return found
