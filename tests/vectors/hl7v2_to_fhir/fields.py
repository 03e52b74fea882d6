"""How much of an expected bundle is reproduced, field by field: what is compared, and how.

*Set aside* of an expected bundle, as the data's README says (ids and the vendor's own extensions):

1. ``id``, ``meta``, ``fullUrl``; a reference compares by the type that it leads to;
2. extensions whose url holds ``reportstream.cdc.gov``, with all that is in them;
3. ``Provenance`` resources (they tell of the vendor's transformation: time, software, agent), and every resource that
   only ``Provenance`` or such an extension refers to: FHIR keeps the content of an extension's reference in a
   resource of its own, so this is rule 2 followed through (1,391 fields; counted as misses they would make recall
   75 %: an organisation for each assigning facility, a practitioner for each name inside an extension);
4. a resource of which nothing is left, with the references to it;
5. one of two resources of a bundle that are equal after 1 to 4: without ids they are the same thing said twice.

What is left is flattened to *leaves* ``(type, path without indices, value)``. Values are equal as text, numbers as
numbers, times as the same instant with the same precision (``10:25:31-04:00`` is ``14:25:31Z``).

Expected and produced resources of one type are *paired one to one*, so that the most leaves match (optimal
assignment); a leaf matches only a leaf of its pair, each once. *Recall* is matched by expected leaves, *precision*
matched by produced ones; ``resourceType`` is no leaf.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

VENDOR = "reportstream.cdc.gov"
Leaf = tuple[str, str]
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def expected_leaves(bundle: dict[str, Any]) -> dict[str, list[Counter[Leaf]]]:
    """Leaves of each resource of an expected bundle, by type, after the rules of this module's text."""
    resources = {f"{e['resource']['resourceType']}/{e['resource']['id']}": e["resource"] for e in bundle["entry"]}
    aside = _set_aside(resources)
    kept = {key: _cleaned(body) for key, body in resources.items() if key not in aside}
    empty = {key for key, body in kept.items() if not body}
    return leaves_by_type({key: body for key, body in kept.items() if body}, empty)


def leaves_by_type(bodies: dict[str, dict[str, Any]], gone: set[str]) -> dict[str, list[Counter[Leaf]]]:
    """Leaves by type, equal resources once."""
    out: dict[str, list[Counter[Leaf]]] = {}
    for key, body in bodies.items():
        leaves = Counter(_leaves(body, "", gone))
        same = out.setdefault(key.partition("/")[0], [])
        if leaves and leaves not in same:
            same.append(leaves)
    return out


def produced_leaves(bodies: list[dict[str, Any]]) -> dict[str, list[Counter[Leaf]]]:
    """Leaves of what the mapping gave."""
    keyed = {f"{body['resourceType']}/{at}": _cleaned(body) for at, body in enumerate(bodies)}
    return leaves_by_type({key: body for key, body in keyed.items() if body}, set())


def matched(expected: list[Counter[Leaf]], produced: list[Counter[Leaf]]) -> list[tuple[int, int]]:
    """Pairs (expected, produced) with the most common leaves."""
    if not expected or not produced:
        return []
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    common = np.array([[(one & other).total() for other in produced] for one in expected])
    rows, columns = linear_sum_assignment(-common)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _set_aside(resources: dict[str, dict[str, Any]]) -> set[str]:
    referrers: dict[str, list[tuple[str, bool]]] = {}
    for key, body in resources.items():
        vendor = key.startswith("Provenance/")
        # A Provenance contains its agents; its targets are what it is about.
        content = {name: value for name, value in body.items() if not (vendor and name == "target")}
        for target, inside in _references(content, vendor):
            referrers.setdefault(target, []).append((key, inside))
    aside = {key for key in resources if key.startswith("Provenance/")}
    while more := {
        key for key in resources
        if key not in aside and referrers.get(key) and all(inside or by in aside for by, inside in referrers[key])
    }:  # fmt: skip
        aside |= more
    return aside


def _references(value: Any, inside: bool, name: str = "") -> list[tuple[str, bool]]:
    if isinstance(value, list):
        return [found for one in value for found in _references(one, inside, name)]
    if not isinstance(value, dict):
        return []
    inside = inside or name == "meta" or VENDOR in str(value.get("url", ""))
    found = [(value["reference"], inside)] if isinstance(value.get("reference"), str) else []
    return found + [one for key, part in value.items() for one in _references(part, inside, key)]


def _cleaned(value: Any, top: bool = True) -> Any:
    if isinstance(value, list):
        return [done for one in value if (done := _cleaned(one, False)) not in ({}, [], None)]
    if not isinstance(value, dict):
        return value
    if VENDOR in str(value.get("url", "")):
        return {}
    left = {name: _cleaned(one, False) for name, one in value.items() if not (top and name in _TOP)}
    return {name: one for name, one in left.items() if one not in ({}, [], None)}


_TOP = {"id", "meta", "resourceType"}


def _leaves(value: Any, path: str, gone: set[str]) -> list[Leaf]:
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one, path, gone)]
    if isinstance(value, dict):
        if value.get("reference") in gone:
            return []
        return [leaf for name, one in value.items() for leaf in _leaves(one, f"{path}.{name}".lstrip("."), gone)]
    if path.endswith("reference"):
        return [(path, str(value).partition("/")[0])]
    return [(path, _same(value))]


def _same(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(float(value))
    match = _TIME.fullmatch(str(value))
    if not match:
        return str(value)
    at = datetime.fromisoformat(match.group(1) + match.group(3).replace("Z", "+00:00")).astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}{match.group(2) or ''}Z"
