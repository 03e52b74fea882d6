"""Packed records: zip and gzip files of documents, DICOM instances, messages or resources, each to its own reader."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"WithPacked": "reader"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
