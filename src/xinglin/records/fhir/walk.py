"""Every Reference of a resource, found by the elements that can hold one.

Which elements of which type those are, the definitions say; what has no definitions is looked through as a whole.
Extensions of data types (of a Coding, of a primitive) are not looked into, those of resources and their parts are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from xinglin.kernel.limits import NESTING_DEPTH, Limit
from xinglin.records.fhir.definitions import Element, ElementType, elements, is_defined, lineage
from xinglin.records.fhir.primitives import is_primitive

Visit = Callable[[dict[str, Any], Any], None]
Walk = Callable[[Any, Visit, Any], None]
Steps = tuple[tuple[str, Walk], ...]
SHAPES = Limit("remembered shapes of one walk", 2048, "shapes")


def visit_references(body: dict[str, Any], visit: Visit, release: str = "R4") -> None:
    """Call ``visit`` with each Reference of a resource, and with what the resource contains."""
    contained = body.get("contained")
    walk = _resource(body.get("resourceType"), release)
    walk(body, visit, contained)
    if type(contained) is list:
        for inner in contained:
            if type(inner) is dict:
                _resource(inner.get("resourceType"), release)(inner, visit, contained)


def _resource(kind: Any, release: str) -> Walk:
    return _object(kind, release) if type(kind) is str and is_defined(kind) else _everything


@cache
def _object(path: str, release: str) -> Walk:
    known: dict[tuple[str, ...], Steps] = {}

    def walk(value: Any, visit: Visit, contained: Any) -> None:
        shape = tuple(value)
        steps = known.get(shape)
        if steps is None:
            table = _carriers(path, release)
            steps = tuple((name, table[name]) for name in shape if name in table)
            if len(known) < SHAPES.value:
                known[shape] = steps
        for name, step in steps:
            step(value[name], visit, contained)

    return walk


@cache
def _carriers(path: str, release: str) -> dict[str, Walk]:
    """The steps of a type by JSON name."""
    table = {}
    for element in elements(path, release):
        for name, kind in element.names().items():
            if name != "contained" and carries(kind, release, path):
                table[name] = _step(element, kind, release)
    return table


def carries(kind: ElementType, release: str, within: str) -> bool:
    """Whether a value of that type can hold a reference, as seen from an element of ``within``."""
    if kind.name == "Extension":
        return "." in within or "Resource" in lineage(within) or within == "Extension"
    return kind.name == "Reference" or _holds(kind.name.removeprefix("@"), release)


@cache
def _holds(path: str, release: str) -> bool:
    return _search(path, release, set())


def _search(path: str, release: str, seen: set[str]) -> bool:
    if path in seen or is_primitive(path):
        return False
    if not is_defined(path) or path == "Resource":
        return True
    seen.add(path)
    for element in elements(path, release):
        for kind in element.types:
            if kind.name == "Extension":
                if "." in path:
                    return True
            elif kind.name == "Reference" or _search(kind.name.removeprefix("@"), release, seen):
                return True
    return False


def _step(element: Element, kind: ElementType, release: str) -> Walk:
    path = kind.name.removeprefix("@")
    if path == "Reference":
        return _references if element.many else _reference
    if path == "Resource" or not is_defined(path):
        return _everything
    walk = _object(path, release)

    def one(value: Any, visit: Visit, contained: Any) -> None:
        if type(value) is dict:
            walk(value, visit, contained)

    def many(value: Any, visit: Visit, contained: Any) -> None:
        if type(value) is list:
            for each in value:
                if type(each) is dict:
                    walk(each, visit, contained)

    return many if element.many else one


def _reference(value: Any, visit: Visit, contained: Any) -> None:
    if type(value) is dict:
        visit(value, contained)


def _references(value: Any, visit: Visit, contained: Any) -> None:
    if type(value) is list:
        for each in value:
            if type(each) is dict:
                visit(each, contained)


def _everything(value: Any, visit: Visit, contained: Any) -> None:
    todo: list[tuple[Any, int]] = [(value, 0)]
    while todo:
        some, level = todo.pop()
        if level > NESTING_DEPTH.value:
            raise RecursionError("nested too deeply")
        if type(some) is dict:
            if type(some.get("reference")) is str or type(some.get("identifier")) is dict:
                visit(some, contained)
            todo.extend((each, level + 1) for each in some.values())
        elif type(some) is list:
            todo.extend((each, level + 1) for each in some)
