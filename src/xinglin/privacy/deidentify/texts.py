"""Codes, area codes and numbers made coarser, one value at a time."""

from __future__ import annotations

import math
import re

from xinglin.privacy.deidentify.model import Action

_US_ZIP = re.compile(r"\d{5}(?:-?\d{4})?")
NO_AREA = "000"
"""What stands for an area of few persons (45 CFR 164.514(b)(2)(i)(B))."""


def change_text(text: str, action: Action) -> str | None:
    """A code or area code cut short; ``None`` where it is none of the kind, so that nothing else slips through.

    >>> change_text("02138-1234", Action("change", zip=True)), change_text("E11.9", Action("change", prefix=3))
    ('021', 'E11')
    """
    if action.zip:
        if not _US_ZIP.fullmatch(text):
            return None
        text = NO_AREA if text[:3] in action.restricted else text[:3]
    if action.digits:
        if not (text.isascii() and text.isdigit()):
            return None
        text = text[: action.digits]
    return text[: action.prefix] if action.prefix else text


def change_number(value: float, action: Action, draw: float) -> float:
    """A number clipped, binned, noised; ``draw``: uniform in [-0.5, 0.5)."""
    whole = isinstance(value, int)
    if action.low is not None:
        value = max(value, action.low)
    if action.high is not None:
        value = min(value, action.high)
    if action.bin:
        value = math.floor(value / action.bin) * action.bin
    if action.span:
        value = round(value + draw * (abs(value) * action.span if action.proportional else action.span), action.places)
    return int(value) if whole and float(value).is_integer() else value
