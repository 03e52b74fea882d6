"""Values that stand in for those that go: dummies by value representation, dates that moved, numbers that stay."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

_DUMMIES: dict[str, Any] = {
    "AE": "REMOVED", "AS": "000Y", "AT": 0, "CS": "REMOVED", "DA": "19000101", "DS": "0", "DT": "19000101000000",
    "FD": 0.0, "FL": 0.0, "IS": "0", "LO": "REMOVED", "LT": "REMOVED", "OB": b"\0\0", "OD": b"\0" * 8, "OF": b"\0" * 4,
    "OL": b"\0" * 4, "OV": b"\0" * 8, "OW": b"\0\0", "PN": "REMOVED", "SH": "REMOVED", "SL": 0, "SS": 0,
    "ST": "REMOVED", "SV": 0, "TM": "000000", "UC": "REMOVED", "UL": 0, "UN": b"\0\0", "UR": "urn:removed",
    "US": 0, "UT": "REMOVED", "UV": 0,
}  # fmt: skip

NUMBERS = frozenset(("US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "AT"))
BULK = frozenset(("OB", "OW", "OF", "OD", "OL", "OV"))
DATES = frozenset(("DA", "DT", "TM"))
TEXTS = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "UR", "PN", "AE"))

_CLOCK = r"(?:\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)"
_TIME = re.compile(rf"{_CLOCK}|\d\d:\d\d(?::\d\d(?:\.\d{{1,6}})?)?")
_DATE = re.compile(rf"(\d{{4}})\.?(\d\d)\.?(\d\d)({_CLOCK}?(?:[+-]\d{{4}})?)")
_MONTH = re.compile(r"\d{4}(?:\d\d)?")
_CODE = re.compile(r"[A-Z0-9 _]{1,16}\Z")
_AGE = re.compile(r"(\d{3})([DWMY])\Z")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
OLDEST_YEARS = 89


def dummy(vr: str) -> Any:
    """A value of ``vr`` that says nothing (PS3.15 E.1: consistent with the representation)."""
    return _DUMMIES.get(vr.partition(" ")[0], b"\0\0")


def moved(vr: str, text: str, days: int) -> str | None:
    """A date (DA) or date with time (DT), ``days`` later; a time (TM) as it is; ``None`` where it cannot be read.

    The whole value has the form of PS3.5 6.2, or nothing of it stays; a date without a day cannot be moved by days.
    """
    if vr == "TM":
        return text if _TIME.fullmatch(text.strip()) else None
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return None
    try:
        day = date(int(found[1]), int(found[2]), int(found[3])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    if vr == "DA":
        return f"{day:%Y%m%d}" if not found[4] else None
    return f"{day:%Y%m%d}{found[4]}"


def is_moment(vr: str, text: str) -> bool:
    """Whether a date, time or both (DA, TM, DT) has the form of PS3.5 6.2; an empty one has."""
    bare = text.strip()
    if not bare:
        return True
    if vr == "TM":
        return bool(_TIME.fullmatch(bare))
    found = _DATE.fullmatch(bare)
    return (found is not None and (vr == "DT" or not found[4])) or (vr == "DT" and bool(_MONTH.fullmatch(bare)))


def is_code(text: str) -> bool:
    """Whether a code string is a plain code: no run of six digits or more, at most 16 characters."""
    return not text or (bool(_CODE.match(text)) and not re.search(r"\d{6}", text))


def is_number(text: str) -> bool:
    """Whether a number string (DS, IS) is a number."""
    return bool(_NUMBER.match(text.strip()))


def capped_age(text: str) -> str | None:
    """An age string, everything above 89 years as 90 (45 CFR 164.514(b)(2)(i)(C)); ``None`` where it is no age."""
    found = _AGE.match(text.strip())
    if found is None:
        return None
    return "090Y" if found[2] == "Y" and int(found[1]) > OLDEST_YEARS else text.strip()
