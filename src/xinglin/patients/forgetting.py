"""What this process remembers of names, numbers and telephones so as not to parse them twice, and how it forgets it."""

from __future__ import annotations

from xinglin.patients.contact import phone_of
from xinglin.patients.identity import parse_id
from xinglin.patients.names import name_of

_REMEMBERING = (name_of, phone_of, parse_id)


def forget_texts() -> None:
    """Forget every text: of whom one was is not known, so that one erased person costs all of them."""
    for one in _REMEMBERING:
        one.cache_clear()


def remembered_texts() -> int:
    """How many texts are remembered."""
    return sum(one.cache_info().currsize for one in _REMEMBERING)
