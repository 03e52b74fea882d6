"""Witness: the process that follows the whole log, cosigns what it checked, and forwards what is withheld.

``found_witness`` makes its keys and the card for the space's founder, ``follow_space`` names the log,
``run_witness`` serves until told to stop. Words: *card*, *follow*, *pending*, *fork*.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "AlreadyAWitness": "founding",
    "NotFollowing": "founding",
    "OtherSpace": "founding",
    "follow_space": "founding",
    "found_witness": "founding",
    "run_witness": "main",
    "WitnessSettings": "settings",
    "witness_settings": "settings",
    "WitnessParts": "wiring",
    "build_witness": "wiring",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
