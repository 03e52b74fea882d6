"""FHIR: bundles, bulk files and single resources to resources; findings by the official definitions.

A *bundle* holds *entries*; a *bulk file* holds a resource a *line*. A reference is *plain* when it is
``Type/id``, and that is what readers make of every reference that they can. ``check`` gives *flags*.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "FhirReader": "reader",
    "check": "findings",
    "identifier_key": "references",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
