"""Words: what people read, in English and Chinese; one glossary, one set of catalogues.

*Words* of a language translate texts, labels of terms, reasons and errors, and format dates and numbers.
The glossary holds both languages of every term; catalogues (``zh/*.po``) hold the Chinese of every text.
What lacks its Chinese is shown in English, and a house test names it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "N_": "language",
    "LANGUAGES": "language",
    "Words": "language",
    "Told": "language",
    "glossary": "glossary",
    "Term": "glossary",
    "label_of": "glossary",
    "language_of": "settings",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
