"""Candidates for a local code: by its names, Chinese and English, its unit, and the values that it has.

Nothing is mapped by this: a candidate has a score (0 … 1) and its reasons, and a person accepts it or not.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.records.terminology.errors import CannotConvert
from xinglin.records.terminology.model import Concept
from xinglin.records.terminology.units import convert, normal_unit

CANDIDATES = Limit("candidates of a suggestion", 50, "candidates")
NAME_CHARACTERS = 200
"""Only so much of a name is looked at."""

_LOOKED_AT = 25
_BRACKETS = re.compile(r"[(\[【〔{<]([^()\[\]【】〔〕{}<>]*)[)\]】〕}>]")
_MARKS = re.compile(r"[\s,，。;；:：、_'\"“”‘’★☆*※▲△●○◆◇]+")
_PARTS = re.compile(r"[A-Za-z][A-Za-z0-9+\-#%/βγα]*|[\u4e00-\u9fffβγα]+[\d\-A-Za-z]*[\u4e00-\u9fff]*")
_CJK = re.compile(r"[\u4e00-\u9fff]")
_BEFORE = ("血清", "血浆", "全血", "静脉血", "末梢血", "急诊", "常规", "肝功", "肾功", "生化", "心肌")
_METHODS = "测定值 测定 检测 检查 定量 浓度 水平 含量 结果 数值 值 活性 活力 试验 化学发光法 速率法 酶法 仪器法"
_AFTER = tuple(_METHODS.split())
_SAME = (
    ("数目", "计数"),
    ("总数", "计数"),
    ("绝对数", "绝对值"),
    ("百分率", "百分比"),
    ("百分数", "百分比"),
    ("分类", "百分比"),
    ("%", "百分比"),
    ("比例", "比值"),
    ("比率", "百分比"),
    ("嗜酸细胞", "嗜酸性粒细胞"),
    ("嗜酸粒细胞", "嗜酸性粒细胞"),
    ("嗜碱细胞", "嗜碱性粒细胞"),
    ("嗜碱粒细胞", "嗜碱性粒细胞"),
    ("中性细胞", "中性粒细胞"),
    ("促甲状腺激素", "促甲状腺素"),
    ("Ⅲ", "III"),
)
_SPECIMENS = {"尿": "urine", "脑脊液": "csf", "胸水": "fluid", "腹水": "fluid", "粪": "stool", "便": "stool"}
_ENGLISH = {"urine": "urine", "urinary": "urine", "csf": "csf", "stool": "stool", "fluid": "fluid"}


class LocalItem(msgspec.Struct, frozen=True):
    """A local code as it is seen: its code, its text, its unit and the middle of its values, where known."""

    code: str = ""
    text: str = ""
    unit: str = ""
    median: float | None = None

    def __repr__(self) -> str:
        """Without texts."""
        return f"LocalItem({self.unit!r})"


class Candidate(msgspec.Struct, frozen=True):
    """A standard code that may be meant; ``score`` 0 … 1."""

    code: str
    system: str
    display: str
    score: float
    reasons: tuple[str, ...]


class _Name(msgspec.Struct, frozen=True):
    concept: int
    plain: str
    grams: frozenset[str]
    words: str


class NameIndex:
    """The names of a code system's concepts, ready to be asked; built once, in a few seconds for all of LOINC."""

    def __init__(self, system: str, concepts: Iterable[Concept]) -> None:
        self.system = system
        self._concepts: list[Concept] = []
        self._names: list[_Name] = []
        self._exact: dict[str, list[int]] = {}
        self._by_gram: dict[str, list[int]] = {}
        for concept in concepts:
            if not concept.inactive:
                self._add(concept)

    def _add(self, concept: Concept) -> None:
        number = len(self._concepts)
        self._concepts.append(concept)
        for words in concept.names():
            plain = plain_name(words)
            if not plain:
                continue
            at = len(self._names)
            name = _Name(number, plain, _grams(plain), words)
            self._names.append(name)
            self._exact.setdefault(plain, []).append(at)
            for gram in name.grams:
                self._by_gram.setdefault(gram, []).append(at)

    def suggest(self, item: LocalItem, count: int = 5) -> tuple[Candidate, ...]:
        """The best candidates, the best first; none where nothing is alike."""
        CANDIDATES.check(count)
        scores: dict[int, tuple[float, str]] = {}
        for query, weight, reason in _queries(item):
            for at, score, how in self._alike(query):
                name = self._names[at]
                total = score * weight
                if total > scores.get(name.concept, (0.0, ""))[0]:
                    scores[name.concept] = (total, f"{how} {name.words}{reason}")
        found = [(number, self._judged(item, number, *told)) for number, told in scores.items()]
        found.sort(key=lambda one: (-one[1].score, one[0]))
        return tuple(one for _, one in found[:count] if one.score > 0)

    def _alike(self, query: str) -> list[tuple[int, float, str]]:
        """Names that are the query, or like it."""
        exact = self._exact.get(query)
        found = [(at, 1.0, "named") for at in exact or ()]
        if len(query) < 2:
            return found
        grams = _grams(query)
        shared = Counter(at for gram in grams for at in self._by_gram.get(gram, ()))
        ranked = sorted(shared.items(), key=lambda one: -one[1] / (len(grams) + len(self._names[one[0]].grams)))
        for at, together in ranked[:_LOOKED_AT]:
            name = self._names[at]
            if name.plain == query:
                continue
            dice = 2 * together / (len(grams) + len(name.grams))
            ratio = difflib.SequenceMatcher(None, query, name.plain, autojunk=False).ratio()
            inside = 0.1 if len(name.plain) > 1 and _CJK.search(name.plain) and name.plain in query else 0.0
            found.append((at, min(0.9, 0.45 * dice + 0.45 * ratio + inside), "like"))
        return found

    def _judged(self, item: LocalItem, number: int, score: float, reason: str) -> Candidate:
        """The score of the names, moved by unit, values and specimen."""
        concept = self._concepts[number]
        reasons = [reason]
        for moved, why in (
            _by_unit(item, concept),
            _by_value(item, concept),
            _by_specimen(item, concept),
            _by_frequency(concept),
        ):
            score += moved
            if why:
                reasons.append(why)
        return Candidate(
            concept.code, self.system, concept.display, round(max(0.0, min(1.0, score)), 4), tuple(reasons)
        )


