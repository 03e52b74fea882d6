"""OMOP CDM 5.4 as a source: its tables, as CSV or Parquet, alone or in an archive, become canonical rows.

``mapping_for`` gives the mapping of one table by its columns; ``WithOmop`` goes around the reader of tables and
reads archives that hold an OMOP database, with its vocabulary where there is one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"WithOmop": "reader", "mapping_for": "recognise", "omop_mapping": "recognise", "table_of": "recognise"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
