"""Findings: what of a resource is not as its definitions say, as flags with a code and a path.

Codes: ``fhir.unknown_element``, ``fhir.missing``, ``fhir.one_only``, ``fhir.not_a_list``, ``fhir.empty``,
``fhir.null``, ``fhir.kind`` (another kind of JSON), ``fhir.format``, ``fhir.choice``, ``fhir.required_binding``,
``fhir.reference``, ``fhir.reference_type``, ``fhir.resource_type``, ``fhir.too_deep``, ``fhir.more``, and
``fhir.`` with the key of an invariant (``fhir.obs-6``). A path never holds a value.
"""

from __future__ import annotations

import re
from typing import Any

from xinglin.kernel.limits import NESTING_DEPTH
from xinglin.records.fhir.bounds import RESOURCE_FLAGS
from xinglin.records.fhir.contained import violated
from xinglin.records.fhir.definitions import Element, ElementType, is_defined, knows_type, lineage, resource_types
from xinglin.records.fhir.invariants import invariants
from xinglin.records.fhir.primitives import is_primitive, right_kind, test_of
from xinglin.records.fhir.quick import passes
from xinglin.records.fhir.shapes import (
    doubled,
    has_substance,
    in_value_set,
    lacks,
    names_of,
    pairs,
    reference_text,
    target_type,
)
from xinglin.records.model import Flag

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}").fullmatch
_TYPED = re.compile(r"(?:https?://\S+/)?([A-Z][A-Za-z]+)(?:/[A-Za-z0-9.\-]{1,64}(?:/_history/\S+)?|\?\S+)").fullmatch


def check(body: dict[str, Any], release: str = "R4") -> tuple[Flag, ...]:
    """Flags of a resource; none where it is as its release (``R4``, ``R4B``, ``R5``) defines it.

    Types that came after R4 have no definitions here and no flags. The same resource always has the same flags, in
    the order of its elements, at most ``RESOURCE_FLAGS`` of them.
    """
    kind = body.get("resourceType")
    if type(kind) is not str or not is_defined(kind):
        known = type(kind) is str and knows_type(kind, release)
        return () if known else (Flag("fhir.resource_type", ""),)
    try:
        if passes(body, release):
            return ()
    except RecursionError:
        return (Flag("fhir.too_deep", kind),)
    return findings(body, release)


def findings(body: dict[str, Any], release: str) -> tuple[Flag, ...]:
    """What ``check`` says, found the slow way."""
    finder = _Finder(release)
    finder.look(body["resourceType"], body, body["resourceType"], 0)
    for key in violated(body.get("contained"), finder.asked):
        finder.flag(f"fhir.{key}", f"{body['resourceType']}.contained")
    if len(finder.flags) > RESOURCE_FLAGS.value:
        return (*finder.flags[: RESOURCE_FLAGS.value - 1], Flag("fhir.more", body["resourceType"]))
    return tuple(finder.flags)


