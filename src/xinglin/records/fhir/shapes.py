"""What follows from an object's keys, and from its definitions alone: both judgements of a resource ask here."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from xinglin.records.fhir.definitions import (
    Element,
    ElementType,
    elements,
    value_set,
)

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


@cache
def pairs(values: str) -> frozenset[tuple[str, str]]:
    """System and code of everything in a value set."""
    return frozenset((system, code) for system, codes in value_set(values).items() for code in codes)


def in_value_set(kind: str, value: Any, codes: frozenset[tuple[str, str]]) -> bool:
    """Whether a CodeableConcept (one of its codings) or a Coding is of a value set."""
    found = value.get("coding", ()) if kind == "CodeableConcept" else (value,)
    return any((each.get("system"), each.get("code")) in codes for each in found)
