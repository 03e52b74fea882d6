"""Terminology: code systems, maps and units as versioned data, and what is asked of them. Bytes and values in.

``loaders`` turn an owner's files into a *vocabulary*: code systems with their concepts, concept maps, value sets.
``operations`` look up, validate, expand, translate. *Local* codes of a hospital are proposed a standard code,
reviewed, and translated in the intake by ``StoredTerms``; units become UCUM without anything loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CodeSystem": "model",
    "Concept": "model",
    "ConceptMap": "model",
    "MapElement": "model",
    "Provenance": "model",
    "ValueSet": "model",
    "VocabularyFile": "model",
    "MemoryVocabulary": "memory",
    "StoredTerms": "translating",
    "convert": "units",
    "expand": "expansion",
    "is_unit": "units",
    "lookup": "operations",
    "normal_unit": "units",
    "subsumes": "operations",
    "suggest": "suggestions",
    "translate": "operations",
    "validate_code": "operations",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
