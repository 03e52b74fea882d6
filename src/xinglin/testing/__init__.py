"""Testing: whole spaces for tests, and partners that misbehave on purpose.

A *sample space* runs hub, witness and four hospitals with sample tables as real processes; a *tap* sits
on the hospitals' line to the hub and can *hold* or lose a message; a *hostile log* and a *hostile
hub* say what a test wants them to say, to real nodes in one process; an *asker* is a researcher who does.
Nothing else of the house imports this room.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Asker": "asker",
    "Hospital": "hostile_hub",
    "HostileHub": "hostile_hub",
    "HostileLog": "hostile_log",
    "MemoryCatalogueStore": "catalogue_memory",
    "MemoryHubStore": "hub_memory",
    "SampleSpace": "sample_space",
    "Hold": "tap",
    "Tap": "tap",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
