"""De-identification of DICOM by the table of PS3.15: attributes, UIDs, private tags, pixels; the method on record.

An *action* is what the table asks of an attribute (X remove, Z empty, D dummy, U new UID, C clean, K keep); an
*option* changes the actions of some attributes. What the table does not list is kept only where its value cannot
hold a person's text.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "DICOM_OPTIONS": "confidentiality",
    "Attribute": "confidentiality",
    "DicomProfile": "profile",
    "load_dicom_profile": "profile",
    "DicomDeidentifier": "engine",
    "DicomKeys": "keys",
    "Box": "regions",
    "RegionRule": "regions",
    "TextFinder": "regions",
    "BadDicomProfile": "errors",
    "BurnedInText": "errors",
    "UnreadableInstance": "errors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
