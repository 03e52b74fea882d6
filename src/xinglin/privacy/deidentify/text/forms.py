"""What its own form gives away in any language: mail and addresses of the net."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.privacy.deidentify.text.model import Span

_MAIL = re.compile("[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\\.[A-Za-z0-9-]{1,63}){1,4}")
_URL = re.compile("(?:https?://|www\\.)[^\\s,;。，；)）】]{3,300}", re.I)


def formed(text: str) -> Iterator[Span]:
    """Spans of a plain text that their own form gives away."""
    if "@" in text:
        for match in _MAIL.finditer(text):
            yield Span(match.start(), match.end(), "email", "form")
    if "http" in text or "www." in text:
        for match in _URL.finditer(text):
            yield Span(match.start(), match.end(), "url", "form")
