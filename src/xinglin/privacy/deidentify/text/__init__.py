"""Free text in Chinese and English: spans that name a person, why they do, and what stands in their place.

A *span* is a place in a text with a *kind* and a reason. What a hospital knows of its patient (``Known``) is the
strongest signal; checksums, labels and forms find the rest; a *recogniser* of somebody else's may be added.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "KINDS": "model",
    "Known": "model",
    "Span": "model",
    "find": "finding",
    "redact": "redacting",
    "Surrogates": "redacting",
    "Recogniser": "ports",
    "from_presidio": "plugins",
    "PresidioShape": "plugins",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
