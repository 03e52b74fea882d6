"""Free text is handed to the recognisers of ``deidentify.text``."""

from __future__ import annotations

from collections.abc import Callable

from xinglin.kernel.limits import Limit
from xinglin.privacy.deidentify.text.finding import find
from xinglin.privacy.deidentify.text.model import Known
from xinglin.privacy.deidentify.text.redacting import redact

NOTE_CHARACTERS = Limit("length of a note", 1_000_000, "characters")
"""A longer text is dropped."""
Note = Callable[[str, Known | None], str | None]


def redact_note(text: str, known: Known | None) -> str | None:
    """The text without what names a person; ``known``: ``Known`` of its person, or ``None``."""
    if len(text) > NOTE_CHARACTERS.value:
        return None
    spans = find(text, known or Known())
    return redact(text, spans)
