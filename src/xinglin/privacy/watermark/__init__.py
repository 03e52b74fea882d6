"""Watermarks: a code of the recipient in the values, its error budget, and its detection from a leaked part.

A *recipient* has a *codeword* of bits that only the key can write; each chosen cell carries one bit of it. What a
mark may do to a column is its *error budget*. *Detection* says who leaked, and how likely that says so of an innocent.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Codes": "model",
    "Detection": "model",
    "Found": "model",
    "MarkPlan": "model",
    "MarkReport": "model",
    "Marked": "model",
    "Numbers": "model",
    "Orders": "model",
    "Recipient": "model",
    "detect": "detecting",
    "mark": "marking",
    "detect_frames": "pixels",
    "mark_frame": "pixels",
    "BadMarkPlan": "errors",
    "TooFewCells": "errors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
