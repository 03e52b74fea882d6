"""The rules that hide an entry for itself: hospitals, threshold, zeros, dominance, p-ratio, whole groups.

Each gives the entries that break it; ``primary`` keeps for every entry the first rule in ``ORDER`` that it breaks.
Sources: Hundepool et al., Statistical Disclosure Control (2012), §4.2; ACRO, ``aggregationfunctions``.
"""

from __future__ import annotations

import numpy as np

from xinglin.privacy.packs.errors import BadRelease
from xinglin.privacy.packs.model import Dominance, Settings
from xinglin.privacy.packs.rounding import shown_from
from xinglin.privacy.packs.table import Flags, Numbers, ReleaseTable

ORDER = ("hospitals", "threshold", "zero", "dominance", "p_ratio", "class", "complementary")
"""Names of the rules, in the order in which they speak for an entry."""

SETTING_OF = {
    "hospitals": "min_hospitals",
    "threshold": "min_cell",
    "zero": "zeros",
    "dominance": "dominance",
    "p_ratio": "p_ratio",
    "class": "class_disclosure",
    "complementary": "min_cell",
}
"""The setting of a pack that makes a rule."""

_SLACK = 1e-12


def primary(settings: Settings, table: ReleaseTable) -> dict[str, Flags]:
    """The entries that each rule hides for themselves; an entry stands under one rule only.

    Raises ``BadRelease`` when a rule needs largest contributions that are not there.
    """
    found: dict[str, Flags] = {
        "hospitals": few_hospitals(settings, table),
        "threshold": below_threshold(settings, table),
        "zero": disclosive_zeros(settings, table),
    }
    if table.kind != "count":
        found["dominance"] = dominated(settings.dominance, table)
        found["p_ratio"] = below_p_ratio(settings, table)
    found["class"] = whole_groups(table) if settings.class_disclosure == "hide" else _none(table)
    taken = _none(table)
    for rule in ORDER:
        if rule in found:
            found[rule] = found[rule] & ~taken
            taken = taken | found[rule]
    return found


def few_hospitals(settings: Settings, table: ReleaseTable) -> Flags:
    """Everything, where fewer hospitals contribute than are asked for; a table that does not say is not judged."""
    few = table.hospitals is not None and table.hospitals < settings.min_hospitals
    return np.full(table.shape, few, dtype=np.bool_)


def below_threshold(settings: Settings, table: ReleaseTable) -> Flags:
    """Entries of fewer persons than are shown, nobody apart; only where the pack hides small counts."""
    if settings.small != "hide":
        return _none(table)
    small: Flags = (table.persons > 0) & (table.persons < shown_from(settings))
    return small


def disclosive_zeros(settings: Settings, table: ReleaseTable) -> Flags:
    """Entries of nobody: all of them, or those whose line has a hidden total (it would be told that way)."""
    nobody: Flags = table.persons == 0
    if settings.zeros == "hide" or table.kind != "count":
        return nobody
    if settings.small != "hide":
        return _none(table)
    small = table.persons < shown_from(settings)
    beside = _none(table)
    for axis in range(len(table.axes)):
        total = np.take(small & (table.persons > 0), [-1], axis=axis)
        beside = beside | np.broadcast_to(total, table.shape)
    return nobody & beside


def dominated(rules: tuple[Dominance, ...], table: ReleaseTable) -> Flags:
    """Entries in which the n largest persons hold more than the share (or just that, where the rule says so)."""
    broken = _none(table)
    for rule in rules:
        top, whole = _contributions(table, rule.n)
        held, limit = top[..., : rule.n].sum(axis=-1), float(rule.share) * whole
        slack = _SLACK * np.maximum(whole, 1.0)
        broken = broken | ((whole > 0) & (held >= limit - slack if rule.inclusive else held > limit + slack))
    return broken


def below_p_ratio(settings: Settings, table: ReleaseTable) -> Flags:
    """Entries in which the second largest person could work out the largest too closely.

    (total - largest - second) / largest is below the ratio; one person, or nothing but zeros, breaks it where
    zeros are disclosive.
    """
    if not settings.p_ratio:
        return _none(table)
    top, whole = _contributions(table, 2)
    largest, rest = top[..., 0], whole - top[..., 0] - top[..., 1]
    few = ((table.persons <= 1) | (whole <= 0)) & (settings.zeros == "hide")
    return few | ((largest > 0) & (table.persons > 1) & (rest < float(settings.p_ratio) * largest - _SLACK * whole))


def whole_groups(table: ReleaseTable) -> Flags:
    """Entries that hold all of their line, where the line has two places or more: their group is told wholly."""
    found = _none(table)
    for axis, levels in enumerate(table.shape):
        if levels < 3:
            continue
        total = np.take(table.persons, [-1], axis=axis)
        whole = (table.persons == total) & (total > 0)
        cut = [slice(None)] * len(table.shape)
        cut[axis] = slice(0, -1)
        found[tuple(cut)] |= whole[tuple(cut)]
    return found


def _contributions(table: ReleaseTable, n: int) -> tuple[Numbers, Numbers]:
    if table.largest is None or table.largest.shape[-1] < min(n, max(1, int(table.persons.max()))):
        raise BadRelease(
            f"The {n} largest contributions of each entry are not told.",
            remedy="Hand them over with the table: a rule of the pack is about them.",
        )
    if table.magnitude is None and table.kind == "mean":
        raise BadRelease("The sum of contributions behind each mean is not told.")
    whole = table.magnitude if table.magnitude is not None else np.abs(table.figures)
    top = table.largest
    if top.shape[-1] < n:
        top = np.concatenate([top, np.zeros((*table.shape, n - top.shape[-1]))], axis=-1)
    return top, whole


def _none(table: ReleaseTable) -> Flags:
    return np.zeros(table.shape, dtype=np.bool_)
