"""Lake: a hospital's own tables, and queries on them.

A *table* is a Delta table in the node's folder; each append is a *version*. A *snapshot* pins versions
to an instant, with a digest of each version's files. ``execute`` runs one query on an engine that is
locked: it reads what it was handed, and nothing else. Arrow, Delta and DuckDB are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CurrentRule": "current",
    "PERSON_LINK": "current",
    "current_select": "current",
    "links_select": "current",
    "rule_of": "current",
    "Lake": "delta",
    "ErasedRows": "erasure",
    "erase_person": "erasure",
    "find_person": "erasure",
    "BatchOutOfOrder": "errors",
    "ColumnsRefused": "errors",
    "ForeignTable": "errors",
    "Finding": "fsck",
    "check_lake": "fsck",
    "repair_lake": "fsck",
    "LakeError": "errors",
    "QueryFailed": "errors",
    "SnapshotChanged": "errors",
    "TableMissing": "errors",
    "WriteFailed": "errors",
    "MaintenanceFailed": "errors",
    "NotAProduct": "errors",
    "Maintained": "maintenance",
    "MaintenancePolicy": "maintenance",
    "checkpoint": "maintenance",
    "clean_log": "maintenance",
    "compact": "maintenance",
    "maintain": "maintenance",
    "vacuum": "maintenance",
    "PinnedTable": "model",
    "QueryLimits": "model",
    "Snapshot": "model",
    "TableStatistics": "model",
    "QuerySession": "query",
    "execute": "query",
    "person_code": "persons",
    "person_codes": "persons",
    "Lineage": "products",
    "lineage_of": "products",
    "materialise": "products",
    "read_current": "reading",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
