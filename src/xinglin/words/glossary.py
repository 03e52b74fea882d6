"""The glossary: one word, one meaning, one spelling, in English and Chinese."""

from __future__ import annotations

import msgspec


class Term(msgspec.Struct, frozen=True):
    """A key, its English and Chinese label; terms of the table of words also have a meaning in both."""

    key: str
    en: str
    zh: str
    meaning_en: str = ""
    meaning_zh: str = ""


GLOSSARY: dict[str, Term] = {}


def label_of(key: str, language: str) -> str:
    """The label of a key in a language; ``group.part.word`` also finds ``group.word``; empty where none is known."""
    found = GLOSSARY.get(_plain(key)) or GLOSSARY.get(_plain(_short(key)))
    if found is None:
        return ""
    return found.zh if language == "zh" else found.en


def _plain(key: str) -> str:
    return key.lower().replace("_", "-")


def _short(key: str) -> str:
    parts = key.split(".")
    return f"{parts[0]}.{parts[-1]}"
