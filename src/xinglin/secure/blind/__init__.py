"""Blind matching: whose records belong together, without showing whose they are.

The words: a *pseudonym* (output of an oblivious pseudorandom function over an identity number), a *holder* (who
keeps one share of its key: the hub, the regulator), an *asker* (a hospital's node), an *evaluation* (a holder's
answer with its proof), a *quota* (how many evaluations an asker may have); the *intersection* of two hospitals'
sets, or its *count* with *dummies*; a *filter* (a keyed Bloom filter over a person's names and dates) and a
*linkage unit* that compares filters. No input or output: bytes and values in, bytes and values out.

Homes: ``ristretto`` and ``montgomery`` (the two groups), ``hashing``, ``oprf`` and ``proofs`` (RFC 9497), ``split``
(the split key), ``quota``, ``keeping`` (a key holder at work), ``matching_terms`` and ``intersection`` (private set
intersection), ``filters`` and ``linkage`` (matching on errors). What each can learn is written in its home.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Mode": "oprf",
    "Evaluation": "oprf",
    "Holder": "split",
    "Asker": "split",
    "Share": "split",
    "QuotaRule": "quota",
    "Keeper": "keeping",
    "Matching": "matching_terms",
    "MatchingRule": "matching_terms",
    "judge_matching": "matching_terms",
    "protect_count": "matching_terms",
    "Learner": "intersection",
    "Helper": "intersection",
    "Person": "filters",
    "FilterPlan": "filters",
    "encode": "filters",
    "Blocking": "linkage",
    "Link": "linkage",
    "link": "linkage",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
