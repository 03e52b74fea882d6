"""The dictionary of the patient's own record: every way in which it may stand in a text."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import msgspec

from xinglin.privacy.deidentify.text.model import Known, Span
from xinglin.privacy.deidentify.text.normal import plain

_HAN = re.compile(r"[㐀-鿿]")
_TITLES = ("先生", "女士", "小姐", "老师", "大爷", "阿姨", "师傅", "某某", "某", "老")
_PIECES = re.compile(r"(?<=[省市区县旗镇乡村路街巷弄号栋室])|[\s,]+")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_TWO_CHARACTERS = frozenset(
    ["欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "司徒", "令狐", "夏侯"]
)
_DIGITS = re.compile(r"[^0-9A-Za-z]")
SHORTEST_NUMBER = 5
"""Characters of a number that is looked for; a shorter one is found by its label alone."""


class Own(msgspec.Struct, frozen=True):
    """``words``: (text, kind), the longest first. ``folded``: those that are looked for whatever their case.

    ``numbers``: (digits and letters, kind), wherever people put dashes and spaces.
    """

    words: tuple[tuple[str, str], ...]
    folded: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, str], ...]


@functools.lru_cache(maxsize=1024)
def own_of(known: Known) -> Own:
    """What to look for; remembered for the texts of one patient that follow each other."""
    words: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name in filter(str.strip, (*known.names, *known.staff)):
        target = words if _HAN.search(name) else folded
        target.update(dict.fromkeys(_of_name(plain(name).strip()), "name"))
    for address in known.addresses:
        words.update(dict.fromkeys(_of_address(plain(address).strip()), "address"))
    for date in known.dates:
        folded.update(dict.fromkeys(_of_date(date), "date"))
    numbers: dict[str, str] = {}
    for kind, values in (
        ("phone", known.phones),
        ("identity_number", known.ids),
        ("record_number", known.records),
    ):
        for value in values:
            bare = _DIGITS.sub("", plain(value)).upper()
            if len(bare) >= SHORTEST_NUMBER:
                numbers[bare] = kind
            if len(bare) >= 11:
                numbers[bare[-8:]] = kind
    return Own(_longest(words), _longest({word.casefold(): kind for word, kind in folded.items()}), _longest(numbers))


def own_spans(text: str, known: Known) -> Iterator[Span]:
    """Spans of what is known, in a plain text."""
    own = own_of(known)
    for word, kind in own.words:
        yield from _everywhere(text, word, kind, bounded=False)
    if own.folded:
        lowered = text.lower()
        for word, kind in own.folded:
            yield from _everywhere(lowered, word, kind, bounded=True)
    if own.numbers:
        yield from _numbers(text, own)


def _everywhere(text: str, word: str, kind: str, *, bounded: bool) -> Iterator[Span]:
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        inside = bounded and (
            (start > 0 and text[start - 1].isalnum() and word[0].isalnum() and text[start - 1].isascii())
            or (end < len(text) and text[end].isalnum() and word[-1].isalnum() and text[end].isascii())
        )
        if not inside:
            yield Span(start, end, kind, "known")
        start = text.find(word, start + 1)


def _numbers(text: str, own: Own) -> Iterator[Span]:
    """Numbers through whatever stands between their digits."""
    places = [place for place, letter in enumerate(text) if letter.isalnum() and letter.isascii()]
    bare = "".join([text[place] for place in places]).upper()
    for number, kind in own.numbers:
        start = bare.find(number)
        while start >= 0:
            first, last = places[start], places[start + len(number) - 1]
            if last - first < 2 * len(number) + 4:
                yield Span(first, last + 1, kind, "known")
            start = bare.find(number, start + 1)


def _of_name(name: str) -> Iterator[str]:
    if _HAN.search(name):
        yield from _of_chinese_name(name.replace(" ", ""))
        return
    words = [word for word in re.split(r"[\s,^]+", name) if word]
    if len(words) == 1:
        if len(words[0]) >= 3:
            yield words[0]
        return
    first, last = words[0], words[-1]
    yield from (name, f"{first} {last}", f"{last}, {first}", f"{last},{first}", f"{last} {first}", f"{first}{last}")
    yield from (f"{last}{first}", f"{first[0]}. {last}", f"{first[0]} {last}", f"{first[0]}.{last}")
    yield from (word for word in words if len(word) >= 3)


def _of_chinese_name(name: str) -> Iterator[str]:
    yield name
    if len(name) < 2 or "·" in name:
        yield from (part for part in name.split("·") if len(part) >= 2 and part != name)
        return
    cut = 2 if name[:2] in _TWO_CHARACTERS else 1
    surname, given = name[:cut], name[cut:]
    yield " ".join(name)
    yield f"{surname} {given}"
    yield f"{surname}  {given}"
    if len(given) >= 2:
        yield given
    yield from (surname + title for title in _TITLES)
    yield from (nick + surname for nick in ("老", "小") if cut == 1)


def _of_address(address: str) -> Iterator[str]:
    if len(address) >= 4:
        yield address
    pieces = [piece for piece in _PIECES.split(address) if piece]
    for number in range(1, len(pieces)):
        tail = "".join(pieces[number:])
        if len(tail) >= 4 and tail in address:
            yield tail
    yield from (piece for piece in pieces if len(piece) >= 3 and piece[-1] in "路街巷弄村镇乡")


def _of_date(date: str) -> Iterator[str]:
    parts = date[:10].split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return
    year, month, day = (int(part) for part in parts)
    if not 1 <= month <= 12:
        return
    for mark in "-/.":
        yield f"{year}{mark}{month:02d}{mark}{day:02d}"
        yield f"{year}{mark}{month}{mark}{day}"
        yield f"{month:02d}{mark}{day:02d}{mark}{year}"
        yield f"{day:02d}{mark}{month:02d}{mark}{year}"
    yield from (f"{year}年{month}月{day}日", f"{year}年{month:02d}月{day:02d}日", f"{year}{month:02d}{day:02d}")
    for name in (_MONTHS[month - 1], _MONTHS[month - 1][:3]):
        yield from (f"{name} {day}, {year}", f"{name} {day} {year}", f"{day} {name} {year}")


def _longest(words: dict[str, str]) -> tuple[tuple[str, str], ...]:
    words.pop("", None)
    return tuple(sorted(words.items(), key=lambda pair: (-len(pair[0]), pair[0])))