def suggest(
    item: LocalItem, system: str, concepts: Iterable[Concept] | None = None, count: int = 5
) -> tuple[Candidate, ...]:
    """Candidates among ``concepts`` (the shipped measurements where none are given); see ``NameIndex`` for many.

    >>> [one.code for one in suggest(LocalItem(text="白细胞数目(WBC)", unit="10^9/L"), "http://loinc.org", count=1)]
    ['6690-2']
    """
    index = shipped_index() if concepts is None else NameIndex(system, concepts)
    return index.suggest(item, count)


@cache
def shipped_index() -> NameIndex:
    """Names of the shipped measurements."""
    from xinglin.records.terminology.laboratory import SYSTEM, laboratory_concepts

    return NameIndex(SYSTEM, laboratory_concepts())


@lru_cache(maxsize=65_536)
def plain_name(text: str) -> str:
    """A name without marks and case; words that mean the same are written the same.

    >>> plain_name("★白细胞 数目"), plain_name("中性粒细胞百分率"), plain_name("HbA1c")
    ('白细胞计数', '中性粒细胞百分比', 'hba1c')
    """
    plain = _MARKS.sub("", unicodedata.normalize("NFKC", text[:NAME_CHARACTERS]))
    for word, same in _SAME:
        if word in plain and _CJK.search(plain):
            plain = plain.replace(word, same)
    return plain.casefold()


def _queries(item: LocalItem) -> list[tuple[str, float, str]]:
    """What is asked, how much an answer counts, and how it was made of the item's texts."""
    found: dict[str, tuple[float, str]] = {}

    def ask(text: str, weight: float, how: str = "") -> None:
        plain = plain_name(text)
        if plain and weight > found.get(plain, (0.0, ""))[0]:
            found[plain] = (weight, how)

    text = unicodedata.normalize("NFKC", item.text[:NAME_CHARACTERS])
    outside = _BRACKETS.sub("", text)
    ask(text, 1.0)
    ask(outside, 0.98)
    ask(_stripped(outside), 0.94)
    for inside in _BRACKETS.findall(text):
        ask(inside, 0.9, " (in brackets)")
    for part in _PARTS.findall(text):
        if len(part) > 1:
            ask(part, 0.88 if part.isascii() else 0.9, " (a part)")
    ask(item.code, 0.9 if not item.code.isdigit() else 0.0, " (the code)")
    return [(query, weight, how) for query, (weight, how) in found.items()]


