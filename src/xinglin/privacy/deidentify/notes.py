"""Free text is handed to the recognisers of ``deidentify.text``; where they are not there, it is dropped."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

_ROOM = "xinglin.privacy.deidentify.text"
Note = Callable[[str, Any], str | None]
NOTE_CHARS = 1_000_000
"""A longer text is dropped."""


def note_of() -> Note:
    """The function from a text and what is known of its person to the text that may be given, or ``None``."""
    if find_spec(_ROOM) is None:
        return _nothing
    room = import_module(_ROOM)

    def note(text: str, known: Any) -> str | None:
        if len(text) > NOTE_CHARS:
            return None
        spans = room.find(text) if known is None else room.find(text, known)
        redacted: str = room.redact(text, spans)
        return redacted

    return note


def _nothing(text: str, known: Any) -> str | None:
    del text, known
    return None
