"""HL7 v2 messages as FHIR R4, by HL7's own v2-to-FHIR concept maps.

A *map* is a list of *rows*: a segment's field, where in a resource it goes, by which data type and table, and
under which condition. The maps are data (``maps.json``, compiled by ``tools/v2_maps.py`` from HL7's CSV files and
from ``overrides.toml``); an *engine* makes closures of them; *families* of messages (persons, results,
treatments) say which segments make which resources and what an event does to them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "to_fhir": "mapping",
    "map_message": "mapping",
    "FromMessage": "mapping",
    "Hl7v2Reader": "reader",
    "Options": "options",
    "BadMapping": "options",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
