"""The official definitions as they are shipped, and what R4B and R5 have otherwise.

``definitions_r4.json`` (version 1) is written by ``tools/fhir_definitions.py`` from HL7's own FHIR 4.0.1; its
provenance stands in it. Under R4B and R5 an element is checked as in R4 where the release agrees with R4 about it.
Elements that the release renamed or added are known and not looked into; those that it dropped are unknown; its own
codes are checked where they differ; targets of references are checked under R4 and R4B.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import orjson

RELEASES = ("R4", "R4B", "R5")
# Types of DSTU2 and STU3 that no later release has under this name.
_EARLIER = (
    "BodySite DataElement DeviceComponent DiagnosticOrder EligibilityRequest EligibilityResponse ExpansionProfile "
    "ImagingManifest ImagingObjectSelection MedicationOrder ProcedureRequest ProcessRequest ProcessResponse "
    "ReferralRequest Sequence ServiceDefinition"
)


class ElementType(msgspec.Struct, frozen=True):
    """One type that an element may have: its name, the key of a required value set, the targets of a reference."""

    name: str
    values: str = ""
    targets: tuple[str, ...] = ()


class Element(msgspec.Struct, frozen=True):
    """One element: how often it may occur (``many``: as a list) and as what. ``choice``: its name ends in the type."""

    name: str
    required: bool
    many: bool
    types: tuple[ElementType, ...]
    choice: bool = False

    def names(self) -> dict[str, ElementType]:
        """The JSON names it may have, and the type behind each."""
        if not self.choice:
            return {self.name: self.types[0]}
        return {self.name + each.name[0].upper() + each.name[1:]: each for each in self.types}


@cache
def _shipped() -> dict[str, Any]:
    text = (files("xinglin.records.fhir") / "definitions_r4.json").read_bytes()
    shipped: dict[str, Any] = orjson.loads(text)
    return shipped


@cache
def _resource_types(release: str) -> frozenset[str]:
    return frozenset(_shipped()["resources"][release])


def knows_type(kind: str, release: str) -> bool:
    """Whether a release has a resource type of that name."""
    return kind in _resource_types(release)


@cache
def left_types(release: str) -> frozenset[str]:
    """Resource types of other releases that this one does not have."""
    every = frozenset(_EARLIER.split()).union(*(_resource_types(each) for each in RELEASES))
    return every - _resource_types(release)


def resource_types(release: str) -> frozenset[str]:
    """The names of a release's resource types."""
    return _resource_types(release)


def primitives() -> dict[str, str]:
    """The primitive types and the expressions that the definitions give for their text."""
    given: dict[str, str] = _shipped()["primitives"]
    return given


def value_sets() -> tuple[str, ...]:
    """The names of the enumerated value sets."""
    return tuple(_shipped()["codes"])


def value_set(name: str) -> dict[str, list[str]]:
    """The codes of an enumerated value set by system; the system is empty where only codes were told."""
    given: dict[str, list[str]] = _shipped()["codes"][name]
    return given


def is_defined(path: str) -> bool:
    """Whether there are definitions of a type: resource types that came after R4 have none here."""
    return path in _shipped()["types"]


def lineage(path: str) -> tuple[str, ...]:
    """A type and the types that it derives from, the most general last."""
    types, chain = _shipped()["types"], []
    while path:
        chain.append(path)
        path = types[path]["base"]
    return tuple(chain)


@cache
def elements(path: str, release: str) -> tuple[Element, ...]:
    """The elements of a type (``Observation``, ``Observation.component``), inherited ones first."""
    shipped, found = _shipped(), {}
    for each in reversed(lineage(path)):
        found.update(shipped["types"][each]["elements"])
        found.update(shipped["changes"].get(release, {}).get(each, {}))
    return tuple(_element(name, spec, release) for name, spec in found.items() if spec is not None)


def _element(name: str, spec: str, release: str) -> Element:
    size, _, text = spec.partition(" ")
    low, _, high = size.partition("..")
    types = tuple(_type(each, release) for each in _split(text))
    choice = name.endswith("[x]")
    return Element(name.removesuffix("[x]"), low != "0", high != "1", types, choice)


def _split(text: str) -> list[str]:
    return text.split("|")


def _type(text: str, release: str) -> ElementType:
    name, _, targets = text.removesuffix(")").partition("(")
    name, _, values = name.partition("!")
    loose = release == "R5" or not targets
    return ElementType(name, values, () if loose else tuple(targets.split(",")))
