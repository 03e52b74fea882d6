"""Identity numbers: Chinese ones with their check character, permits, passports and others normalised.

GB 11643-1999: six digits of the region, eight of the birth date, three of the sequence (odd: male), and a check
character by ISO 7064 MOD 11-2. The 15-digit form before 1999 has no century and no check character. Residence
permits for Hong Kong, Macau and Taiwan (81, 82, 83) have the same form; the permanent residence card of 2023 too,
with a 9 before the region and the nationality in it.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from functools import lru_cache
from typing import Literal

import msgspec

from xinglin.patients.placeholders import is_placeholder_number

Kind = Literal["cn", "resident", "permit", "taiwan", "passport", "ssn", "other", "damaged"]

_PROVINCES = frozenset(
    {11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54}
    | {61, 62, 63, 64, 65, 71, 81, 82, 83}
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_CENTENARIANS = frozenset({"996", "997", "998", "999"})
"""Sequences of the 15-digit form that were kept for persons born before 1900."""
_FIRST_YEAR, _LAST_YEAR = 1850, 2100

_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("resident", re.compile(r"[A-Z]{3}\d{12}")),
    ("permit", re.compile(r"([HM]\d{8})(?:\d{2})?")),
    ("ssn", re.compile(r"\d{9}")),
    ("taiwan", re.compile(r"(\d{8})(?:\d{2}[A-Z]?)?")),
    ("passport", re.compile(r"[A-Z]{1,2}\d{6,9}")),
)
_OUTSIDE = re.compile(r"[^0-9A-Z]")
LONGEST = 40
"""Characters of a number that is taken for one."""


class IdNumber(msgspec.Struct, frozen=True):
    """A normalised number. ``cn`` alone is checked, and tells ``birth`` (YYYY-MM-DD) and ``sex``.

    ``damaged``: a Chinese number that fails its check; it says nothing for certain.
    """

    kind: Kind
    number: str
    birth: str = ""
    sex: str = ""

    @property
    def checked(self) -> bool:
        """Whether the number vouches for itself."""
        return self.kind == "cn"

    def __repr__(self) -> str:
        """Without the number."""
        return f"IdNumber({self.kind!r})"


def check_character(seventeen: str) -> str:
    """The last character of a Chinese identity number, from the 17 digits before it.

    >>> check_character("11010519491231002")
    'X'
    """
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, seventeen, strict=True))
    return _CHECKS[total % 11]


@lru_cache(maxsize=8_192)
def parse_id(text: str | None) -> IdNumber | None:
    """The number in a text, normalised; None where there is none, or only a placeholder.

    >>> found = parse_id(" 11010519491231002x ")
    >>> (found.number, found.birth, found.sex)
    ('11010519491231002X', '1949-12-31', 'female')
    >>> parse_id("110105491231002").number == found.number
    True
    >>> parse_id("110105194912310021").kind, parse_id("000000000000000000") is None
    ('damaged', True)
    """
    if not text:
        return None
    plain = _OUTSIDE.sub("", unicodedata.normalize("NFKC", text).upper())
    if len(plain) > LONGEST or is_placeholder_number(plain):
        return None
    if re.fullmatch(r"\d{17}[\dX]", plain):
        sound = _chinese(plain) if check_character(plain[:17]) == plain[17] else None
        return sound or IdNumber("damaged", plain)
    if re.fullmatch(r"\d{15}", plain):
        return _old(plain)
    for kind, form in _FORMS:
        found = form.fullmatch(plain)
        if found is not None:
            return IdNumber(kind, found.group(1) if found.groups() else plain)
    return IdNumber("other", plain) if len(plain) >= 5 else None


def _old(plain: str) -> IdNumber | None:
    century = "18" if plain[12:] in _CENTENARIANS else "19"
    seventeen = plain[:6] + century + plain[6:]
    return _chinese(seventeen + check_character(seventeen))


def _chinese(number: str) -> IdNumber | None:
    foreign = number[0] == "9"
    if int(number[1:3] if foreign else number[:2]) not in _PROVINCES:
        return None
    try:
        birth = dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    if not _FIRST_YEAR <= birth.year <= _LAST_YEAR:
        return None
    sex = "" if foreign else ("female", "male")[int(number[16]) % 2]
    return IdNumber("cn", number, birth.isoformat(), sex)
