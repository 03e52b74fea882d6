"""Words of texts and questions: Latin words as they are, Chinese by pairs of characters, and the concepts they name.

A concept is found by its longest spelling in either language (``synonyms.toml``) and stands for all of them, so that a
question in Chinese finds a variable that is named in English, and the reverse. Whoever has a narrower concept has its
wider ones too. Nothing in a text is an operator: every character that is no letter or digit only separates.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

import msgspec

from xinglin.kernel.limits import Limit

QUESTION = Limit("text of a search", 400, "characters")
PARTS = Limit("words of a search", 16, "words")
_RUN = re.compile(r"[0-9a-zµα-ω]+|[㐀-䶿一-鿿]+")
_CAMEL = re.compile(r"(?<=[a-z]{3})(?=[A-Z])")
_STOP_WORDS = "a an and are by for from has have in is of on or that the their to which with 的 和 与 及 或 在 了 有 是"
_STOP = frozenset(_STOP_WORDS.split())


class Concept(msgspec.Struct, frozen=True):
    """Something that has several names. ``wider``: ids of what it is a kind of."""

    id: str
    en: tuple[str, ...]
    zh: tuple[str, ...]
    wider: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """One thing that a question asks for: alternatives of terms, of which one is enough."""

    text: str
    terms: tuple[str, ...]


class Synonyms:
    """Concepts by their spellings, longest first."""

    def __init__(self, concepts: tuple[Concept, ...]) -> None:
        self.concepts = {one.id: one for one in concepts}
        self._spelled: dict[tuple[str, ...], list[str]] = {}
        self._longest = 1
        for one in concepts:
            for name in (*one.en, *one.zh):
                key = tuple(_units(name))
                ids = self._spelled.setdefault(key, [])
                if one.id not in ids:
                    ids.append(one.id)
                self._longest = max(self._longest, len(key))
        self._known: dict[str, tuple[str, ...]] = {}

    def matches(self, units: list[str]) -> Iterator[tuple[int, int, list[str]]]:
        """(start, end, concept ids) of the longest spellings, left to right, none overlapping."""
        at = 0
        while at < len(units):
            for size in range(min(self._longest, len(units) - at), 0, -1):
                found = self._spelled.get(tuple(units[at : at + size]))
                if found:
                    yield at, at + size, found
                    at += size
                    break
            else:
                at += 1

    def with_wider(self, concept: str) -> tuple[str, ...]:
        """The concept and all that it is a kind of."""
        if concept not in self._known:
            found, waiting = [], [concept]
            while waiting:
                one = waiting.pop()
                if one not in found and one in self.concepts:
                    found.append(one)
                    waiting += self.concepts[one].wider
            self._known[concept] = tuple(found)
        return self._known[concept]

    def label(self, concept: str) -> tuple[str, str]:
        """A concept's first name in English and Chinese; the id itself where it is none."""
        found = self.concepts.get(concept)
        return (found.en[0], found.zh[0]) if found is not None else (concept, concept)


@lru_cache(maxsize=1)
def synonyms() -> Synonyms:
    """The packaged concepts."""
    data = tomllib.loads(files("xinglin.catalogue").joinpath("synonyms.toml").read_text(encoding="utf-8"))
    return Synonyms(tuple(msgspec.convert(one, Concept) for one in data["concept"]))


@lru_cache(maxsize=65_536)
def terms_of(text: str) -> tuple[str, ...]:
    """Every term that a text is found by: its words, pairs of its Chinese characters, its concepts (``#id``).

    >>> [one for one in terms_of("收缩压") if one.startswith("#")]
    ['#systolic-blood-pressure', '#blood-pressure', '#vital-signs']
    """
    known = synonyms()
    units = _units(text)
    found: dict[str, None] = {}
    for _, _, ids in known.matches(units):
        for concept in ids:
            found |= dict.fromkeys(f"#{one}" for one in known.with_wider(concept))
    found |= dict.fromkeys(_plain(units))
    return tuple(found)


@lru_cache(maxsize=65_536)
def concepts_of(text: str) -> tuple[str, ...]:
    """The concepts that a text names, without what they are kinds of."""
    return tuple(dict.fromkeys(one for _, _, ids in synonyms().matches(_units(text)) for one in ids))


def parts_of(question: str) -> tuple[Part, ...]:
    """What a question asks for, part by part. Raises ``LimitExceeded``.

    >>> [part.terms for part in parts_of("heart AND 血压")]
    [('#heart',), ('#blood-pressure',)]
    """
    QUESTION.check(len(question))
    known = synonyms()
    units = _units(question)
    parts: list[Part] = []
    at = 0
    for start, end, ids in [*known.matches(units), (len(units), len(units), [])]:
        parts += _rest(units[at:start])
        if ids:
            parts.append(Part(_joined(units[start:end]), tuple(f"#{one}" for one in ids)))
        at = end
    parts = list(dict.fromkeys(parts))
    PARTS.check(len(parts))
    return tuple(parts)


def _rest(units: list[str]) -> list[Part]:
    return [Part(one, (one,)) for one in _plain(units)]


def _plain(units: list[str]) -> Iterator[str]:
    """Latin words, and pairs of neighbouring Chinese characters (a lone one by itself)."""
    at = 0
    while at < len(units):
        if not _chinese(units[at]):
            if units[at] not in _STOP:
                yield units[at]
            at += 1
            continue
        end = at
        while end < len(units) and _chinese(units[end]):
            end += 1
        if end - at == 1:
            if units[at] not in _STOP:
                yield units[at]
        else:
            yield from (units[k] + units[k + 1] for k in range(at, end - 1))
        at = end


def _units(text: str) -> list[str]:
    """Latin words in small letters, Chinese characters one by one."""
    plain = unicodedata.normalize("NFKC", _CAMEL.sub(" ", text)).lower()
    found: list[str] = []
    for run in _RUN.findall(plain):
        if _chinese(run[0]):
            found += run
        else:
            found.append(run)
    return found


def _chinese(unit: str) -> bool:
    return "㐀" <= unit[0] <= "鿿"


def _joined(units: list[str]) -> str:
    return ("" if any(map(_chinese, units)) else " ").join(units)
