"""Analysis: a query that is admitted, and statistics that add up.

An *algorithm* turns a *table* (rows of one hospital, with the published *domain* of each column) into a
vector; vectors of hospitals are only ever added; ``update`` on the *total* gives the next *state* or the
*outcome*: a *result*, a refusal by the disclosure rules, or a *named failure* about the pooled data.
*Formulas* are read against an allow-list and never evaluated as code.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Algorithm": "algorithm",
    "AlgorithmSpec": "algorithm",
    "Cell": "algorithm",
    "Guard": "algorithm",
    "NamedFailure": "algorithm",
    "Outcome": "algorithm",
    "Part": "algorithm",
    "Result": "algorithm",
    "State": "algorithm",
    "build": "algorithm",
    "AnalysisError": "errors",
    "BadParameters": "errors",
    "FormulaRefused": "errors",
    "NoPublishedRange": "errors",
    "UnknownColumn": "errors",
    "parse_formula": "formula",
    "result_frame": "render",
    "summary": "render",
    "Column": "table",
    "Domain": "table",
    "Table": "table",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
