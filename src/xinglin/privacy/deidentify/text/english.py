"""English texts: one pass finds the words that give something away; each is followed up where it stands."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

from xinglin.privacy.deidentify.text.model import Span
from xinglin.privacy.deidentify.text.normal import lowered
from xinglin.privacy.deidentify.text.trie import pattern_of
from xinglin.privacy.deidentify.text.words import words

_WORD = "(?:(?:Mc|Mac|O'|De|Van|La)?[A-Z][a-z]{1,15}(?:-[A-Z][a-z]{1,15})?)"
_INITIAL = "(?:[A-Z](?:\\.|\\b))"
_FULL = f"{_WORD}(?: {_INITIAL})?(?: (?:de|van|von|la|del|bin|al) )?(?: {_WORD}){{1,2}}"
_COMMA = f"{_WORD}, {_WORD}(?: {_INITIAL})?"
_CAPITALS = "[A-Z][A-Z'-]{1,15}, ?[A-Z][A-Z'-]{1,15}(?: [A-Z]\\b\\.?)?|[A-Z]{2,15}\\^[A-Z]{2,15}(?:\\^[A-Z]{1,15})?"
_UPPER = "[A-Z]{2,15}(?: [A-Z]\\b\\.?)? [A-Z]{2,15}\\b"
_NAME = re.compile(f"(?:{_CAPITALS}|{_COMMA}|{_FULL}|{_INITIAL} ?{_WORD}|{_WORD})")
_LONG_NAME = re.compile(f"(?:{_CAPITALS}|{_FULL}|{_INITIAL} ?{_WORD})")
_SHOUTED = re.compile(f"(?:{_CAPITALS}|{_UPPER})")
_BEHIND_GIVEN = re.compile(f"(?: {_INITIAL}(?= ))?(?: (?:de|van|von|la|del|bin|al))?(?: {_WORD}){{1,2}}")
_BEFORE_GIVEN = re.compile(f"\\b({_WORD}), ?\\Z")
_PART = re.compile(f"{_WORD}|[A-Z]\\.?|{_WORD},")
_LABEL = re.compile("(?: ?[:=] ?|\\t)(?:(?:Dr|Mr|Mrs|Ms)\\.? )?")
_LABEL_BEGINS = frozenset(":=\t")
_GAP = re.compile('(?:,| is| was|:| named)? ?[("]?')
_STREET_BEFORE = re.compile(
    "(?<![0-9])[0-9]{1,5}(?:-[0-9]{1,4})? (?:[NSEW]\\.? )?(?:(?:[A-Z][a-z]{1,15}|[0-9]{1,3}(?:st|nd|rd|th)) ){1,3}\\Z"
)
_STREET_AFTER = re.compile(
    "\\.?(?:,? (?:Apt|Apartment|Unit|Suite|Ste|#)\\.? ?[A-Za-z0-9-]{1,6})?"
    "(?:,? [A-Z][a-z]{1,15}(?: [A-Z][a-z]{1,15})?,? [A-Z]{2} [0-9]{5}(?:-[0-9]{4})?)?"
)
_CITY_BEFORE = re.compile("[A-Z][a-z]{1,15}(?: [A-Z][a-z]{1,15})?, \\Z")
_ZIP = re.compile(" [0-9]{5}(?:-[0-9]{4})?(?![0-9])")
_BOX = re.compile("\\bP\\.?O\\.? ?Box [0-9]{1,6}", re.I)
_HOSPITAL_BEFORE = re.compile("(?:[A-Z][A-Za-z.']{1,15} ){1,4}\\Z")
_COMMON = frozenset(
    [
        "The",
        "This",
        "Our",
        "A",
        "An",
        "Outside",
        "Local",
        "Community",
        "Emergency",
        "Primary",
        "Care",
        "Pain",
        "Follow-up",
    ]
)
_NUMBER = re.compile("(?: (?:number|no\\.?|num|id|#))?[:#= ]{0,4}([A-Za-z]{0,6}[-_]?[0-9][A-Za-z0-9_-]{2,24})")
_MONTH_BEFORE = re.compile("(?<![0-9])[0-9]{1,2}(?:st|nd|rd|th)?(?: of)?[ -]\\Z")
_MONTH_AFTER = re.compile(
    "\\.?(?: [0-9]{1,2}(?:st|nd|rd|th)?(?![0-9:/]))?(?:,? ?-?(?:(?:18|19|20)[0-9]{2}|'?[0-9]{2}(?![0-9]|:)))?"
)
_AGED = re.compile(r"(?:,| \(|,? an?| is an?| was an?)? ?(?:[0-9]{1,3}[- ]?|,? ?\(?)\Z")
_OLD = re.compile(r"(?<![0-9.])(9[0-9]|1[0-2][0-9])[- ]?\Z")
_AGE_LABEL = re.compile("[: ]{1,3}(9[0-9]|1[0-2][0-9])(?![0-9])")
_DIGIT = re.compile(r"\d")
_DEGREES_TOO = frozenset(("MD", "PA", "OR", "IN", "DO", "ME"))
"""States that stand behind a comma as other things too: only with a postcode."""
_MOST_PARTS, _LONGEST_PART = 3, 24

NO_SPANS: Sequence[Span] = ()
Follow = Callable[[str, int, int], Sequence[Span]]


@functools.cache
def _eponym() -> re.Pattern[str]:
    return re.compile(f"(?:'s)?[ -]{pattern_of(words('english', 'eponyms'))}\\b", re.I)


@functools.cache
def _no_names() -> frozenset[str]:
    return frozenset(words("english", "no_names"))


@functools.cache
def _triggers() -> tuple[re.Pattern[str], dict[str, tuple[Follow, ...]]]:
    told: dict[str, list[Follow]] = {}

    def add(name: str, follow: Follow) -> None:
        for word in words("english", name):
            told.setdefault(word.lower(), []).append(follow)

    add("name_labels", _labelled)
    add("phrases", _behind_phrase)
    add("titles", _titled)
    add("relatives", _relative)
    add("degrees", _qualified)
    add("given_names", _given)
    add("stories", _told)
    add("streets", _street)
    add("hospitals", _hospital)
    add("record_labels", _number_of("record_number"))
    add("insurance_labels", _number_of("insurance_number"))
    add("months", _month)
    for word in ("age", "aged"):
        told.setdefault(word, []).append(_age_label)
    for word in ("year", "years", "yo", "y/o", "dob"):
        told.setdefault(word, []).append(_aged)
    pattern = re.compile(f"[^a-z]({pattern_of(told)})(?![a-z])")
    return pattern, {word: tuple(follows) for word, follows in told.items()}


@functools.cache
def _states() -> re.Pattern[str]:
    return re.compile(f", {pattern_of(words('english', 'states'))}(?![A-Za-z])")


def english_spans(text: str) -> list[Span]:
    """Spans of names, addresses, institutions, labelled numbers and dates in a plain text."""
    pattern, told = _triggers()
    found: list[Span] = []
    # A mark in front, so that every word has one: places are one further on.
    for match in pattern.finditer("\n" + lowered(text)):
        start, end = match.start(), match.end() - 1
        for follow in told[match[1]]:
            found.extend(follow(text, start, end))
    for match in _states().finditer(text):
        found.extend(_state(text, match.start() + 2, match.end()))
    if "Box" in text or "BOX" in text:
        found.extend([Span(match.start(), match.end(), "address", "form") for match in _BOX.finditer(text)])
    return found


def is_plain_word(word: str) -> bool:
    """Whether a capitalised word is one of other meanings."""
    return word.strip(".,") in _no_names()


def is_eponym(text: str, end: int) -> bool:
    """Whether what follows makes a name one of a disease, a sign or a device."""
    return _eponym().match(text, end) is not None


def _named(text: str, start: int, end: int, why: str) -> Sequence[Span]:
    """The part of a match that is a name, unless it is an eponym's."""
    words_, no_names = text[start:end].split(" "), _no_names()
    while words_ and words_[0].strip(",.") in no_names:
        start += len(words_.pop(0)) + 1
    while words_ and words_[-1].strip(",.") in no_names:
        end -= len(words_.pop()) + 1
    if words_ and end > start + 1 and not _eponym().match(text, end):
        return (Span(start, end, "name", why),)
    return NO_SPANS


