"""What its own form gives away in any language: mail, addresses of the net, papers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xinglin.privacy.deidentify.text.model import Span

_MAIL = re.compile("[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\\.[A-Za-z0-9-]{1,63}){1,4}")
_URL = re.compile("(?:https?://|www\\.)[^\\s,;。，；)）】]{3,300}", re.I)
_PAPERS = re.compile("[A-Z](?=[A-Z0-9]{7})[A-Z]{0,2}[0-9]{7,12}")
_PAPER = re.compile("[EGDSP][A-Z]?[0-9]{7,8}|[HM][0-9]{8}(?:[0-9]{2})?|[A-Z]{3}[0-9]{12}")


def formed(text: str) -> Iterator[Span]:
    """Spans of a plain text that their own form gives away."""
    if "@" in text:
        for match in _MAIL.finditer(text):
            yield Span(match.start(), match.end(), "email", "form")
    if "http" in text or "www." in text:
        for match in _URL.finditer(text):
            yield Span(match.start(), match.end(), "url", "form")
    for match in _PAPERS.finditer(text):
        start, end = match.span()
        joined = text[start - 1 : start].isalnum() and text[start - 1 : start].isascii()
        if not joined and _PAPER.fullmatch(match.group()) and not text[end : end + 1].isalnum():
            yield Span(start, end, "passport", "form")
