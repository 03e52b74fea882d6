"""What an entry of the log names, so that it can be found again: ids, digests, DIDs, and labels such as data sets."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from xinglin.evidence.entry import Entry
from xinglin.kernel.limits import Limit
from xinglin.stores.console_book import NAMED, PARTY, SUBJECT, Line

WORDS_OF_ENTRY = Limit("words that the index keeps of one entry", 320, "words")
_BODY_WORDS, _DEPTH, _LABEL_CHARACTERS, _PAYLOAD, _INDEX_DIGITS = 48, 8, 200, 65_536, 19
_ID = re.compile(r"[a-z]{1,32}-[a-z2-7]{26}|sha256:[0-9a-f]{64}|did:xinglin:[a-z2-7]{25}[aeimquy4]")
_LABELS = frozenset({"name", "data_set", "data_sets", "study", "event", "grade", "reason", "what"})


def line_of(index: int, entry: Entry) -> Line:
    """The entry's line in the index. A label is a text that people know; what is signed inside a body is read too."""
    words: dict[tuple[int, str], bool] = {}
    if entry.subject:
        words[SUBJECT, entry.subject] = False
    for did in (entry.submitter, *entry.parties):
        words[PARTY, did] = False
    for count, (text, label) in enumerate(_named(entry.body, "", 0)):
        if count >= _BODY_WORDS:
            break
        if (SUBJECT, text) not in words:
            words.setdefault((NAMED, text), label)
    return Line(index, entry.kind, entry.at, tuple((role, text, label) for (role, text), label in words.items()))


def ids_named(entry: Entry) -> tuple[str, ...]:
    """Ids and digests, not DIDs, that the entry's body names: what it is connected with."""
    found = dict.fromkeys(text for text, label in _named(entry.body, "", 0) if not label)
    return tuple(text for text in found if not text.startswith("did:"))[:_BODY_WORDS]


def _named(value: Any, key: str, depth: int) -> Iterator[tuple[str, bool]]:
    if depth > _DEPTH:
        return
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from _named(inside, str(name), depth + 1)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from _named(inside, key, depth + 1)
    elif isinstance(value, str):
        if _ID.fullmatch(value):
            yield value, False
        elif key == "payload":
            yield from _named(_opened(value), "", depth + 1)
        elif key in _LABELS and 0 < len(value) <= _LABEL_CHARACTERS and value.isprintable():
            yield value, True


def _opened(payload: str) -> Any:
    """What a signed payload says (base64 of JSON); None for anything else."""
    if len(payload) > _PAYLOAD:
        return None
    try:
        return msgspec.json.decode(base64.b64decode(payload, validate=True))
    except (ValueError, msgspec.DecodeError):
        return None


def is_index(text: str) -> bool:
    """Whether what somebody seeks may be the index of an entry."""
    return text.isascii() and text.isdigit() and len(text) < _INDEX_DIGITS
