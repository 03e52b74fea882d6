"""Measured numbers of FHIR resources as columns, one a code, so that a mark can be set in them and found again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from xinglin.analysis.admit_model import OutputColumn
from xinglin.node.extract_columns import PERSON_COLUMN, Columns
from xinglin.node.extract_mark import Given, Marking, set_mark_alone

MARKED_CODES = 64
"""The commonest codes whose numbers carry the mark."""
_LEAST = 20
Place = tuple[dict[str, Any], str, str]


def mark_resources(resources: Iterable[dict[str, Any]], key: bytes, given: Given) -> Marking:
    """Set the mark into the numbers of Observations, in place. Raises ``NoMark`` where there are none to carry it."""
    places = list(_places(resources))
    columns = _columns(places)
    described = {name: _described(name, values) for name, values in columns.items() if name != PERSON_COLUMN}
    marking = set_mark_alone(columns, key, given, described)
    for row, (quantity, code, _) in enumerate(places):
        if code in marking.columns:
            value = float(marking.columns[code][row])
            quantity["value"] = int(value) if value.is_integer() and isinstance(quantity["value"], int) else value
    return marking


def numbers_of(resources: Iterable[dict[str, Any]]) -> Columns:
    """The numbers of resources that came to light, as ``mark_resources`` looked at them."""
    return _columns(list(_places(resources)))


def _columns(places: list[Place]) -> Columns:
    """One row a number, found by the id of its resource and its place in it; NaN in the columns of other codes."""
    many = Counter(code for _, code, _ in places)
    chosen = [code for code, count in many.most_common(MARKED_CODES) if count >= _LEAST]
    names = np.array([*(name for _, _, name in places), None], dtype=object)[:-1]
    columns: Columns = {PERSON_COLUMN: names, **{code: np.full(len(places), np.nan) for code in chosen}}
    for row, (quantity, code, _) in enumerate(places):
        if code in columns:
            columns[code][row] = float(quantity["value"])
    return columns


def _places(resources: Iterable[dict[str, Any]]) -> Iterator[Place]:
    seen: dict[str, int] = defaultdict(int)
    for one in resources:
        if one.get("resourceType") != "Observation" or not isinstance(one.get("id"), str):
            continue
        for part in (one, *one.get("component", ())):
            quantity, code = part.get("valueQuantity"), _code(part.get("code"))
            value = quantity.get("value") if isinstance(quantity, dict) else None
            if code and isinstance(value, int | float) and not isinstance(value, bool):
                name = f"{one['id']}#{code}"
                seen[name] += 1
                yield quantity, code, f"{name}#{seen[name]}"


def _code(concept: Any) -> str:
    coding: dict[str, Any] = next(iter(concept.get("coding") or ()), {}) if isinstance(concept, dict) else {}
    return f"{coding.get('system', '')}|{coding['code']}" if coding.get("code") else ""


def _described(name: str, values: Any) -> OutputColumn:
    """Numbers that are never below nothing stay so."""
    valid = values[np.isfinite(values)]
    low = 0.0 if len(valid) and float(valid.min()) >= 0 else None
    return OutputColumn(name, "number", low, None, (), False, "L2", (name,))
