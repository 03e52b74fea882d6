"""What a column is about: by its name, by what its values look like, and how sure that is."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable
from functools import cache

import msgspec

from xinglin.records.tabular.profile import Profile
from xinglin.records.tabular.words import meanings

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CJK = re.compile(r"[\u4e00-\u9fff]")
_COUNT = re.compile(r"\A(?:num|number|n|count|cnt)_|_(?:count|num|cnt)\Z|(?:次数|个数|数)\Z")
_SERIES = re.compile(r"(.*?)[ _]?(\d{1,2})\Z")
_NOISE = ("患者", "病人", "的", "代码", "名称")
EXACT, PART, CLOSE = 0.9, 0.72, 0.66
_SURE = 0.45

_WANTS: dict[str, tuple[str, ...]] = {
    "person.national_id": ("identity number",),
    "person.phone": ("phone",),
    "person.email": ("e-mail",),
    "person.birth_date": ("date",),
    "person.died_at": ("date",),
    "person.sex": ("sex",),
    "person.age": ("number", "age band"),
    "person.birth_year": ("number",),
    "visit.start": ("date",),
    "visit.end": ("date",),
    "visit.days": ("number",),
    "dx.code": ("icd-10", "icd-9-cm"),
    "dx.time": ("date",),
    "lab.result": ("number",),
    "lab.unit": ("unit",),
    "lab.time": ("date",),
    "lab.issued": ("date",),
    "drug.start": ("date",),
    "drug.end": ("date",),
    "drug.dose": ("number",),
    "op.time": ("date",),
    "row.updated": ("date",),
    "row.created": ("date",),
    "cost.amount": ("number",),
}
_LOOSE = frozenset({"lab.result", "lab.unit", "drug.dose", "dx.code", "person.national_id", "person.phone"})
"""Values may differ from the pattern without speaking against the name."""
Offer = Callable[[str, float, str], None]
_BY_VALUE = {
    "identity number": ("person.national_id", 0.97),
    "e-mail": ("person.email", 0.9),
    "phone": ("person.phone", 0.75),
    "loinc": ("lab.code", 0.9),
    "variant": ("gene.variant", 0.8),
}


class Alternative(msgspec.Struct, frozen=True):
    """What a column may be about, how sure (0 … 1), and why."""

    meaning: str
    confidence: float
    reasons: tuple[str, ...]


def normalised(name: str) -> str:
    """A column's name without case, marks and camel humps.

    >>> normalised("AdmitDate"), normalised("入院 日期（必填）"), normalised("A1Cresult")
    ('admit_date', '入院日期', 'a1cresult')
    """
    text = unicodedata.normalize("NFKC", name)
    text = re.sub(r"[(\[【].*?[)\]】]", "", text)
    if _CJK.search(text):
        return re.sub(r"[\s_\-:：*]+", "", text)
    text = _CAMEL.sub("_", text) if not text.isupper() and "_" not in text and sum(map(str.isupper, text)) < 4 else text
    text = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()
    return "a1cresult" if text.replace("_", "") == "a1cresult" else text


def series(name: str) -> tuple[str, int] | None:
    """Stem and number of a column of a series (``diag_1``), or ``None``.

    >>> series("diag_2"), series("其他诊断3"), series("icd10")
    (('diag', 2), ('其他诊断', 3), None)
    """
    plain = normalised(name)
    if plain in ("icd9", "icd10", "a1c") or not (found := _SERIES.match(plain)):
        return None
    return (found[1].rstrip("_"), int(found[2])) if found[1] else None


def is_count(name: str) -> bool:
    """Whether the name says that it counts something."""
    return bool(_COUNT.search(normalised(name)))


@cache
def _index() -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for meaning in meanings():
        for word in (*meaning.chinese, *meaning.english):
            found.setdefault(normalised(word), (meaning.key, EXACT))
        for word in meaning.initials:
            found.setdefault(word.lower(), (meaning.key, 0.84 if len(word) > 2 else 0.74))
    return found


def by_name(name: str) -> list[Alternative]:
    """Meanings by the name alone, the best first."""
    plain = normalised(name)
    index = _index()
    found: dict[str, Alternative] = {}

    def offer(meaning: str, confidence: float, reason: str) -> None:
        if meaning not in found or found[meaning].confidence < confidence:
            found[meaning] = Alternative(meaning, confidence, (reason,))

    if plain in index:
        offer(*index[plain], "the name is in use for it")
    stem = series(name)
    if stem and stem[0] in index:
        meaning, confidence = index[stem[0]]
        offer(meaning, confidence - 0.04, "the name and a number")
    if _CJK.search(plain):
        _chinese(plain, offer)
    else:
        _english(plain, offer)
    return sorted(found.values(), key=lambda one: -one.confidence)[:4]


def _chinese(plain: str, offer: Offer) -> None:
    bare = plain
    for noise in _NOISE[:3]:
        bare = bare.replace(noise, "")
    for word, (meaning, _) in _index().items():
        if not _CJK.search(word) or len(word) < 2:
            continue
        if bare == word:
            offer(meaning, EXACT - 0.03, "the name is in use for it")
        elif word in plain:
            end = 0.1 if plain.endswith(word) else 0.0
            offer(meaning, 0.5 + end + 0.3 * len(word) / len(plain), f"the name holds '{word}'")


def _english(plain: str, offer: Offer) -> None:
    words = set(plain.split("_"))
    for known, (meaning, confidence) in _index().items():
        if _CJK.search(known) or confidence < EXACT or len(known) < 3:
            continue
        parts = set(known.split("_"))
        if len(parts) > 1 and parts <= words:
            offer(meaning, PART + 0.1 * len(parts) / len(words), f"the name holds '{known}'")
        elif (
            len(plain) > 5
            and abs(len(plain) - len(known)) < 3
            and difflib.SequenceMatcher(None, plain, known).ratio() > 0.87
        ):
            offer(meaning, CLOSE, f"the name is close to '{known}'")


def _close(one: str, other: str) -> bool:
    if len(one) < 6 or abs(len(one) - len(other)) > 2:
        return False
    return difflib.SequenceMatcher(None, one, other).ratio() > 0.87


def guesses(column: Profile) -> list[Alternative]:
    """Meanings by name and values, the best first; none where nothing speaks for any."""
    found = {one.meaning: _weighed(one, column) for one in by_name(column.name)}
    for pattern, (meaning, confidence) in _BY_VALUE.items():
        if column.fits(pattern, 0.95) and column.distinct > 2:
            known = found.get(meaning)
            sure = max(confidence, known.confidence if known else 0.0)
            reasons = (*(known.reasons if known else ()), f"values are of the kind '{pattern}'")
            found[meaning] = Alternative(meaning, min(sure, 0.99), reasons)
    ranked = sorted(found.values(), key=lambda one: -one.confidence)
    return [one for one in ranked if one.confidence >= _SURE]


def _weighed(one: Alternative, column: Profile) -> Alternative:
    wants = _WANTS.get(one.meaning)
    if not wants or not column.filled:
        return one
    share = max(column.patterns.get(pattern, 0.0) for pattern in wants)
    if share >= 0.9:
        sure = 1 - (1 - one.confidence) * 0.4
        return Alternative(one.meaning, min(sure, 0.99), (*one.reasons, f"values look like it ({share:.0%})"))
    if one.meaning in _LOOSE:
        return one
    weaker = one.confidence * (0.35 + 0.6 * share)
    return Alternative(one.meaning, weaker, (*one.reasons, f"only {share:.0%} of the values look like it"))
