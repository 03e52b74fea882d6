"""FHIR's own resources: CodeSystem, ConceptMap and ValueSet in JSON, alone or in a bundle (R4 and R5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from xinglin.kernel.limits import NESTING_DEPTH
from xinglin.records.terminology.errors import BadVocabulary
from xinglin.records.terminology.loaders.files import Files, Told, provenance
from xinglin.records.terminology.model import (
    CodeSystem,
    Concept,
    ConceptMap,
    Equivalence,
    Filter,
    Include,
    MapElement,
    Provenance,
    ValueSet,
    VocabularyFile,
)
from xinglin.records.terminology.systems import canonical_system

Json = dict[str, Any]
_EQUIVALENCE: dict[str, Equivalence] = {
    "equal": "equivalent",
    "equivalent": "equivalent",
    "wider": "wider",
    "subsumes": "wider",
    "source-is-narrower-than-target": "wider",
    "narrower": "narrower",
    "specializes": "narrower",
    "source-is-broader-than-target": "narrower",
    "relatedto": "related",
    "related-to": "related",
    "inexact": "related",
    "unmatched": "unmapped",
    "disjoint": "unmapped",
    "not-related-to": "unmapped",
}


def load_fhir(files: Files, told: Told) -> VocabularyFile:
    """Every CodeSystem, ConceptMap and ValueSet; other resources are counted as skipped. Raises ``BadVocabulary``."""
    systems, maps, value_sets, skipped = [], [], [], 0
    for name in sorted(files):
        for resource in _resources(name, files[name]):
            told_of = provenance({name: files[name]}, told, str(resource.get("publisher") or name), _licence(resource))
            kind = resource.get("resourceType")
            try:
                if kind == "CodeSystem":
                    systems.append(code_system(resource, told_of, told.version))
                elif kind == "ConceptMap":
                    maps.append(concept_map(resource, told_of, told.version))
                elif kind == "ValueSet":
                    value_sets.append(value_set(resource, told_of, told.version))
                else:
                    skipped += 1
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise BadVocabulary(f"A {kind} is not one of FHIR's.", place=name) from error
    if not (systems or maps or value_sets):
        raise BadVocabulary("There is no CodeSystem, ConceptMap or ValueSet.", place=next(iter(sorted(files)), ""))
    return VocabularyFile(tuple(systems), tuple(maps), tuple(value_sets), skipped)


def _resources(name: str, body: bytes) -> Iterator[Json]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadVocabulary("A file is not JSON.", place=name) from error
    if not isinstance(value, dict):
        raise BadVocabulary("A file is no resource.", place=name)
    if value.get("resourceType") != "Bundle":
        yield value
        return
    for entry in value.get("entry") or ():
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
            yield entry["resource"]


def _licence(resource: Json) -> str:
    return str(resource.get("copyright") or "")[:500]


def code_system(resource: Json, told_of: Provenance, version: str = "") -> tuple[CodeSystem, tuple[Concept, ...]]:
    """A CodeSystem with its concepts: those inside another, and those whose property says so, have parents."""
    concepts: dict[str, Concept] = {}
    for concept in _walk(resource.get("concept") or (), (), 0):
        concepts[concept.code] = concept
    _children_say(resource, concepts)
    ladder = any(one.parents for one in concepts.values()) and resource.get("hierarchyMeaning", "is-a") in (
        "is-a",
        "classified-with",
        "grouped-by",
    )
    system = CodeSystem(
        _text(resource, "url"),
        version or str(resource.get("version") or ""),
        str(resource.get("title") or resource.get("name") or resource["url"]),
        told_of,
        ladder,
        resource.get("caseSensitive") is not False,
        len(concepts),
        resource.get("content") in ("fragment", "example", "not-present"),
    )
    return system, tuple(concepts.values())


def _walk(given: Any, parents: tuple[str, ...], depth: int) -> Iterator[Concept]:
    NESTING_DEPTH.check(depth)
    for one in given:
        code = _text(one, "code")
        properties = tuple((str(p["code"]), _value(p)) for p in one.get("property") or ())
        above = tuple(value for name, value in properties if name in ("parent", "subsumedBy"))
        names = tuple(
            (str(d.get("language") or ""), _text(d, "value")) for d in one.get("designation") or () if d.get("value")
        )
        status = next((value for name, value in properties if name == "status"), "")
        gone = status in ("retired", "inactive") or ("inactive", "true") in properties
        yield Concept(
            code, str(one.get("display") or ""), tuple(dict.fromkeys(parents + above)), names, properties, gone
        )
        yield from _walk(one.get("concept") or (), (code,), depth + 1)


def _children_say(resource: Json, concepts: dict[str, Concept]) -> None:
    """Property ``child`` of a concept makes it a parent of the one that it names."""
    for parent in list(concepts.values()):
        for name, child in parent.properties:
            held = concepts.get(child) if name == "child" else None
            if held is not None and parent.code not in held.parents:
                concepts[child] = msgspec.structs.replace(held, parents=(*held.parents, parent.code))


def _value(given: Json) -> str:
    for key, value in given.items():
        if key.startswith("value"):
            if isinstance(value, dict):
                return str(value.get("code") or "")
            return str(value).lower() if isinstance(value, bool) else str(value)
    return ""


def concept_map(resource: Json, told_of: Provenance, version: str = "") -> ConceptMap:
    """A ConceptMap's elements of all groups; an element without a target is unmapped."""
    elements: list[MapElement] = []
    for group in resource.get("group") or ():
        here = canonical_system(str(group.get("source") or "").partition("|")[0])
        there = canonical_system(str(group.get("target") or "").partition("|")[0])
        for element in group.get("element") or ():
            code = _text(element, "code")
            targets = [] if element.get("noMap") else element.get("target") or ()
            elements += [_target(code, here, there, one) for one in targets]
            if not targets:
                elements.append(MapElement(code, "", "unmapped", here, there))
    name = str(resource.get("title") or resource.get("name") or resource["url"])
    told = version or str(resource.get("version") or "")
    return ConceptMap(_text(resource, "url"), told, name, told_of, tuple(elements), len(elements))