class _Finder:
    def __init__(self, release: str) -> None:
        self.release, self.flags = release, list[Flag]()
        self.asked: set[str] = set()
        """References into the resource itself."""

    def flag(self, code: str, path: str) -> None:
        if len(self.flags) <= RESOURCE_FLAGS.value:
            self.flags.append(Flag(code, path))

    def look(self, path: str, value: Any, at: str, level: int) -> None:
        if type(value) is not dict:
            self.flag("fhir.null" if value is None else "fhir.kind", at)
            return
        if level > NESTING_DEPTH.value:
            self.flag("fhir.too_deep", at)
            return
        if not has_substance(tuple(value)):
            self.flag("fhir.empty", at)
            return
        names = names_of(path, self.release)
        for name, each in value.items():
            found = names.get(name)
            if found is not None:
                self._element(*found, each, f"{at}.{name}", level, value.get("_" + name))
            elif name[:1] == "_" and name[1:] in names and is_primitive(names[name[1:]][1].name):
                self._extended(names[name[1:]][0], each, f"{at}.{name}", level)
            elif name != "resourceType" or "Resource" not in lineage(path):
                self.flag("fhir.unknown_element", f"{at}.{name if _NAME(name) else '?'}")
        for name in lacks(path, self.release, value):
            self.flag("fhir.missing", f"{at}.{name}")
        for name in doubled(path, self.release, value):
            self.flag("fhir.choice", f"{at}.{name}[x]")
        for rule in invariants(path, self.release):
            if rule.violated(value):
                self.flag(f"fhir.{rule.key}", at)

    def _element(self, element: Element, kind: ElementType, value: Any, at: str, level: int, beside: Any) -> None:
        if not element.many:
            if type(value) is list:
                self.flag("fhir.one_only", at)
            elif value is not None or beside is None:
                self._value(kind, value, at, level)
            else:
                self.flag("fhir.null", at)
            return
        if type(value) is not list:
            self.flag("fhir.not_a_list", at)
        elif not value:
            self.flag("fhir.empty", at)
        else:
            others = beside if type(beside) is list else []
            for number, each in enumerate(value):
                # A null in a list of primitives stands for one that has extensions only.
                if each is not None or number >= len(others) or others[number] is None:
                    self._value(kind, each, f"{at}[{number}]", level)

    def _extended(self, element: Element, value: Any, at: str, level: int) -> None:
        if not element.many:
            self.look("Element", value, at, level + 1)
        elif type(value) is not list:
            self.flag("fhir.not_a_list", at)
        elif not any(each is not None for each in value):
            self.flag("fhir.empty", at)
        else:
            for number, each in enumerate(value):
                if each is not None:
                    self.look("Element", each, f"{at}[{number}]", level + 1)

    def _value(self, kind: ElementType, value: Any, at: str, level: int) -> None:
        if value is None:
            self.flag("fhir.null", at)
        elif kind.name == "Resource":
            self._resource(value, at, level)
        elif kind.name == "Reference":
            self._reference(kind, value, at, level)
        elif is_primitive(kind.name):
            self._primitive(kind, value, at)
        elif not kind.name.startswith("@") and not is_defined(kind.name):
            if value in ("", [], {}):
                self.flag("fhir.empty", at)
        else:
            before = len(self.flags)
            self.look(kind.name.removeprefix("@"), value, at, level + 1)
            if kind.values and len(self.flags) == before and not in_value_set(kind.name, value, pairs(kind.values)):
                self.flag("fhir.required_binding", at)

    def _primitive(self, kind: ElementType, value: Any, at: str) -> None:
        if not right_kind(kind.name, value):
            self.flag("fhir.kind", at)
        elif value == "":
            self.flag("fhir.empty", at)
        elif kind.values:
            if not any(value == code for _, code in pairs(kind.values)):
                self.flag("fhir.required_binding", at)
        elif not test_of(kind.name)(value):
            self.flag("fhir.format", at)

    def _resource(self, value: Any, at: str, level: int) -> None:
        path = value.get("resourceType") if type(value) is dict else None
        if type(path) is not str or not knows_type(path, self.release):
            self.flag("fhir.resource_type", at)
        elif is_defined(path):
            inner = _Finder(self.release)
            inner.look(path, value, path, level + 1)
            for flag in inner.flags:
                self.flag(flag.code, at + flag.path[len(path) :])
            self.asked |= inner.asked

    def _reference(self, kind: ElementType, value: Any, at: str, level: int) -> None:
        self.look("Reference", value, at, level + 1)
        if type(value) is not dict:
            return
        text, named = value.get("reference"), value.get("type")
        if type(text) is str and text[:1] == "#":
            self.asked.add(text)
        if type(named) is str and target_type(kind.targets)(named) is None:
            self.flag("fhir.reference_type", f"{at}.type")
        kinds = kind.targets or tuple(sorted(resource_types(self.release)))
        if type(text) is str and text and reference_text(kinds, True)(text) is None:
            self._reference_text(kind, text, f"{at}.reference")

    def _reference_text(self, kind: ElementType, text: str, at: str) -> None:
        form = _TYPED(text)
        if form is not None and (kind.targets or form[1] not in resource_types(self.release)):
            if not text.startswith("http") or form[1] in resource_types(self.release):
                self.flag("fhir.reference_type", at)
        elif form is None and not text.startswith(("http:", "https:", "urn:")):
            self.flag("fhir.reference", at)
