"""Values of the terminology. What is stored has a version; fields are added at the end, never renamed."""

from __future__ import annotations

from typing import Literal

import msgspec

from xinglin.kernel.instants import Instant
from xinglin.kernel.limits import Limit

FORMAT = 1
Equivalence = Literal["equivalent", "wider", "narrower", "related", "unmapped"]
"""What the target is, seen from the source (FHIR R4 ``concept-map-equivalence``, folded to five)."""

EQUIVALENCES: tuple[Equivalence, ...] = ("equivalent", "wider", "narrower", "related", "unmapped")
CONCEPTS = Limit("concepts of a code system", 5_000_000, "concepts")
FILE_BYTES = Limit("vocabulary file", 2 * 1024 * 1024 * 1024, "bytes")


class Provenance(msgspec.Struct, frozen=True):
    """Where a code system or map came from.

    ``source``: who publishes it, or the file's name. ``licence``: under what it may be used. ``digest``:
    ``sha256:…`` of the bytes that it was read from. ``loaded_at``: when this node took it (0 before).
    """

    source: str
    licence: str = ""
    digest: str = ""
    loaded_at: Instant = 0


class CodeSystem(msgspec.Struct, frozen=True):
    """A code system in one version. ``hierarchical``: its concepts have parents that are wider (is-a).

    ``fragment``: only some of its codes are known here, so that an unknown one may be right.
    """

    url: str
    version: str
    name: str
    provenance: Provenance
    hierarchical: bool = False
    case_sensitive: bool = True
    concepts: int = 0
    fragment: bool = False
    format: int = FORMAT


class Concept(msgspec.Struct, frozen=True):
    """One concept. ``designations``: (language, text) beside ``display``. ``properties``: (name, value).

    ``parents``: codes of the same system that are wider. ``inactive``: it is no longer to be used.
    """

    code: str
    display: str = ""
    parents: tuple[str, ...] = ()
    designations: tuple[tuple[str, str], ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    inactive: bool = False

    def property(self, name: str) -> str:
        """The first value of a property; empty where it has none."""
        return next((value for known, value in self.properties if known == name), "")

    def names(self) -> tuple[str, ...]:
        """Every text that it is called by, the display first."""
        return tuple(dict.fromkeys(text for text in (self.display, *(t for _, t in self.designations)) if text))


class MapElement(msgspec.Struct, frozen=True):
    """What one code becomes; ``target`` is empty where it is ``unmapped``."""

    code: str
    target: str
    equivalence: Equivalence = "equivalent"
    source_system: str = ""
    target_system: str = ""
    display: str = ""


class ConceptMap(msgspec.Struct, frozen=True):
    """A map between code systems in one version."""

    url: str
    version: str
    name: str
    provenance: Provenance
    elements: tuple[MapElement, ...] = ()
    count: int = 0
    format: int = FORMAT


class Filter(msgspec.Struct, frozen=True):
    """Concepts whose ``property`` stands to ``value`` as ``op`` says (``is-a``, ``descendent-of``, ``=``, ``in`` …)."""

    property: str
    op: str
    value: str


class Include(msgspec.Struct, frozen=True):
    """A part of a value set: named codes, or those of ``system`` that pass every filter, or other value sets."""

    system: str = ""
    version: str = ""
    codes: tuple[tuple[str, str], ...] = ()
    filters: tuple[Filter, ...] = ()
    value_sets: tuple[str, ...] = ()


class ValueSet(msgspec.Struct, frozen=True):
    """A chosen set of codes: what is included, without what is excluded."""

    url: str
    version: str
    name: str
    provenance: Provenance
    include: tuple[Include, ...] = ()
    exclude: tuple[Include, ...] = ()
    format: int = FORMAT


class VocabularyFile(msgspec.Struct, frozen=True):
    """What a loader made of bytes: code systems with their concepts, maps, value sets, and what it passed over."""

    systems: tuple[tuple[CodeSystem, tuple[Concept, ...]], ...] = ()
    maps: tuple[ConceptMap, ...] = ()
    value_sets: tuple[ValueSet, ...] = ()
    skipped: int = 0


class Translation(msgspec.Struct, frozen=True):
    """A target of a translation, and the map or rule that gave it."""

    code: str
    system: str
    equivalence: Equivalence
    display: str = ""
    origin: str = ""
