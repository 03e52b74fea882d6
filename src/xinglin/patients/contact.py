"""Telephone numbers and addresses made comparable."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from xinglin.patients.placeholders import is_placeholder_number

_EXTENSION = re.compile(r"(?:转|ext\.?|x|#|分机)\s*\d{1,6}\s*$", re.I)
_MOBILE = re.compile(r"1[3-9]\d{9}")
_USELESS = frozenset({"13800138000", "13800000000", "13900000000", "13000000000", "18888888888", "12345678901"})
_LONGEST = 40
_LONGEST_ADDRESS = 300
"""Characters of a number, of an address, that are looked at."""
_OUTSIDE = re.compile(r"[\W_]+")


@lru_cache(maxsize=8_192)
def phone_of(text: str | None) -> str:
    """A number's digits without what is the same for a whole country; "" where it says nothing.

    >>> [phone_of(t) for t in ("+86 139-1234-5678", "８６１３９１２３４５６７８", "010-8888 1234转8")]
    ['13912345678', '13912345678', '01088881234']
    >>> [phone_of(t) for t in ("13800138000", "无", "0000000")]
    ['', '', '']
    """
    if not text:
        return ""
    plain = unicodedata.normalize("NFKC", text[:_LONGEST]).strip()
    plain = _EXTENSION.sub("", re.split(r"[;,/、；，]", plain)[0])
    abroad = plain.startswith(("+", "00"))
    digits = re.sub(r"\D", "", plain)
    if abroad and digits.startswith("00"):
        digits = digits[2:]
    if digits.startswith("86") and (abroad or len(digits) > 11):
        digits = digits[2:]
        abroad = False
        if not _MOBILE.fullmatch(digits) and not digits.startswith("0"):
            digits = "0" + digits
    if len(digits) == 12 and _MOBILE.fullmatch(digits[1:]) and digits[0] == "0":
        digits = digits[1:]
    if len(digits) < 7 or digits in _USELESS or is_placeholder_number(digits):
        return ""
    tail = digits[3:] if _MOBILE.fullmatch(digits) else digits[-7:]
    return "" if len(set(tail)) == 1 else digits


def address_of(text: str | None) -> str:
    """An address without spaces, punctuation, width and case.

    >>> address_of("北京市 朝阳区建国路１号") == address_of("北京市朝阳区，建国路1号")
    True
    """
    if not text:
        return ""
    return _OUTSIDE.sub("", unicodedata.normalize("NFKC", text[:_LONGEST_ADDRESS]).casefold())
