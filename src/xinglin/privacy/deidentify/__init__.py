"""De-identification by the reader's rights: profiles of allowed fields, compiled once, applied at the moment of use.

A *profile* names what stays and what becomes of it (*actions*); *keys* belong to a study and a data set; what is
*compiled* from both is applied to FHIR resources, tables, HL7 v2 messages and notes. The *grade* of what remains is
computed (GB/T 42460).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Action": "model",
    "Columns": "model",
    "Profile": "model",
    "Readers": "model",
    "Keys": "keys",
    "Compiled": "compiled",
    "compile_profile": "compiled",
    "load_profile": "reading",
    "shipped": "reading",
    "SHIPPED": "reading",
    "for_reader": "readers",
    "intersect": "readers",
    "Remaining": "grading",
    "Risk": "grading",
    "grade_of": "grading",
    "from_fhir_anonymizer": "anonymizer.engine",
    "DeidentifyError": "errors",
    "BadProfile": "errors",
    "UnknownField": "errors",
    "NeedsToday": "errors",
    "BadRecord": "errors",
    "NoProfile": "errors",
    "BadConfiguration": "errors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
