"""Identifiers of people: Chinese identity numbers in their parts, phones, cards, permits; what each one tells.

An identity number is three identifiers in one: a region, a birth date and a sex, beside being unique (GB 11643-1999).
"""

from __future__ import annotations

import datetime as dt
import re

import msgspec

from xinglin.records.tabular.patterns import identity_number

_PROVINCES = frozenset(
    map(str, (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71))
) | {"81", "82", "83", "91"}
_MOBILE = r"(?:0?086|86)?1[3-9]\d{9}"
_LANDLINE = r"(?:0086|86)?0(?:10|2\d|[3-9]\d{2})[2-9]\d{6,7}(?:\d{1,4})?"
_SERVICE = r"[48]00\d{7}"
_PHONE = re.compile(f"(?:{_MOBILE}|{_LANDLINE}|{_SERVICE})\\Z")
_AMERICAN = re.compile(r"1?[2-9]\d{2}[2-9]\d{6}\Z")
_EARLIEST, _LATEST = 1850, 2100


class IdentityParts(msgspec.Struct, frozen=True):
    """What an identity number tells: region (six digits), birth date (ISO) and sex (``male`` or ``female``)."""

    region: str
    birth: str
    sex: str

    def __repr__(self) -> str:
        return "IdentityParts()"


def is_identity_number(text: str) -> bool:
    """Whether a text of 18 characters is an identity number: a province in use, a date, the check character.

    Source: GB 11643-1999; check character by ISO 7064 MOD 11-2.

    >>> is_identity_number("11010519491231002X"), is_identity_number("110105194912310021")
    (True, False)
    """
    return len(text) == 18 and text[:2] in _PROVINCES and identity_number(text)


def identity_parts(text: str) -> IdentityParts | None:
    """The three identifiers in a number of 18 or 15 digits; ``None`` where it is none.

    >>> parts = identity_parts("11010519491231002X")
    >>> parts.region, parts.birth, parts.sex
    ('110105', '1949-12-31', 'female')
    """
    if is_identity_number(text):
        birth, order = text[6:14], text[14:17]
    elif is_old_identity_number(text):
        birth, order = "19" + text[6:12], text[12:15]
    else:
        return None
    sex = "male" if int(order[2]) % 2 else "female"
    return IdentityParts(text[:6], f"{birth[:4]}-{birth[4:6]}-{birth[6:]}", sex)


def is_old_identity_number(text: str) -> bool:
    """Whether fifteen digits have the form used before 1999: no century, no check character."""
    return len(text) == 15 and text.isdigit() and text[:2] in _PROVINCES and is_day("19" + text[6:12])


def looks_like_identity(text: str) -> bool:
    """Whether a number of 17 to 19 digits has a province and a birth date in place: one with a slip of the pen.

    >>> looks_like_identity("110105194912310021"), looks_like_identity("622202100112345678")
    (True, False)
    """
    return 17 <= len(text) <= 19 and text[:2] in _PROVINCES and (is_day(text[6:14]) or is_day(text[5:13]))


def is_phone(digits: str) -> bool:
    """Whether bare digits are a Chinese mobile, landline (with its area code) or service number."""
    return bool(_PHONE.match(digits))


def is_american_phone(digits: str) -> bool:
    """Whether bare digits are a number of the North American plan."""
    return bool(_AMERICAN.match(digits))


def is_card(digits: str) -> bool:
    """Whether 16 to 19 digits pass the check of payment cards (ISO/IEC 7812-1, Luhn).

    >>> is_card("6222021001123456783"), is_card("6222021001123456789")
    (False, True)
    """
    if not 16 <= len(digits) <= 19 or not digits.isdigit() or digits[0] not in "3456":
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_day(text: str) -> bool:
    """Whether eight digits are a date that a person may be born at (YYYYMMDD)."""
    if len(text) != 8 or not text.isdigit() or not _EARLIEST <= int(text[:4]) <= _LATEST:
        return False
    try:
        dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True
