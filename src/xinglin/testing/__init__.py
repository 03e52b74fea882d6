"""Testing: partners that tests need and no process does.

A *hostile hub* controls every message between real nodes; a *hostile log* signs any history; an
*asker* is a researcher who says whatever a test wants.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Asker": "asker",
    "FakeChannel": "hostile_hub",
    "Hospital": "hostile_hub",
    "HostileHub": "hostile_hub",
    "HostileLog": "hostile_log",
    "TurnedClock": "hostile_hub",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