def _target(code: str, here: str, there: str, one: Json) -> MapElement:
    word = str(one.get("equivalence") or one.get("relationship") or "relatedto")
    equivalence = _EQUIVALENCE[word]
    target = "" if equivalence == "unmapped" else str(one.get("code") or "")
    if not target:
        return MapElement(code, "", "unmapped", here, there)
    return MapElement(code, target, equivalence, here, there, str(one.get("display") or ""))


def value_set(resource: Json, told_of: Provenance, version: str = "") -> ValueSet:
    """A ValueSet's choice; one that has only an expansion includes the codes of that."""
    compose = resource.get("compose") or {}
    include = tuple(map(_included, compose.get("include") or ()))
    if not include:
        include = tuple(_expanded(resource.get("expansion") or {}))
    exclude = tuple(map(_included, compose.get("exclude") or ()))
    name = str(resource.get("title") or resource.get("name") or resource.get("url") or "")
    told = version or str(resource.get("version") or "")
    return ValueSet(_text(resource, "url"), told, name, told_of, include, exclude)


def _included(given: Json) -> Include:
    return Include(
        canonical_system(str(given.get("system") or "")),
        str(given.get("version") or ""),
        tuple((_text(one, "code"), str(one.get("display") or "")) for one in given.get("concept") or ()),
        tuple(Filter(_text(f, "property"), _text(f, "op"), _text(f, "value")) for f in given.get("filter") or ()),
        tuple(str(url).partition("|")[0] for url in given.get("valueSet") or ()),
    )


def _expanded(expansion: Json) -> Iterator[Include]:
    codes: dict[str, list[tuple[str, str]]] = {}
    waiting = list(expansion.get("contains") or ())
    while waiting:
        one = waiting.pop(0)
        waiting += one.get("contains") or ()
        if one.get("code") and not one.get("abstract"):
            codes.setdefault(canonical_system(_text(one, "system")), []).append(
                (_text(one, "code"), str(one.get("display") or ""))
            )
    yield from (Include(system, "", tuple(held)) for system, held in codes.items())


def _text(given: Json, name: str) -> str:
    value = given[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value
