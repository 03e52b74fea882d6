"""Linked resources: what one resource of an object tells of another one, in the row where tables look for it.

A visit ranks its diagnoses, an observation names the cause of a death, a Medication is what a prescription only refers
to. ``WithLinked`` goes around a reader of resources.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"WithLinked": "reader"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
