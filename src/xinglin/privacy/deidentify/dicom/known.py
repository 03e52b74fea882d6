"""The patient's own strings, gathered from the object: what must not remain anywhere in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TEXTS = frozenset(("LO", "SH", "PN", "LT", "ST", "UT", "UC"))
_PERSONAL = frozenset(("AccessionNumber", "StudyID", "AdmissionID", "InstitutionName", "InstitutionAddress"))
_SPLIT = re.compile(r"[\^=\\,;\s]+")
_WIDE = re.compile(r"[㐀-鿿豈-﫿]")
Kept = Callable[[int, str, str], bool]
_LIMIT = 2_000
"""Strings that are looked for at most; the longest go first."""


class KnownStrings:
    """Finds a person's strings in texts that would stay.

    ``kept``: whether the profile keeps an attribute (tag, representation, keyword): what is kept on purpose is not
    looked for elsewhere. ``extra``: strings from the patient's own record.
    """

    def __init__(self, dataset: Dataset, kept: Kept = lambda *_: False, extra: Iterable[str] = ()) -> None:
        words: set[str] = set()
        for text in (*_personal_texts(dataset, kept), *extra):
            words.update(_words(text))
        ordered = sorted(words, key=lambda word: (-len(word), word))[:_LIMIT]
        self._exact = frozenset(ordered)
        parts = [re.escape(word) if _WIDE.search(word) else rf"(?<!\w){re.escape(word)}(?!\w)" for word in ordered]
        self._pattern = re.compile("|".join(parts)) if parts else None

    def __repr__(self) -> str:
        return f"KnownStrings({len(self._exact)} strings)"

    def in_text(self, text: str) -> bool:
        """Whether a text holds one of them."""
        return self._pattern is not None and self._pattern.search(text.casefold()) is not None

    def is_one(self, number: str) -> bool:
        """Whether a number, as text, is one of them; a short number is nobody's."""
        bare = number.strip().casefold()
        return sum(map(str.isdigit, bare)) >= 6 and bare in self._exact


def _personal_texts(dataset: Dataset, kept: Kept) -> Iterator[str]:
    for element in dataset.iterall():
        if element.VR not in _TEXTS or not element.value:
            continue
        personal = element.VR == "PN" or element.tag.group == 0x0010 or element.keyword in _PERSONAL
        if personal and not kept(int(element.tag), element.VR, element.keyword):
            values = [element.value] if isinstance(element.value, str) or element.VM <= 1 else list(element.value)
            for value in values:
                yield str(value)


def _words(text: str) -> Iterator[str]:
    whole = text.strip().casefold()
    for word in {whole, *_SPLIT.split(whole), *_SPLIT.sub(" ", whole).strip().split("  ")}:
        if len(word) >= (2 if _WIDE.search(word) else 3):
            yield word
