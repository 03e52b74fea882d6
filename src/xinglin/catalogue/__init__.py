"""Catalogue: what a hospital publishes about its data, and which of it a study may see.

A *data set* holds *tables*; each *column* has a role, a kind, a published domain and a grade; the
*study view* is the part of it that an agreement exposes.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CANONICAL_TABLES": "canonical_tables",
    "canonical_table": "canonical_tables",
    "CanonicalTable": "canonical",
    "CatalogueError": "errors",
    "ColumnDescription": "model",
    "DataSetDescription": "model",
    "KINDS": "model",
    "ROLES": "model",
    "TableDescription": "model",
    "check_data_set": "checks",
    "ExposedTable": "views",
    "GradeConfirmation": "confirming",
    "StudyView": "views",
    "study_view": "views",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
