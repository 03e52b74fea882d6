"""HL7 v2.3 to 2.8 messages: bytes to lazily split segments, character sets, batch files, acknowledgements.

A *message* is one MSH and the *segments* under it; a segment has *fields*, a field may *repeat*, a repetition has
*components* and they have *sub-components*. Nothing below a segment is split before somebody asks for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "BadMessage": "errors",
    "Separators": "separators",
    "Message": "message",
    "Segment": "message",
    "Field": "message",
    "is_null": "message",
    "parse_message": "message",
    "split_batch": "batch",
    "Header": "header",
    "read_header": "header",
    "ACCEPTED": "acknowledge",
    "NOT_KEPT": "acknowledge",
    "TOO_LONG": "acknowledge",
    "Accepts": "acknowledge",
    "Answer": "acknowledge",
    "Outcome": "acknowledge",
    "answer_codes": "acknowledge",
    "check_header": "acknowledge",
    "read_answer": "acknowledge",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
