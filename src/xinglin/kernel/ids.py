"""Ids: a kind, a hyphen, and 128 random bits in base 32 (lower case, no padding)."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable


def new_id(kind: str, entropy: Callable[[int], bytes] = os.urandom) -> str:
    """A fresh id such as ``run-k5x3…``; ``entropy`` comes from the operating system unless handed in."""
    if not kind.isalpha() or not kind.islower():
        raise ValueError(f"an id's kind is lower-case letters, not {kind!r}")
    return f"{kind}-{base64.b32encode(entropy(16)).decode().rstrip('=').lower()}"
