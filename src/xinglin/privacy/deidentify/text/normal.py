"""One form of a text, character by character, so that places stay: full width to half, odd dashes and spaces."""

from __future__ import annotations

import re

_TABLE: dict[int, str] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_TABLE |= dict.fromkeys((0x3000, 0x00A0, 0x2002, 0x2003, 0x2009, 0x202F, 0x205F), " ")
_TABLE |= dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0xFE58, 0x30FC), "-")
_TABLE |= dict.fromkeys((0x2022, 0x2027, 0x30FB, 0xFF65, 0x22C5, 0x2219), "·")
_TABLE |= {ord("、"): ",", ord("‘"): "'", ord("’"): "'"}
_TABLE |= {start + digit: str(digit) for start in (0x0660, 0x06F0, 0x0966) for digit in range(10)}
_TABLE |= {start + digit: str(digit) for start in range(0x1D7CE, 0x1D800, 10) for digit in range(10)}
_TABLE |= {0x2460 + digit: str(digit + 1) for digit in range(9)}
_COMMON = tuple((chr(code), _TABLE[code]) for code in map(ord, "，：；（）、"))
"""What nearly every Chinese text has, and is faster to replace at once."""
_ODD = re.compile(f"[{''.join(map(re.escape, map(chr, filter((0x10000).__gt__, sorted(_TABLE)))))}]")
_BEYOND = re.compile("[\U0001d7ce-\U0001d7ff]")
"""Looked for by themselves: a class with characters beyond the first plane is ten times as slow."""


def plain(text: str) -> str:
    """``text`` in one form; as many characters as before.

    >>> plain("电话：１３９－１２３４　５６７８")
    '电话:139-1234 5678'
    """
    if text.isascii():
        return text
    if _BEYOND.search(text):
        return text.translate(_TABLE)
    if not _ODD.search(text):
        return text
    for wide, narrow in _COMMON:
        text = text.replace(wide, narrow)
    return _ODD.sub(lambda found: _TABLE[ord(found.group())], text)


def lowered(text: str) -> str:
    """``text`` in lower case; as many characters as before.

    >>> len(lowered("İstanbul"))
    8
    """
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join([letter.lower() if letter.isascii() else letter for letter in text])
