"""A name that a text tells once is one wherever it stands again: the whole of it, or a word of a western one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xinglin.privacy.deidentify.text.english import is_eponym, is_plain_word
from xinglin.privacy.deidentify.text.model import Span

NAMES = 64
"""Names of one text that are looked for again: time stays in proportion to its length."""
_SHORTEST = 2
_WESTERN = re.compile("[A-Z][A-Za-z'-]{3,}")


def repeated(text: str, found: Sequence[Span]) -> list[Span]:
    """Other places of the names among spans that are in order, none over another."""
    names = [text[one.start : one.end] for one in found if one.kind == "name"]
    words = [
        word
        for name in list(dict.fromkeys(names))[:NAMES]
        for word in (_WESTERN.findall(name) if name.isascii() else (name,))
        if text.count(word) > 1
    ]
    if not words:
        return []
    there = "\n".join(names)
    again: list[Span] = []
    for word in dict.fromkeys(words):
        # As often in the text as in the names: nowhere else.
        if len(word) < _SHORTEST or text.count(word) == there.count(word):
            continue
        western = word.isascii()
        if not (western and is_plain_word(word)):
            again += [one for one in _everywhere(text, word) if not western or _is_whole(text, one)]
    return again


def _everywhere(text: str, word: str) -> list[Span]:
    found, place = [], text.find(word)
    while place >= 0:
        found.append(Span(place, place + len(word), "name", "context"))
        place = text.find(word, place + len(word))
    return found


def _is_whole(text: str, span: Span) -> bool:
    """Whether a word is no part of a longer one, and no eponym."""
    before, behind = text[span.start - 1 : span.start], text[span.end : span.end + 1]
    return not (before.isalnum() or behind.isalnum() or is_eponym(text, span.end))
