"""A pack applied to a table on its way out.

1. Entries that a rule hides for themselves (``rules``). 2. Others that protect these from the additions (``cover``),
unless totals are made anew from what is told. 3. Rounding and noise of what is told. 4. For each hidden entry, which
rule of which pack hid it: in full for the hospital (``inside``), and in words that narrow nothing for whoever gets the
table (``hidden``).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from xinglin.kernel.verdict import Reason
from xinglin.privacy.packs.cover import LINES, NOTHING, Covered, cover, widths
from xinglin.privacy.packs.errors import BadRelease
from xinglin.privacy.packs.model import Pack, Rounding, Settings
from xinglin.privacy.packs.noise import noise_of
from xinglin.privacy.packs.rounding import rounded, shown_from, told_counts
from xinglin.privacy.packs.rules import ORDER, primary, whole_groups
from xinglin.privacy.packs.table import Flags, Numbers, Place, ReleaseTable, Whole, inner
from xinglin.privacy.packs.words import Why, told_why, why

_ROUNDS = 8


class Protected(msgspec.Struct, frozen=True, eq=False):
    """What may be told of a table.

    ``cells``: the figures with margins, NaN where hidden or not told. ``hidden``: every hidden entry with the words
    that go with the table. ``inside``: the same with the rule that hid it: for the hospital and for reviewers, since it
    says more about the entry. ``method``: how complementary entries were found; ``proved``: whether every
    interval was computed. ``asks``: what people have to look at.
    """

    cells: Numbers
    hidden: dict[Place, Why]
    inside: dict[Place, Why]
    method: str
    proved: bool
    asks: tuple[Reason, ...] = ()

    def is_hidden(self, place: Place) -> bool:
        """Whether the entry is hidden."""
        return place in self.hidden


def apply(
    pack: Pack, table: ReleaseTable, *, key: bytes = b"", round_instead: bool = False, networks: bool = False
) -> Protected:
    """The table as ``pack`` lets it out.

    ``key``: at least 16 secret bytes of the node, for packs with noise. ``round_instead``: counts are rounded to the
    pack's ``round_instead`` in place of hiding small ones, where the pack offers that. ``networks``: every
    machine finds the same complementary entries (``cover``). Guarantee: with exact totals, no
    hidden entry can be confined by the told ones, the additions and non-negativity to an interval narrower than
    ``min_cell`` persons (for sums: than what dominance rules protect), where ``proved``. Rounded and noised figures
    are taken as exact there. Raises ``BadRelease`` when the pack needs what the table does not bring.

    >>> from xinglin.privacy.packs.loading import shipped
    >>> from xinglin.privacy.packs.table import count_table
    >>> table = count_table("t", {"age": ["21-30", "31-40", "41-50"]}, [3, 8, 16])
    >>> apply(shipped("opensafely"), table).cells.tolist()
    [nan, 10.0, 15.0, 25.0]
    """
    s = pack.settings
    if round_instead and not (s.round_instead and table.kind == "count"):
        raise BadRelease("This pack does not offer rounding in place of hiding.")
    found = primary(s, table)
    if round_instead:
        found = {rule: flags for rule, flags in found.items() if rule not in {"threshold", "zero", "class"}}
    own = _union(found.values(), table)
    told = table.told()
    exact = s.totals == "exact" and table.margins
    covered = _covered(s, table, own & told, networks) if exact else Covered(own, NOTHING, True)
    hidden = covered.hidden & told
    cells = _figures(s, table, hidden, key, round_instead)
    if s.totals == "recomputed" and table.margins:
        cells, hidden = _recomputed(s, table, cells, hidden)
    cells = np.where(hidden | ~told, np.nan, cells)
    rules = [rule for rule in ORDER if rule in found and bool((found[rule] & hidden).any())]
    public = told_why(pack, rules or ["threshold"])
    return Protected(
        cells=cells,
        hidden=dict.fromkeys(_places(hidden), public),
        inside=_inside(pack, found, hidden),
        method=covered.method,
        proved=covered.proved,
        asks=_asks(pack, table, covered, hidden),
    )


def _covered(s: Settings, table: ReleaseTable, own: Flags, networks: bool) -> Covered:
    """Complementary entries on the counts of persons and on the figures, until both have room."""
    grids: list[tuple[Numbers, Numbers, bool]] = []
    least = shown_from(s)
    if _adds_up(table.persons):
        grids.append((table.persons.astype(np.float64), widths(table.persons, least), True))
    if table.kind == "count":
        if not grids or not np.array_equal(table.figures, table.persons):
            grids.append((table.figures, np.where(own, np.maximum(table.figures, least), least), True))
    else:
        sums = table.figures if table.kind == "sum" else table.figures * table.persons
        grids.append((sums, _protection(s, table), False))
    covered = Covered(own, NOTHING, True)
    for _ in range(_ROUNDS):
        before = int(covered.hidden.sum())
        for figures, needs, whole in grids:
            step = cover(figures, needs, covered.hidden, whole=whole, networks=networks)
            proved = step.proved and (covered.proved or step.method != LINES)
            covered = Covered(step.hidden, step.method, proved)
        if len(grids) == 1 or int(covered.hidden.sum()) == before:
            return covered
    return Covered(np.ones(table.shape, dtype=np.bool_), covered.method, True)


def _protection(s: Settings, table: ReleaseTable) -> Numbers:
    """How far a hidden sum has to be open: what the broken rule falls short of, at least a tenth of the largest.

    Source: Hundepool et al. (2012), table 4.6: (n, k): top_n / k - total; p-ratio: p * largest - rest.
    """
    whole = table.magnitude if table.magnitude is not None else np.abs(table.figures)
    if table.largest is None:
        tenth: Numbers = np.maximum(whole * 0.1, 1e-9)
        return tenth
    top = table.largest
    need = 0.1 * top[..., 0]
    for rule in s.dominance:
        need = np.maximum(need, top[..., : rule.n].sum(axis=-1) / float(rule.share) - whole)
    rest = whole - top[..., :2].sum(axis=-1)
    need = np.maximum(need, float(s.p_ratio) * top[..., 0] - rest)
    room: Numbers = np.maximum(need, 1e-9 * max(1.0, float(whole.max())))
    return room


def _adds_up(full: Whole) -> bool:
    for axis in range(full.ndim):
        parts = np.moveaxis(full, axis, 0)
        if not np.array_equal(parts[:-1].sum(axis=0), parts[-1]):
            return False
    return True


def _figures(s: Settings, table: ReleaseTable, hidden: Flags, key: bytes, round_instead: bool) -> Numbers:
    if table.kind != "count":
        return table.figures
    counts = np.rint(table.figures).astype(np.int64)
    if round_instead:
        stepped: Numbers = rounded(Rounding("nearest", s.round_instead), counts).astype(np.float64)
        return stepped
    if s.noise_sigma:
        counts = np.where(counts >= shown_from(s), np.maximum(0, counts + _noise(s, table, key)), counts)
    told = told_counts(s, counts)
    # What noise carried below the threshold reads as the smallest count that is shown.
    least = int(told_counts(s, [shown_from(s)])[0])
    shown: Numbers = np.where((told < 0) & ~hidden, least, told).astype(np.float64)
    return shown


def _noise(s: Settings, table: ReleaseTable, key: bytes) -> Whole:
    drawn = np.zeros(table.shape, dtype=np.int64)
    for place in np.ndindex(table.shape):
        mark = str(table.label(place)) if table.marks is None else str(int(table.marks[place]))
        drawn[place] = noise_of(s, key, f"{table.name}\0{mark}".encode() if table.marks is None else mark.encode())
    return drawn


def _recomputed(s: Settings, table: ReleaseTable, cells: Numbers, hidden: Flags) -> tuple[Numbers, Flags]:
    """Totals of what is told; a total of nothing that is told is hidden."""
    within = inner(table.shape)
    weight = np.where(within & ~hidden, table.persons if table.kind == "mean" else 1, 0).astype(np.float64)
    sums, weights = np.where(weight > 0, cells * weight, 0.0), weight
    for axis in range(len(table.shape)):
        cut = [slice(None)] * len(table.shape)
        cut[axis] = slice(0, -1)
        for array in (sums, weights):
            total = array[tuple(cut)].sum(axis=axis)
            np.moveaxis(array, axis, 0)[-1] = total
    totals = np.divide(sums, weights, out=np.zeros_like(sums), where=weights > 0) if table.kind == "mean" else sums
    return np.where(within, cells, totals), np.where(within, hidden, weights == 0)


def _inside(pack: Pack, found: dict[str, Flags], hidden: Flags) -> dict[Place, Why]:
    reasons = {rule: why(pack, rule) for rule in ORDER}
    inside = {}
    for place in _places(hidden):
        rule = next((rule for rule in ORDER if rule in found and found[rule][place]), "complementary")
        inside[place] = reasons[rule]
    return inside


def _asks(pack: Pack, table: ReleaseTable, covered: Covered, hidden: Flags) -> tuple[Reason, ...]:
    s, asks = pack.settings, []
    if s.class_disclosure == "review":
        whole = whole_groups(table) & ~hidden & table.told()
        if whole.any():
            words = f"All of a group stand in one entry of '{table.name}' (pack {pack.names_of('class_disclosure')})."
            asks.append(
                Reason("privacy.class_disclosure", words, "Say why the statement harms nobody, or merge levels.")
            )
    if not covered.proved:
        words = "The table is large: complementary entries were found line by line, and no interval was computed."
        asks.append(Reason("privacy.unproved_cover", words, "Release it in parts of two axes."))
    if table.kind != "count" and table.figures.min() < 0:
        words = f"'{table.name}' has negative figures: dominance was judged by absolute contributions."
        asks.append(Reason("privacy.negative_figures", words, "Have a person look at it."))
    return tuple(asks)


def _places(flags: Flags) -> list[Place]:
    return [tuple(int(i) for i in place) for place in np.argwhere(flags)]


def _union(flags: Iterable[Flags], table: ReleaseTable) -> Flags:
    union = np.zeros(table.shape, dtype=np.bool_)
    for one in flags:
        union |= one
    return union
