"""Order of FHIR dates: whether one surely lies after another, whatever their precision and zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def surely_after(one: Any, other: Any) -> bool:
    """Whether a FHIR date or dateTime lies after another even where the coarser one ends latest.

    >>> surely_after("2024-03-02", "2024-03"), surely_after("2024-04", "2024-03-31")
    (False, True)
    >>> surely_after("2024-03-01T10:00:00+08:00", "2024-03-01T03:00:00Z")
    False
    """
    if type(one) is not str or type(other) is not str:
        return False
    if one[10:11] == "T" and other[10:11] == "T":
        if one[19:] == other[19:]:
            return one > other
        try:
            return datetime.fromisoformat(one) > datetime.fromisoformat(other)
        except (ValueError, TypeError):
            return False
    size = min(len(one), len(other), 10)
    return one[:size] > other[:size]
