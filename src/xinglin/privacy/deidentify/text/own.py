"""The dictionary of the patient's own record: every way in which it may stand in a text.

What all writings of a value share (a surname, a year, the end of an address) is looked for first; only where that
stands is the rest compared, so that a record which is met once costs little.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from xinglin.privacy.deidentify.text.model import Known, Span
from xinglin.privacy.deidentify.text.normal import lowered, plain

_HAN = re.compile(r"[㐀-鿿]")
_TITLED = re.compile("先生|女士|小姐|老师|大爷|阿姨|师傅|某某|某|老")
_FAMILIAR = ("老", "小")
_PIECES = re.compile(r"(?<=[省市区县旗镇乡村路街巷弄号栋室])|[\s,]+")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_TWO_CHARACTERS = frozenset(
    ["欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐", "夏侯"]
)
_NOT_OF_NUMBERS = re.compile("[^0-9A-Za-z]+")
_OF_NUMBERS = re.compile("[0-9A-Za-z]+")
SHORTEST_NUMBER = 5
"""Characters of a number that is looked for; a shorter one is found by its label alone."""
_LONG_NUMBER, _TAIL = 11, 8
"""A number so long is looked for by its last characters too."""
_ROADS = frozenset("路街巷弄村镇乡")
_SHORTEST_WORD, _SHORTEST_PLACE, _SHORTEST_ROAD = 3, 4, 3
_MOST_SPACES = 2
"""Spaces between two characters of a Chinese name."""


class Western(msgspec.Struct, frozen=True, gc=False):
    """A name in Latin letters, in lower case: ``ahead`` of the last word and ``behind`` it stands the first one."""

    words: tuple[str, ...]
    last: str
    ahead: tuple[str, ...]
    behind: tuple[str, ...]


class Own(msgspec.Struct, frozen=True, gc=False):
    """``chinese``: (surname, given name). ``plain``: (a word as it is, kind).

    ``addresses``: (what all writings of one have, the writings). ``dates``: (year, month, day).
    ``numbers``: (digits and letters, kind), wherever people put dashes and spaces.
    """

    chinese: tuple[tuple[str, str], ...]
    western: tuple[Western, ...]
    plain: tuple[tuple[str, str], ...]
    addresses: tuple[tuple[str, tuple[str, ...]], ...]
    dates: tuple[tuple[int, int, int], ...]
    numbers: tuple[tuple[str, str], ...]


@functools.lru_cache(maxsize=1024)
def own_of(known: Known) -> Own:
    """What to look for; remembered for the texts of one patient that follow each other."""
    chinese: list[tuple[str, str]] = []
    western: list[Western] = []
    words: list[tuple[str, str]] = []
    for name in (*known.names, *known.staff):
        form = plain(name).strip()
        if form.isascii() or not _HAN.search(form):
            western.extend(_western(form.casefold()))
        elif "·" in form or len(form) == 1:
            bare = form.replace(" ", "")
            words += [(bare, "name"), *((part, "name") for part in bare.split("·") if len(part) > 1)]
        else:
            bare = form.replace(" ", "")
            cut = 2 if bare[:2] in _TWO_CHARACTERS else 1
            chinese.append((bare[:cut], bare[cut:]))
    addresses = [writing for address in known.addresses for writing in _of_address(plain(address).strip())]
    numbers: dict[str, str] = {}
    for kind, values in (
        ("phone", known.phones),
        ("identity_number", known.ids),
        ("record_number", known.records),
    ):
        for value in values:
            bare = _NOT_OF_NUMBERS.sub("", plain(value)).upper()
            if len(bare) >= SHORTEST_NUMBER:
                numbers[bare] = kind
            if len(bare) >= _LONG_NUMBER:
                numbers[bare[-_TAIL:]] = kind
    dates = tuple(parts for date in known.dates if (parts := _parts(date)) is not None)
    return Own(tuple(chinese), tuple(western), tuple(words), tuple(addresses), dates, tuple(numbers.items()))


def _western(name: str) -> Iterator[Western]:
    words = name.replace(",", " ").replace("^", " ").split()
    if not words:
        return
    first, last, long = words[0], words[-1], tuple(word for word in words if len(word) >= _SHORTEST_WORD)
    if len(words) == 1:
        yield Western(long, "", (), ())
        return
    ahead = (f"{first} ", first, f"{first[0]}. ", f"{first[0]} ", f"{first[0]}.")
    behind = (f", {first}", f",{first}", f" {first}", first)
    yield Western(long if len(words) == 2 else (name, *long), last, ahead, behind)


def _of_address(address: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """An address, and from each of its parts on; its roads and villages."""
    pieces = [piece for piece in _PIECES.split(address) if piece]
    tails = ["".join(pieces[number:]) for number in range(1, len(pieces))]
    writings = tuple(one for one in (address, *tails) if len(one) >= _SHORTEST_PLACE and one in address)
    if writings:
        yield pieces[-1], writings
    yield from ((piece, (piece,)) for piece in pieces if len(piece) >= _SHORTEST_ROAD and piece[-1] in _ROADS)


def _parts(date: str) -> tuple[int, int, int] | None:
    parts = date[:10].split("-")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return None
    year, month, day = (int(part) for part in parts)
    return (year, month, day) if 1 <= month <= 12 else None


# --- where it stands --------------------------------------------------------------------------


def own_spans(text: str, known: Known) -> list[Span]:
    """Spans of what is known, in a plain text."""
    own = own_of(known)
    found: list[Span] = []
    for surname, given in own.chinese:
        _chinese_name(text, surname, given, found)
    for word, kind in own.plain:
        found += [Span(place, place + len(word), kind, "known") for place in _places(text, word)]
    for anchor, writings in own.addresses:
        if anchor in text:
            for word in writings:
                found += [Span(place, place + len(word), "address", "known") for place in _places(text, word)]
    if own.western or own.dates:
        lower = lowered(text)
        for name in own.western:
            _western_name(lower, name, found)
        for year, month, day in own.dates:
            if str(year) in lower:
                for word in _of_date(year, month, day):
                    _bounded(lower, [(place, place + len(word)) for place in _places(lower, word)], "date", found)
    if own.numbers:
        _numbers(text, own, found)
    return found


def _places(text: str, word: str) -> Sequence[int]:
    """Where a word stands, its occurrences that overlap too."""
    place = text.find(word)
    if place < 0:
        return ()
    places = []
    while place >= 0:
        places.append(place)
        place = text.find(word, place + 1)
    return places


def _chinese_name(text: str, surname: str, given: str, found: list[Span]) -> None:
    """``张三丰``, ``张 三 丰``, ``张先生``, ``老张``, and ``三丰`` alone."""
    for place in _places(text, surname):
        behind = place + len(surname)
        end = _end_of(text, behind, given)
        if end < 0:
            title = _TITLED.match(text, behind)
            end = title.end() if title is not None else end
        familiar = len(surname) == 1 and place > 0 and text[place - 1] in _FAMILIAR
        if end >= 0 or familiar:
            found.append(Span(place - familiar, max(end, behind), "name", "known"))
    if len(given) > 1:
        found += [Span(place, place + len(given), "name", "known") for place in _places(text, given)]


def _end_of(text: str, place: int, given: str) -> int:
    """Where a given name that begins here ends, a few spaces between its characters; below 0 where none does."""
    if text.startswith(given, place):
        return place + len(given)
    for letter in given:
        last = place + _MOST_SPACES
        while place < last and text[place : place + 1] == " ":
            place += 1
        if text[place : place + 1] != letter:
            return -1
        place += 1
    return place


def _western_name(lower: str, name: Western, found: list[Span]) -> None:
    """Its words, and the last one together with the first or its initial."""
    for word in name.words:
        _bounded(lower, [(place, place + len(word)) for place in _places(lower, word)], "name", found)
    if not name.last:
        return
    for place in _places(lower, name.last):
        end = place + len(name.last)
        if lower.endswith(name.ahead, 0, place):
            starts = [place - len(ahead) for ahead in name.ahead if lower.endswith(ahead, 0, place)]
            _bounded(lower, [(start, end) for start in starts], "name", found)
        if lower.startswith(name.behind, end):
            ends = [end + len(behind) for behind in name.behind if lower.startswith(behind, end)]
            _bounded(lower, [(place, last) for last in ends], "name", found)


def _bounded(text: str, places: list[tuple[int, int]], kind: str, found: list[Span]) -> None:
    """Those of the places that are no part of a longer word."""
    for start, end in places:
        before, behind = text[start - 1 : start] if start else "", text[end : end + 1]
        if (before.isalnum() and before.isascii() and text[start].isalnum()) or (
            behind.isalnum() and behind.isascii() and text[end - 1].isalnum()
        ):
            continue
        found.append(Span(start, end, kind, "known"))


def _numbers(text: str, own: Own, found: list[Span]) -> None:
    """Numbers through whatever stands between their digits."""
    bare = "".join(_OF_NUMBERS.findall(text)).upper()
    apart = []
    for number, kind in own.numbers:
        times = bare.count(number)
        if times and times == text.count(number):
            found += [Span(place, place + len(number), kind, "known") for place in _places(text, number)]
        elif times:
            apart.append((number, kind))
    if apart:
        _numbers_apart(text, bare, apart, found)


def _numbers_apart(text: str, bare: str, numbers: Sequence[tuple[str, str]], found: list[Span]) -> None:
    """Numbers that stand in the letters and digits of a text, with marks between them."""
    begins, shifts, length = [], [], 0
    for chunk in _OF_NUMBERS.finditer(text):
        begins.append(length)
        shifts.append(chunk.start() - length)
        length += chunk.end() - chunk.start()
    for number, kind in numbers:
        for start in _places(bare, number):
            last = start + len(number) - 1
            first_place = start + shifts[bisect_right(begins, start) - 1]
            last_place = last + shifts[bisect_right(begins, last) - 1]
            if last_place - first_place < 2 * len(number) + 4:
                found.append(Span(first_place, last_place + 1, kind, "known"))


def _of_date(year: int, month: int, day: int) -> Iterator[str]:
    for mark in "-/.":
        yield f"{year}{mark}{month:02d}{mark}{day:02d}"
        yield f"{year}{mark}{month}{mark}{day}"
        yield f"{month:02d}{mark}{day:02d}{mark}{year}"
        yield f"{day:02d}{mark}{month:02d}{mark}{year}"
    yield from (f"{year}年{month}月{day}日", f"{year}年{month:02d}月{day:02d}日", f"{year}{month:02d}{day:02d}")
    for name in (_MONTHS[month - 1], _MONTHS[month - 1][:3]):
        yield from (f"{name} {day}, {year}", f"{name} {day} {year}", f"{day} {name} {year}")
