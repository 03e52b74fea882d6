"""What a suggestion is: a mapping, each column's meaning with its confidence and reasons, the TOML to edit."""

from __future__ import annotations

import msgspec

from xinglin.records.tabular.guess import Alternative
from xinglin.records.tabular.model import Mapping


class ColumnGuess(msgspec.Struct, frozen=True):
    """One column: what it is taken for, how sure (0 … 1), why, and what else it may be.

    ``into``: the canonical fields that it fills (``condition.code``). ``role``, ``kind``, ``grade``: as published;
    ``grade_reason``: why it is graded so, for a person to confirm.
    """

    name: str
    meaning: str
    confidence: float
    reasons: tuple[str, ...]
    alternatives: tuple[Alternative, ...] = ()
    into: tuple[str, ...] = ()
    kind: str = "text"
    role: str = "data"
    grade: str = ""
    grade_reason: str = ""


class Suggestion(msgspec.Struct, frozen=True):
    """A proposed mapping. ``toml``: its text with comments; ``notes``: what a person should look at."""

    mapping: Mapping
    columns: tuple[ColumnGuess, ...]
    toml: str
    sheet: str = ""
    rows: int = 0
    notes: tuple[str, ...] = ()
