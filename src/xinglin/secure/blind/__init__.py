"""Blind matching: whose records belong together, without showing whose they are.

The words: a *pseudonym* (output of an oblivious pseudorandom function over an identity number), a *holder* (who
keeps one share of its key: the hub, the regulator), an *asker* (a hospital's node), an *evaluation* (a holder's
answer with its proof), a *quota* (how many evaluations an asker may have); the *intersection* of two hospitals'
sets, or its *count* with *dummies*; a *filter* (a keyed Bloom filter over a person's names and dates) and a
*linkage unit* that compares filters. No input or output: bytes and values in, bytes and values out.

Homes: ``ristretto`` and ``montgomery`` (the two groups), ``oprf`` and ``proofs`` (RFC 9497), ``split`` (the split
key), ``quota``, ``intersection`` and ``counting`` (private set intersection), ``fields``, ``filters`` and
``linkage`` (matching on errors). What each can learn is written in its home.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES: dict[str, str] = {}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
