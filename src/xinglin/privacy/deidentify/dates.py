"""Dates made coarser or moved: as texts (FHIR, HL7 v2) and as columns of days and milliseconds."""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np

from xinglin.privacy.deidentify.model import PRECISIONS, Action, Precision

DAY_MS = 86_400_000
# Strict to the end: what follows a date must not be another number in its clothes.
_CLOCK = r"T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:\d\d)?"
_FHIR = re.compile(rf"(\d{{4}})(?:-(\d\d)(?:-(\d\d)({_CLOCK})?)?)?", re.ASCII)
_V2 = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(\d\d(?:\d\d(?:\d\d(?:\.\d{1,4})?)?)?)?)?)?([+-]\d{4})?", re.ASCII)
_UNITS: dict[Precision, str] = {"day": "D", "month": "M", "year": "Y", "decade": "Y"}


def change_date(text: str, action: Action, shift: int | None, first_year: int) -> str | None:
    """A FHIR date, dateTime or instant; ``None`` where nothing of it can stay.

    ``shift``: days, ``None`` where the person is not known. ``first_year``: the year that earlier ones become
    (0: none). A date without a day cannot be moved by days: only its year stays, and only when years may be told.
    """
    found = _FHIR.fullmatch(text)
    return _joined(_changed(found, action, shift, first_year), "-", "T") if found else None


def change_v2_date(text: str, action: Action, shift: int | None, first_year: int) -> str | None:
    """The same for HL7 v2 (``20240301123000+0800``)."""
    found = _V2.fullmatch(text)
    if found is None:
        return None
    parts = _changed(found, action, shift, first_year)
    zone = found[5] if parts and len(parts) == 4 and found[5] else ""
    return "".join(parts) + zone if parts else None


def is_v2_date(text: str) -> bool:
    """Whether a text is a date or timestamp of HL7 v2 and nothing else."""
    return _V2.fullmatch(text) is not None


def _joined(parts: list[str] | None, between: str, mark: str) -> str | None:
    if not parts:
        return None
    return between.join(parts[:3]) + (parts[3] if len(parts) == 4 else "")


def _changed(found: re.Match[str], action: Action, shift: int | None, first_year: int) -> list[str] | None:
    parts = [part for part in found.groups()[:4] if part]
    if action.shift_days:
        if shift is None:
            return None
        moved = _moved(parts, shift)
        if moved is None:
            return None
        parts = moved
    if first_year and int(parts[0]) < first_year:
        parts = [f"{first_year:04d}"]
    return _cut(parts, action.date)


def _moved(parts: list[str], shift: int) -> list[str] | None:
    if len(parts) < 3:
        # A month or a year that does not move with the rest would tell how far the rest was moved.
        return None
    try:
        day = date(int(parts[0]), int(parts[1]), int(parts[2])) + timedelta(days=shift)
    except (ValueError, OverflowError):
        return None
    return [f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}", *parts[3:]]


def _cut(parts: list[str], finest: Precision) -> list[str]:
    if not finest:
        return parts
    if finest == "decade":
        return [parts[0][:3] + "0"]
    return parts[: {"day": 3, "month": 2, "year": 1}[finest]]


def coarser(one: Precision, other: Precision) -> Precision:
    """The coarser of two."""
    return max(one, other, key=PRECISIONS.index)


def floor_days(days: np.ndarray, to: Precision) -> np.ndarray:
    """Days since 1970 to the first day of their month, year or decade; int64."""
    if to in ("", "day"):
        return days
    whole = days.astype("datetime64[D]").astype(f"datetime64[{_UNITS[to]}]")
    if to == "decade":
        years = whole.astype(np.int64) + 1970
        whole = (years - years % 10 - 1970).astype("datetime64[Y]")
    return whole.astype("datetime64[D]").astype(np.int64)
