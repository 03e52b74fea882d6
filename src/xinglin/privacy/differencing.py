"""The differencing guard: no new answer, compared with an earlier one, may be about a few persons.

Each node keeps who stood in every released cell. For every pair of a new and an earlier cell it counts the
persons that are in one and not in the other, both ways; the counts ride in the same secure sum. Pooled, either
both are nobody, or at least one of them is the minimum: then the difference of the two answers mixes in at
least that many persons. It says nothing about combinations of three releases and more: exact answers are
defended against named attacks, and proof exists only with noise.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from xinglin.kernel.limits import Limit
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.privacy.errors import BadLayout
from xinglin.terms.thresholds import DisclosureRules

SLOTS = Limit("difference counts a run", 65_536, "counts")

FINER = ("#", "?")
"""First characters of finer sets: what persons bring to a column (``#``), whom an indicator picks (``?``)."""

NEW_ONLY = "new_only"
OLD_ONLY = "old_only"

Persons = AbstractSet[Hashable]


class ReleasedCell(msgspec.Struct, frozen=True, order=True):
    """The name of a cell that was released: by which release, and which cell of it. Never who stands in it."""

    release: str
    cell: str


class DifferenceSlot(msgspec.Struct, frozen=True, order=True):
    """One place in the vector: persons of one side only, new cell against earlier cell."""

    earlier: ReleasedCell
    cell: str
    side: str


def difference_layout(earlier: Collection[ReleasedCell], cells: Collection[str]) -> tuple[DifferenceSlot, ...]:
    """The places of the difference counts, the same at every node that is handed the same two lists.

    Order and doubles in either list change nothing. More than ``SLOTS`` raises ``LimitExceeded``.

    >>> len(difference_layout([ReleasedCell("run-1", "all")], ["all", "sex=F"]))
    4
    """
    old, new = sorted(set(earlier)), sorted(set(cells))
    SLOTS.check(2 * len(old) * len(new))
    return tuple(DifferenceSlot(before, cell, side) for before in old for cell in new for side in (NEW_ONLY, OLD_ONLY))


def is_finer(cell: str) -> bool:
    """Whether ``cell`` names a finer set, compared beside the released cells and never shown."""
    return cell.startswith(FINER)


def check_layout(proposed: Collection[ReleasedCell], kept: Collection[ReleasedCell]) -> Verdict:
    """Whether ``proposed`` leaves out nothing that this node keeps for the data set.

    A cell that this node does not know is no harm: it took no part in that release, and counts nobody.
    """
    missing = set(kept) - set(proposed)
    if not missing:
        return Allowed(("differencing_guard",))
    return deny(
        "privacy.earlier_release_left_out",
        "An earlier release on the same data would not be compared with.",
        "Plan the run again from the present list of releases.",
    )


def difference_counts(
    layout: Sequence[DifferenceSlot], now: Mapping[str, Persons], before: Mapping[ReleasedCell, Persons]
) -> tuple[int, ...]:
    """This node's own counts, in the order of ``layout``; they leave it masked, or not at all.

    ``now``: persons by new cell (every cell of the layout, else ``BadLayout``). ``before``: persons by
    earlier cell; one that is not there is a release this node took no part in.
    """
    unknown = {slot.cell for slot in layout} - now.keys()
    if unknown:
        raise BadLayout("A cell of the layout is not one of this run's.", remedy="Agree on the layout again.")
    nobody: Persons = frozenset()
    counts = []
    for slot in layout:
        new, old = now[slot.cell], before.get(slot.earlier, nobody)
        counts.append(len(new - old) if slot.side == NEW_ONLY else len(old - new))
    return tuple(counts)


def check_differences(rules: DisclosureRules, layout: Sequence[DifferenceSlot], pooled: Sequence[int]) -> Verdict:
    """Whether no two releases differ by a few persons only.

    Of each pair (new cell, earlier cell) the two one-sided counts are looked at together: the pair is refused when
    it is not the same persons and *both* sides are below ``min_cell``, since then the difference of the two answers
    is about those few. Where one side is large, the difference mixes its persons in. A side that was not counted is
    nobody. A refusal names the cell of this run, never the other release: that may be another study's.

    >>> slots = difference_layout([ReleasedCell("run-1", "all")], ["all"])
    >>> check_differences(DisclosureRules(), slots, [1, 0]).codes
    ('privacy.differencing',)
    >>> bool(check_differences(DisclosureRules(), slots, [3, 500]))
    True
    """
    if len(pooled) != len(layout):
        raise BadLayout(f"{len(layout)} difference counts were agreed, {len(pooled)} came.")
    if any(count < 0 for count in pooled):
        raise BadLayout("A difference count is not negative.")
    pairs: dict[tuple[ReleasedCell, str], int] = {}
    for slot, count in zip(layout, pooled, strict=True):
        pair = (slot.earlier, slot.cell)
        pairs[pair] = max(pairs.get(pair, 0), count)
    close = sorted({cell for (_, cell), most in pairs.items() if 0 < most < rules.min_cell})
    if not close:
        return Allowed(("differencing_guard",))
    named = ", ".join(f"'{cell}'" for cell in close[:5])
    return deny(
        "privacy.differencing",
        f"Compared with an earlier release, {named} would single out fewer than {rules.min_cell} persons.",
        "Use a cohort that was answered before, or one that differs by more persons.",
    )


def check_rosters(rules: DisclosureRules, roster: Collection[str], earlier: Sequence[Collection[str]]) -> Verdict:
    """Whether the roster differs from those of earlier releases on the same cells by none or enough hospitals.

    The difference of two totals over rosters one hospital apart is that hospital's own contribution.
    """
    for before in earlier:
        for one_sided in (set(roster) - set(before), set(before) - set(roster)):
            if 0 < len(one_sided) < rules.min_hospitals:
                return deny(
                    "privacy.roster_differencing",
                    f"Compared with an earlier release, fewer than {rules.min_hospitals} hospitals would stand out.",
                    "Run with the same hospitals as before.",
                )
    return Allowed(("roster_guard",))
