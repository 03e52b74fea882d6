"""Intake: the one way in. keep, read, map, match, check, commit, log; in that order, once.

An *object* is what a source sent, kept as received under its SHA-256. A *source* is a feed as a hospital registered
it; its mapping has versions. A large object is read in *parts*. A *batch* gathers parts whose rows are committed
together; it has a number, and a row knows its batch. The *ledger* remembers what became of each object and record:
accepted, quarantined or rejected, which add up to received; a record that is *held* is one of the last two. *Replay*
reads again what was held, *remapping* what was said wrongly. A record that is *repeated* makes no row.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Account": "model",
    "BatchLimits": "model",
    "BatchState": "model",
    "HeldRow": "model",
    "ObjectRow": "model",
    "Source": "model",
    "SourceVersion": "model",
    "Status": "model",
    "Tally": "model",
    "Erased": "erasing",
    "Erasure": "erasing",
    "IntakeError": "errors",
    "Kept": "ports",
    "Received": "ports",
    "Intake": "procedure",
    "Ports": "procedure",
    "post_outbox": "procedure",
    "Preparation": "preparing",
    "Steps": "preparing",
    "remap": "replaying",
    "replay": "replaying",
    "standard_steps": "standard",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
