"""Workspace: a controlled place of an institution that extracts are sealed to, and what may leave it again.

The *keeper* fetches an extract, verifies its evidence before it opens anything, and *keeps* it encrypted; *clients* are
research platforms that the institution enrolled, which read it by FHIR Bulk Data or as Parquet with *tokens* of a few
minutes; *egress* is a gate of its own: aggregates by the disclosure rules with evidence, never a row.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Kept": "keeper",
    "Keeper": "keeper",
    "open_workspace": "keeper",
    "Client": "clients",
    "Clients": "clients",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
