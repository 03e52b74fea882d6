"""Synthetic data under differential privacy: marginals measured with exact noise, a model, rows drawn from it.

``fit`` measures a table within a budget of rho and gives a ``Model``; ``Model.draw`` gives rows, as often as wanted.
``fit_linked`` does it for tables that hang on a person. ``twin`` makes a stand-in from published facts alone.
``report`` says how close synthetic rows are to the data, and what they give away. Only *meter* sees exact counts
of the data leave, and adds integer noise; all that follows is post-processing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Coding": "coding",
    "Columns": "coding",
    "schema_of": "described",
    "BadColumns": "errors",
    "BadModel": "errors",
    "BadSchema": "errors",
    "Overspent": "errors",
    "SynthesisError": "errors",
    "TooLittleBudget": "errors",
    "TooWide": "errors",
    "fit": "fitting",
    "Child": "linked",
    "Linked": "linked",
    "LinkedModel": "linked",
    "fit_linked": "linked",
    "linked_from_bytes": "linked",
    "Meter": "meter",
    "Spend": "meter",
    "Guarantee": "model",
    "Model": "model",
    "from_bytes": "model",
    "Report": "reporting",
    "report": "reporting",
    "Column": "schema",
    "OnlyWhen": "schema",
    "Ordered": "schema",
    "Schema": "schema",
    "twin": "standin",
    "twins": "standin",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
