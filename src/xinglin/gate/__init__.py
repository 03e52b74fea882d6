"""Gate: the one way out. Ask, decide, charge, compute, protect, log, release, settle: in that order, once.

A *use* is a signed request with its plan and run; its *record* moves through the *use states*; the
*procedure* is the order, made of steps that may be repeated after a crash and take effect once; the
outside is behind *ports*. Nothing else hands anything derived from patients' data to anybody.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Answer": "model",
    "Computed": "model",
    "Ended": "model",
    "ExtractGuard": "model",
    "PooledGuard": "model",
    "Record": "model",
    "Refused": "model",
    "Released": "model",
    "SyntheticGuard": "model",
    "USE_STATES": "model",
    "Paused": "model",
    "Stopped": "model",
    "Use": "model",
    "Withheld": "model",
    "GateError": "errors",
    "NotNow": "errors",
    "RecordMoved": "errors",
    "UseRunning": "errors",
    "Computer": "ports",
    "Decider": "ports",
    "Evidence": "ports",
    "Inclusion": "ports",
    "Ledger": "ports",
    "ReleaseStore": "ports",
    "Releaser": "ports",
    "Review": "ports",
    "Gate": "procedure",
    "Ports": "procedure",
    "mark_of": "protect",
    "protect": "protect",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