def _labelled(text: str, start: int, end: int) -> Sequence[Span]:
    """A name behind a label and a colon."""
    del start
    label = _LABEL.match(text, end) if text[end : end + 2].lstrip(" ")[:1] in _LABEL_BEGINS else None
    if label is None:
        return NO_SPANS
    found = _SHOUTED.match(text, label.end()) or _NAME.match(text, label.end())
    return _named(text, found.start(), found.end(), "label") if found is not None else NO_SPANS


def _behind_phrase(text: str, start: int, end: int) -> Sequence[Span]:
    del start
    begins = text[end : end + 1] == " " and text[end + 1 : end + 2].isupper()
    found = _LONG_NAME.match(text, end + 1) if begins else None
    return _named(text, found.start(), found.end(), "context") if found is not None else NO_SPANS


def _titled(text: str, start: int, end: int) -> Sequence[Span]:
    place = end + (text[end : end + 1] == ".")
    if not text[start].isupper() or text[place : place + 1] != " " or not text[place + 1 : place + 2].isupper():
        return NO_SPANS
    found = _SHOUTED.match(text, place + 1) or _NAME.match(text, place + 1)
    return _named(text, found.start(), found.end(), "context") if found is not None else NO_SPANS


def _relative(text: str, start: int, end: int) -> Sequence[Span]:
    del start
    gap = _GAP.match(text, end)
    begins = gap is not None and gap.end() > end and text[gap.end() : gap.end() + 1].isupper()
    found = _NAME.match(text, gap.end()) if gap is not None and begins else None
    if found is None or "," in found.group():
        return NO_SPANS
    return _named(text, found.start(), found.end(), "context")


