"""The quick judgement: is a resource as its definitions say, without asking what is wrong with it?

An object's *shape* is its keys in their order. What follows from the keys alone (unknown and missing elements, two
of a choice) is judged once a shape; the tests of the values then run in that order, most of them as C code. A test
may raise ``TypeError`` or ``AttributeError`` on a value of a wrong kind, which means no as well. ``findings`` says
what is wrong; both have to agree, and tests hold them to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from operator import call
from typing import Any

from orjson import dumps

from xinglin.kernel.limits import NESTING_DEPTH, Limit
from xinglin.records.fhir.definitions import (
    Element,
    ElementType,
    elements,
    is_defined,
    lineage,
    resource_types,
    value_set,
)
from xinglin.records.fhir.invariants import Violated, invariants
from xinglin.records.fhir.primitives import Test, is_primitive, test_of

REMEMBERED = Limit("remembered concepts", 8192, "concepts")
LONGEST = Limit("length of a remembered concept", 512, "bytes")
SHAPES = Limit("remembered shapes of one type", 4096, "shapes")
Special = Callable[[str], Test | None]
Plan = tuple[tuple[Test, ...], tuple[Violated, ...]]
_ID = r"[A-Za-z0-9.\-]{1,64}"
_STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"


@cache
def names_of(path: str, release: str) -> dict[str, tuple[Element, ElementType]]:
    """Every JSON name that an element of a type may have; extensions of primitives (``_birthDate``) left out."""
    return {name: (each, kind) for each in elements(path, release) for name, kind in each.names().items()}


def reference_text(targets: tuple[str, ...], contained: bool) -> Callable[[str], Any]:
    """Matches a reference to one of ``targets``, in any form; ``contained``: to a contained resource too."""
    kinds = "|".join(targets)
    local = r"|#\S*" if contained else ""
    return re.compile(
        rf"(?:{kinds})/{_ID}(?:/_history/{_ID})?|https?://\S+/(?:{kinds})/{_ID}(?:/_history/{_ID})?"
        rf"|(?:{kinds})\?\S+|urn:(?:uuid|oid):\S+{local}"
    ).fullmatch


def target_type(targets: tuple[str, ...]) -> Callable[[str], Any]:
    """Matches ``Reference.type`` for one of ``targets``."""
    return re.compile(rf"(?:{_STRUCTURE})?(?:{'|'.join(targets) or '[A-Z][A-Za-z]+'})").fullmatch


def has_substance(shape: tuple[str, ...]) -> bool:
    """Whether an object of this shape has a value or children (ele-1): an id alone is neither."""
    return bool(shape) and shape != ("id",)


def lacks(path: str, release: str, present: Any) -> list[str]:
    """Names of the required elements that are not among ``present``; an extension of a primitive stands for it."""
    return [
        each.name
        for each in elements(path, release)
        if each.required and not any(name in present or "_" + name in present for name in each.names())
    ]


def doubled(path: str, release: str, present: Any) -> list[str]:
    """Names of the choices of which more than one is present."""
    return [
        each.name
        for each in elements(path, release)
        if each.choice and sum(name in present or "_" + name in present for name in each.names()) > 1
    ]


class Shapes:
    """Tests of one release, made when first asked for. ``contained``: of resources with contained ones.

    An object's ``level`` is the number of objects around it; beyond ``NESTING_DEPTH`` there is no test to pass.
    """

    def __init__(self, release: str, contained: bool) -> None:
        self._release, self._contained = release, contained
        self._objects: dict[tuple[str, int], Test] = {}
        self._references: dict[tuple[tuple[str, ...], int], Test] = {}
        self._texts: dict[tuple[str, ...], dict[str, Test]] = {}
        self._concepts: set[bytes] = set()

    def object(self, path: str, level: int = 0) -> Test:
        """The test of an object of a type."""
        if level > NESTING_DEPTH.value:
            return _never
        found = self._objects.get((path, level))
        if found is None:
            found = self._object(path, level, lambda name: None)
            if path == "CodeableConcept":
                found = _seen_before(found, self._concepts)
            self._objects[path, level] = found
        return found

    def _reference(self, targets: tuple[str, ...], level: int) -> Test:
        if level > NESTING_DEPTH.value:
            return _never
        if (targets, level) not in self._references:
            if targets not in self._texts:
                kinds = targets or tuple(sorted(resource_types(self._release)))
                text = reference_text(kinds, self._contained)
                self._texts[targets] = {"reference": text, "type": target_type(targets)}
            self._references[targets, level] = self._object("Reference", level, self._texts[targets].get)
        return self._references[targets, level]

    def _object(self, path: str, level: int, special: Special) -> Test:
        plans: dict[tuple[str, ...], Plan] = {}
        known = plans.get

        def learn(shape: tuple[str, ...]) -> Plan | None:
            plan = self._plan(path, level, shape, special)
            if plan is not None and len(plans) < SHAPES.value:
                plans[shape] = plan
            return plan

        def holds(value: Any) -> bool:
            shape = tuple(value)
            plan = known(shape) or learn(shape)
            if plan is None:
                return False
            if not all(map(call, plan[0], value.values())):
                return False
            for violated in plan[1]:  # noqa: SIM110
                if violated(value):
                    return False
            return True

        return holds

    def _plan(self, path: str, level: int, shape: tuple[str, ...], special: Special) -> Plan | None:
        if not has_substance(shape) or lacks(path, self._release, shape) or doubled(path, self._release, shape):
            return None
        keys = dict.fromkeys(shape)
        rules = invariants(path, self._release)
        if any(rule.violated(keys) for rule in rules if rule.by_keys):
            return None
        tests = [self._test(path, level, name, special) for name in shape]
        if None in tests:
            return None
        left = tuple(r.violated for r in rules if not r.by_keys and all(name in keys for name in r.asks))
        return tuple(test for test in tests if test is not None), left

    def _test(self, path: str, level: int, name: str, special: Special) -> Test | None:
        if name == "resourceType" and "Resource" in lineage(path):
            return _anything
        names = names_of(path, self._release)
        element, kind = names.get(name) or names.get(name.removeprefix("_")) or (None, None)
        if element is None or kind is None:
            return None
        if name not in names:
            return None if element.many or not is_primitive(kind.name) else self.object("Element", level + 1)
        test = special(name) or self._value(kind, level + 1)
        return _list_of(test) if element.many else test

    def _value(self, kind: ElementType, level: int) -> Test:
        if kind.name.startswith("@"):
            return self.object(kind.name[1:], level)
        if kind.name == "Resource":
            return self._any_resource(level)
        if kind.name == "Reference":
            return self._reference(kind.targets, level)
        if is_primitive(kind.name):
            return _code(kind.values) if kind.values else test_of(kind.name)
        if not is_defined(kind.name):
            return _anything
        return self._bound(kind, level) if kind.values else self.object(kind.name, level)

    def _bound(self, kind: ElementType, level: int) -> Test:
        whole, codes = self.object(kind.name, level), pairs(kind.values)
        return lambda value: whole(value) and in_value_set(kind.name, value, codes)

    def _any_resource(self, level: int) -> Test:
        def test(value: Any) -> bool:
            path = value.get("resourceType")
            return type(path) is str and is_defined(path) and bool(self.object(path, level)(value))

        return test


def _never(value: Any) -> bool:
    return False


def _anything(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value != {}


def _list_of(test: Test) -> Test:
    def each_is(value: Any) -> bool:
        if type(value) is not list or not value:
            return False
        return all(map(test, value))

    return each_is


def _seen_before(test: Test, passed: set[bytes]) -> Test:
    """The same test of objects that come again and again: what passed is remembered by its bytes."""

    def tested(value: Any) -> bool:
        data = dumps(value)
        if data in passed:
            return True
        if not test(value):
            return False
        if len(passed) >= REMEMBERED.value:
            passed.clear()
        if len(data) <= LONGEST.value and b'"extension"' not in data:
            passed.add(data)
        return True

    return tested


@cache
def _code(values: str) -> Test:
    return frozenset(code for codes in value_set(values).values() for code in codes).__contains__


@cache
def pairs(values: str) -> frozenset[tuple[str, str]]:
    """System and code of everything in a value set."""
    return frozenset((system, code) for system, codes in value_set(values).items() for code in codes)


def in_value_set(kind: str, value: Any, codes: frozenset[tuple[str, str]]) -> bool:
    """Whether a CodeableConcept (one of its codings) or a Coding is of a value set."""
    found = value.get("coding", ()) if kind == "CodeableConcept" else (value,)
    return any((each.get("system"), each.get("code")) in codes for each in found)


@cache
def shapes(release: str, contained: bool) -> Shapes:
    """The tests of a release."""
    return Shapes(release, contained)
