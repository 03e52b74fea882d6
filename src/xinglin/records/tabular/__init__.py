"""Tables: CSV, Excel, Parquet and JSON lines to canonical rows by a mapping that a hospital's engineer can read.

A *mapping* (TOML) says which columns become which canonical fields and codes; each of its *blocks* feeds one
canonical table. A *product* publishes the source's own columns as a wide table. A *suggestion* is a mapping proposed
from names, types and value patterns, with its confidence. A *sheet* is one table of an object: a file, an
archive's member, a workbook's sheet.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "BadArchive": "errors",
    "BadMapping": "errors",
    "NoMapping": "errors",
    "Mapping": "model",
    "ProductSchema": "product",
    "Suggestion": "suggestion",
    "TabularReader": "reader",
    "parse_mapping": "mapping",
    "product_arrow": "product",
    "product_description": "describe",
    "product_schema": "product",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