def _given(text: str, start: int, end: int) -> Sequence[Span]:
    """A given name of the packaged list, alone or with what follows or precedes it."""
    if not text[start:end].istitle() or text[end : end + 1] == "-":
        return NO_SPANS
    if text[max(0, start - 2) : start].strip() == ",":
        surname = _BEFORE_GIVEN.search(text, max(0, start - _LONGEST_PART), start)
        if surname is not None and surname[1] not in _no_names():
            return _named(text, surname.start(), end, "form")
    found = _BEHIND_GIVEN.match(text, end)
    return _named(text, start, found.end() if found else end, "form")


def _before(text: str, end: int, fewest: int) -> int | None:
    """Where the name that ends at ``end`` begins: up to three words of the form of a name; ``None`` where none does."""
    start, parts = end, 0
    while parts < _MOST_PARTS:
        last = start - (1 if parts else 0)
        cut = max(text.rfind(" ", max(0, start - _LONGEST_PART), last), text.rfind("\n", 0, start)) + 1
        word = text[cut:last]
        if not _PART.fullmatch(word) or (word.endswith(",") and not parts):
            break
        start, parts = cut, parts + 1
        if cut == 0 or text[cut - 1] != " ":
            break
    while parts:
        first = text[start:end].split(" ", 1)[0]
        if first.strip(",") not in _no_names():
            break
        start += len(first) + 1
        parts -= 1
    return start if parts >= fewest and start < end else None


def _qualified(text: str, start: int, end: int) -> Sequence[Span]:
    """A name before a degree."""
    if not text[start].isupper() or text[end : end + 1] not in ("", " ", ",", ".", "\n", ")", ";", "/"):
        return NO_SPANS
    place = start
    while place > 0 and text[place - 1] in ", " and start - place < 2:
        place -= 1
    first = _before(text, place, 2) if place < start else None
    return _named(text, first, place, "context") if first is not None else NO_SPANS


def _told(text: str, start: int, end: int) -> Sequence[Span]:
    """A name before what is told of somebody."""
    del end
    first = _before(text, start - 1, 2) if text[start - 1 : start] == " " else None
    return _named(text, first, start - 1, "context") if first is not None else NO_SPANS


def _aged(text: str, start: int, end: int) -> Sequence[Span]:
    """An age above 89; and the name in front of an age, or of a date of birth."""
    del end
    old = _OLD.search(text, max(0, start - 5), start)
    age = (Span(old.start(1), old.end(1), "age", "form"),) if old is not None else NO_SPANS
    gap = _AGED.search(text, max(0, start - 16), start)
    first = _before(text, gap.start(), 1) if gap is not None else None
    return (*age, *_named(text, first, gap.start(), "context")) if gap is not None and first is not None else age


def _age_label(text: str, start: int, end: int) -> Sequence[Span]:
    del start
    found = _AGE_LABEL.match(text, end)
    return (Span(found.start(1), found.end(1), "age", "label"),) if found is not None else NO_SPANS


def _street(text: str, start: int, end: int) -> Sequence[Span]:
    before = _STREET_BEFORE.search(text, max(0, start - 60), start) if text[start].isupper() else None
    if before is None:
        return NO_SPANS
    after = _STREET_AFTER.match(text, end)
    return (Span(before.start(), after.end() if after else end, "address", "form"),)


def _state(text: str, start: int, end: int) -> Sequence[Span]:
    before = _CITY_BEFORE.search(text, max(0, start - 36), start)
    postcode = _ZIP.match(text, end)
    if before is not None and (postcode is not None or text[start:end] not in _DEGREES_TOO):
        return (Span(before.start(), postcode.end() if postcode else end, "address", "form"),)
    return NO_SPANS


def _hospital(text: str, start: int, end: int) -> Sequence[Span]:
    before = _HOSPITAL_BEFORE.search(text, max(0, start - 66), start) if text[start].isupper() else None
    if before is None:
        return NO_SPANS
    first = before.start()
    while first < start:
        word = text[first:start].split(" ", maxsplit=1)[0]
        if word not in _COMMON and word not in _no_names():
            return (Span(first, end, "organisation", "form"),)
        first += len(word) + 1
    return NO_SPANS


def _number_of(kind: str) -> Follow:
    def follow(text: str, start: int, end: int) -> Sequence[Span]:
        del start
        found = _NUMBER.match(text, end)
        if found is None or found.start(1) == end:
            return NO_SPANS
        return (Span(found.start(1), found.end(1), kind, "label"),)

    return follow


def _month(text: str, start: int, end: int) -> Sequence[Span]:
    if not text[start].isupper():
        return NO_SPANS
    before = _MONTH_BEFORE.search(text, max(0, start - 10), start)
    after = _MONTH_AFTER.match(text, end)
    first, last = before.start() if before else start, after.end() if after else end
    return (Span(first, last, "date", "form"),) if _DIGIT.search(text, first, last) else NO_SPANS
