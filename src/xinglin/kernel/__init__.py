"""Kernel: the words every other room is built from.

*canonical bytes* (RFC 8785) and *digests*; *ids*; *instants*; *verdicts* (a "no" is a value);
*state tables*; *limits*; the root of the errors. No room below, no input or output here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "canonical_bytes": "canonical",
    "canonical_digest": "canonical",
    "sha256_digest": "canonical",
    "decode_json": "codec",
    "decode_msgpack": "codec",
    "encode_msgpack": "codec",
    "XinglinError": "errors",
    "MalformedMessage": "errors",
    "ReasonedError": "errors",
    "LimitExceeded": "errors",
    "new_id": "ids",
    "Instant": "instants",
    "Limit": "limits",
    "StateTable": "states",
    "IllegalMove": "states",
    "Allowed": "verdict",
    "Denied": "verdict",
    "Reason": "verdict",
    "Verdict": "verdict",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
