"""Documents: CDA, PDF, RTF, Word and scans become ``document`` and ``note`` rows, and a CDA's entries facts.

``DocumentReader`` reads documents that come alone, ``CdaReader`` CDA R2, and ``WithTexts`` goes around a reader of
resources and reads the documents in them. ``extract_text`` is what they share.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "CdaReader": "cda.reader",
    "DocumentReader": "bare",
    "Extracted": "extract",
    "WithTexts": "attached",
    "extract_text": "extract",
    "wrap_document": "bare",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
