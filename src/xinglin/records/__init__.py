"""Records: hospital messages to canonical rows. Bytes in, values out; nothing here reads a disk or a clock.

A *reader* turns the bytes of one received object into *resources* (FHIR R4, as parsed JSON) or straight into
*mapped* rows; what it cannot read or attribute is *unread*, with a code and a place. A *view* maps resources
to rows. *Flags* are quality findings that a row carries.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Flag": "model",
    "Mapped": "model",
    "Read": "model",
    "ReadContext": "model",
    "Reader": "model",
    "Resource": "model",
    "Unread": "model",
    "RecordsError": "errors",
    "Unreadable": "errors",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
