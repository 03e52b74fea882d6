"""Privacy: what may be said about a pooled total, counted in persons.

*disclosure rules* (minimum cell, hospitals, degrees of freedom, dominance) and *suppression* of
tables; the *differencing guard* over one-sided *difference counts* against *released cells*; the
*allowance* of exact answers with its *charges*. Rules are arguments, never globals; nothing here reads
or writes.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CHARGE_STATES": "allowance",
    "Charge": "allowance",
    "Allowance": "allowance",
    "DifferenceSlot": "differencing",
    "ReleasedCell": "differencing",
    "check_differences": "differencing",
    "check_layout": "differencing",
    "check_rosters": "differencing",
    "difference_counts": "differencing",
    "difference_layout": "differencing",
    "roster_layout": "differencing",
    "DisclosureRules": "disclosure",
    "MissingReport": "disclosure",
    "check_dominance": "disclosure",
    "check_total": "disclosure",
    "report_missing": "disclosure",
    "strictest": "disclosure",
    "PrivacyError": "errors",
    "BadTable": "errors",
    "BadLayout": "errors",
    "TableMask": "suppression",
    "suppress_list": "suppression",
    "suppress_table": "suppression",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
