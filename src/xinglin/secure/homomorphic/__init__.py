"""Encrypted sums and scores: what a hub may compute on ciphertext.

The words: *parameters* (a ring and its primes, checked against the security standard), a *scheme* (CKKS behind a port:
TenSEAL in this process, OpenFHE with a threshold key in a process of its own), a *cipher* (encrypted numbers), a
*partial* (one holder's part of a threshold decryption), *flooding* (noise that hides what a decryption would tell of
the key). Masks (``xinglin.secure``) are the way for plain sums, forty times cheaper; ciphertext is for what the hub
itself has to compute, as L3 data ask.

Homes: ``model`` (parameters), ``ports``, ``ckks`` (TenSEAL), ``scoring`` (logistic scores), ``flooding``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Parameters": "model",
    "SUMS": "model",
    "SCORES": "model",
    "KeyPair": "model",
    "Scheme": "ports",
    "ThresholdScheme": "ports",
    "TensealScheme": "ckks",
    "LogisticModel": "scoring",
    "flood": "flooding",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
