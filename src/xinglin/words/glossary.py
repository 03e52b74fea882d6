"""The glossary: one word, one meaning, one spelling, in English and Chinese."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import msgspec

from xinglin.words.glossary_console import CONSOLE_GROUPS
from xinglin.words.glossary_labels import GROUPS
from xinglin.words.glossary_states import EVENTS, MACHINES, STATES
from xinglin.words.glossary_words import WORDS

_GROUPS = {"state": STATES, "event": EVENTS, "machine": MACHINES, **GROUPS, **CONSOLE_GROUPS}


class Term(msgspec.Struct, frozen=True):
    """A key, its English and Chinese label; the words of the glossary have a meaning in both, too."""

    key: str
    en: str
    zh: str
    meaning_en: str = ""
    meaning_zh: str = ""


@functools.cache
def glossary() -> Mapping[str, Term]:
    """Every term by its key: words first, then labels by group; a key that stands twice raises ``ValueError``."""
    found: dict[str, Term] = {}
    for term in (*_words(WORDS), *_labels()):
        if term.key in found:
            raise ValueError(f"the glossary has two terms of the key {term.key!r}")
        found[term.key] = term
    return found


def label_of(key: str, language: str) -> str:
    """The label of a key in a language; ``group.part.word`` also finds ``group.word``; empty where none is known."""
    terms = glossary()
    found = terms.get(plain(key)) or terms.get(plain(_short(key)))
    if found is None:
        return ""
    return found.zh if language == "zh" else found.en


def plain(key: str) -> str:
    """A key as the glossary spells it: small letters, hyphens.

    >>> plain("state.PRE_SCREENING")
    'state.pre-screening'
    """
    return key.lower().replace("_", "-").replace(" ", "-")


def _short(key: str) -> str:
    parts = key.split(".")
    return f"{parts[0]}.{parts[-1]}"


def _labels() -> Iterator[Term]:
    for group, lines in _GROUPS.items():
        for line in filter(None, lines.splitlines()):
            parts = [part.strip() for part in line.split("|")]
            yield Term(f"{group}.{parts[0]}", parts[1] if len(parts) > 2 else parts[0].replace("-", " "), parts[-1])


def _words(lines: str) -> Iterator[Term]:
    rows = [line for line in lines.splitlines() if line]
    for head, meaning_en, meaning_zh in zip(rows[0::3], rows[1::3], rows[2::3], strict=True):
        en, zh = (part.strip() for part in head.split("|"))
        yield Term(f"word.{plain(en)}", en, zh, meaning_en.strip(), meaning_zh.strip())