def _stripped(text: str) -> str:
    """Without what a laboratory says of specimen and method."""
    plain = plain_name(text)
    for _ in range(2):
        plain = next((plain[len(w) :] for w in _BEFORE if plain.startswith(w) and len(plain) > len(w) + 1), plain)
        plain = next((plain[: -len(w)] for w in _AFTER if plain.endswith(w) and len(plain) > len(w) + 1), plain)
    return plain


def _grams(plain: str) -> frozenset[str]:
    """Pairs of letters; of Chinese single characters as well."""
    pairs = {plain[at : at + 2] for at in range(len(plain) - 1)} or {plain}
    return frozenset(pairs | {sign for sign in plain if _CJK.match(sign)})


def _by_unit(item: LocalItem, concept: Concept) -> tuple[float, str]:
    units = _units(concept)
    given = normal_unit(item.unit) if item.unit else None
    if given is None or not units:
        return (-0.08, "no unit") if item.unit.strip() and not units else (0.0, "")
    if given in units:
        return 0.08, "the same unit"
    return (
        (0.04, "a unit of its kind") if any(_alike(given, unit) for unit in units) else (-0.25, "another kind of unit")
    )


@lru_cache(maxsize=16_384)
def _alike(one: str, other: str) -> bool:
    try:
        convert(1.0, one, other)
    except CannotConvert:
        return False
    return True


def _units(concept: Concept) -> tuple[str, ...]:
    told = [value for name, value in concept.properties if name == "unit"]
    told += [part for part in re.split(r"[;,]\s*", concept.property("EXAMPLE_UCUM_UNITS")) if part]
    return tuple(told)


def _by_value(item: LocalItem, concept: Concept) -> tuple[float, str]:
    """Whether the middle of the values lies near what is usual, in the concept's first unit."""
    low, high = concept.property("low"), concept.property("high")
    units, given = _units(concept), normal_unit(item.unit) if item.unit else None
    if item.median is None or not low or not high or not units or given is None:
        return 0.0, ""
    try:
        value = convert(item.median, given, units[0])
    except CannotConvert:
        return 0.0, ""
    width = max(float(high) - float(low), abs(float(high)) * 0.1)
    if float(low) - width <= value <= float(high) + 2 * width:
        return 0.04, "usual values"
    return -0.08, "unusual values"


def _by_specimen(item: LocalItem, concept: Concept) -> tuple[float, str]:
    here = next((kind for word, kind in _SPECIMENS.items() if word in _specimen_text(item.text)), "")
    system = concept.property("SYSTEM").casefold()
    texts = " ".join((concept.display.casefold(), system))
    there = next((kind for word, kind in _ENGLISH.items() if word in texts), "")
    if here == there:
        return (0.05, f"of {here}") if here else (0.0, "")
    return -0.2, "another specimen"


def _specimen_text(text: str) -> str:
    """尿素 and 尿酸 are of blood."""
    return re.sub(r"尿素|尿酸(?!碱)", "", text)


def _by_frequency(concept: Concept) -> tuple[float, str]:
    """Of equally alike ones the one that is ordered more often (LOINC's rank)."""
    rank = concept.property("COMMON_TEST_RANK")
    return (0.02 / (1 + int(rank) / 500), "") if rank.isdigit() and int(rank) else (0.0, "")


def recall(index: NameIndex, cases: Sequence[tuple[LocalItem, frozenset[str]]], count: int = 5) -> float:
    """The share of items with one of their right codes among the first ``count`` candidates."""
    hits = sum(any(one.code in right for one in index.suggest(item, count)) for item, right in cases)
    return hits / len(cases) if cases else 0.0
