"""Sample: four generated hospitals with a known truth planted in them, and a reader of four real ones.

A *profile* says what kind of hospital it is; a *sample hospital* holds its *tables*; the *planted
truth* is what an analysis has to find again. Every person here is generated and nobody exists.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "PROFILES": "profiles",
    "Profile": "profiles",
    "PLANTED": "truth",
    "PlantedModel": "truth",
    "SampleHospital": "hospital",
    "SampleTable": "hospital",
    "generate_space": "generate",
    "read_heart_disease": "heart",
    "data_set": "describe",
    "descriptions": "describe",
    "heart_descriptions": "describe",
    "write_hospital": "publish",
    "SampleError": "errors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
