"""Views: SQL-on-FHIR v2 ViewDefinitions, and the canonical tables said in them.

A *view* says how one type of FHIR resource becomes rows. It is parsed once (``parse_view``) and compiled twice:
to a Python function over parsed JSON (``compile_view``), for streams, and to DuckDB SQL (``view_sql``), for files.
A *path* is a FHIRPath expression of the subset; a *plan* is a view with its selects put in order.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CompiledView": "compiled",
    "compile_view": "compiled",
    "InvalidView": "errors",
    "NotOneValue": "errors",
    "NotBoolean": "errors",
    "TooDeep": "errors",
    "ViewDefinition": "model",
    "parse_view": "definition",
    "view_sql": "sql",
    "ndjson_sql": "sql",
    "CanonicalViews": "shipped",
    "canonical_views": "shipped",
    "load_views": "shipped",
    "Mapping": "mapping",
    "map_resources": "mapping",
    "OMOP_TABLES": "cdm",
    "omop_views": "cdm",
    "omop_statements": "cdm",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
