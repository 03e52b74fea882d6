"""k-anonymity, l-diversity and t-closeness of tables: classes, hierarchies, risks and losses.

A *class* is the rows that look alike in the *quasi-identifying* columns; *rules* say how many persons it
holds and what its *sensitive* columns must show; a *hierarchy* says what may stand for a value. Classes are
found by *cuts*; what a class shows is *recoded*; *risks* and *loss* are measured before and after; a *release
index* lets a later release of the same table be compared with an earlier one.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "anonymise": "anonymising",
    "check": "checking",
    "ReleaseIndex": "releases",
    "anonymise_among": "among",
    "anonymise_beside": "releases",
    "compare_releases": "releases",
    "index_release": "releases",
    "AnonymityError": "errors",
    "BadColumns": "errors",
    "BadHierarchy": "errors",
    "BadIndex": "errors",
    "BadRules": "errors",
    "TooFewPersons": "errors",
    "UncuttablePart": "errors",
    "UnknownLevel": "errors",
    "Unreachable": "errors",
    "Hierarchy": "hierarchy",
    "from_csv": "hierarchy",
    "from_intervals": "hierarchy",
    "from_prefixes": "hierarchy",
    "from_toml": "hierarchy",
    "Anonymised": "model",
    "Loss": "model",
    "Quasi": "model",
    "Part": "parts",
    "anonymise_parts": "parts",
    "first_cuts": "parts",
    "Report": "model",
    "Risks": "model",
    "Rules": "model",
    "Sensitive": "model",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
