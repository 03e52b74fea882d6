"""One text to one value: numbers, yes and no, laboratory results, reference ranges."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

import msgspec

BAD_NUMBER, BAD_INTEGER, BAD_BOOLEAN = "bad_number", "bad_integer", "bad_boolean"

YES = frozenset({"yes", "y", "true", "t", "1", "是", "有", "真", "已", "√"})
NO = frozenset({"no", "n", "false", "f", "0", "否", "无", "假", "未", "×"})

_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?\Z")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\Z")
_RESULT = re.compile(
    r"(?P<sign>[<>]=?|≤|≥|＜|＞|小于|大于)?\s*(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)"
    r"\s*(?P<arrow>[↑↓]+|[HL]{1,2})?\s*(?P<unit>[A-Za-zμµ%/^*·\[\]\d.\u4e00-\u9fff]{0,24})?\s*(?P<arrow2>[↑↓]+)?\Z"
)
_TITRE = re.compile(r"(?P<sign>[<>]=?|≤|≥)?\s*(?P<one>\d+)\s*[:：]\s*(?P<many>\d+(?:\.\d+)?)\Z")
_SPAN = re.compile(r"(?P<low>[+-]?\d+(?:\.\d+)?)\s*(?:-{1,2}|~|～|—+|–|至|to)\s*(?P<high>[+-]?\d+(?:\.\d+)?)")
_BOUND = re.compile(r"(?P<sign>[<>]=?|≤|≥|＜|＞)\s*(?P<value>[+-]?\d+(?:\.\d+)?)")
_SIGNS = {"≤": "<=", "≥": ">=", "＜": "<", "＞": ">", "小于": "<", "大于": ">"}
_UNIT_WORDS = re.compile(r"[\u4e00-\u9fff]")


def to_number(value: str) -> tuple[float | None, str]:
    """A finite number, and a flag's word.

    >>> to_number("1,234.5"), to_number("１２"), to_number("a few")
    ((1234.5, ''), (12.0, ''), (None, 'bad_number'))
    """
    text = value if value.isascii() else unicodedata.normalize("NFKC", value).strip(" ¥$元")
    if _GROUPED.match(text):
        text = text.replace(",", "")
    if not _NUMBER.match(text):
        return None, BAD_NUMBER
    number = float(text)
    return (number, "") if math.isfinite(number) else (None, BAD_NUMBER)


def to_integer(value: str) -> tuple[int | None, str]:
    """A whole number of at most 63 bits, and a flag's word.

    >>> to_integer("12.0"), to_integer("1.5")
    ((12, ''), (None, 'bad_integer'))
    """
    if value.isascii() and value.isdigit() and len(value) < 19:
        return int(value), ""
    number, flag = to_number(value)
    if flag or number is None or number != int(number) or abs(number) >= 2**53:
        return None, BAD_INTEGER
    return int(number), ""


def to_boolean(value: str, yes: Sequence[str] = (), no: Sequence[str] = ()) -> tuple[bool | None, str]:
    """Yes or no, by the words given or those in use.

    >>> to_boolean("是"), to_boolean("N"), to_boolean("perhaps")
    ((True, ''), (False, ''), (None, 'bad_boolean'))
    """
    word = value.casefold()
    positive = {one.casefold() for one in yes} if yes else YES
    negative = {one.casefold() for one in no} if no else NO
    if word in positive:
        return True, ""
    return (False, "") if word in negative else (None, BAD_BOOLEAN)


class Result(msgspec.Struct, frozen=True):
    """A laboratory result taken apart; what is told is filled."""

    number: float | None = None
    comparator: str | None = None
    unit: str | None = None
    titre: str | None = None
    titre_denominator: float | None = None
    text: str | None = None
    interpretation: str | None = None


def to_result(value: str) -> Result:
    """What a laboratory wrote: a number, a bound, a titre, or words.

    >>> to_result("<0.5").comparator, to_result("12.3↑").interpretation, to_result("1:64").titre
    ('<', 'H', '1:64')
    >>> to_result("阳性(+)").text, to_result("5.6 mmol/L").unit
    ('阳性(+)', 'mmol/L')
    """
    text = value if value.isascii() else unicodedata.normalize("NFKC", value).strip()
    if found := _TITRE.match(text):
        return Result(
            titre=f"{found['sign'] or ''}{found['one']}:{found['many']}", titre_denominator=float(found["many"])
        )
    found = _RESULT.match(text)
    if found is None or not found["number"].strip("+-"):
        return Result(text=value)
    number, flag = to_number(found["number"].replace(",", ""))
    if flag:
        return Result(text=value)
    unit = found["unit"] or None
    if unit and (_UNIT_WORDS.search(unit) or unit[0] in "0123456789.*^"):
        return Result(text=value)
    sign = found["sign"]
    arrow = found["arrow"] or found["arrow2"]
    return Result(
        number=number,
        comparator=_SIGNS.get(sign, sign) if sign else None,
        unit=unit,
        interpretation=_direction(arrow),
    )


def _direction(arrow: str | None) -> str | None:
    if not arrow:
        return None
    return arrow.replace("↑", "H").replace("↓", "L")[:2]


def to_range(value: str) -> tuple[float | None, float | None, str]:
    """Low, high and the words of a reference range.

    >>> to_range("3.9～6.1"), to_range("<5"), to_range("阴性")
    ((3.9, 6.1, '3.9～6.1'), (None, 5.0, '<5'), (None, None, '阴性'))
    """
    text = value if value.isascii() else unicodedata.normalize("NFKC", value)
    if len(spans := _SPAN.findall(text)) == 1:
        low, high = float(spans[0][0]), float(spans[0][1])
        return (low, high, value) if low <= high else (None, None, value)
    if len(bounds := _BOUND.findall(text)) == 1:
        bound = float(bounds[0][1])
        return (None, bound, value) if _SIGNS.get(bounds[0][0], bounds[0][0])[0] == "<" else (bound, None, value)
    return None, None, value
