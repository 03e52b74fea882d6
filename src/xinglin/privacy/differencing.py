"""The differencing guard: no new answer, compared with an earlier one, may be about a few persons.

Each node keeps who stood in every released cell. For every pair of a new and an earlier cell it counts the
persons that are in one and not in the other, both ways; the counts ride in the same secure sum. Pooled, either
both are nobody, or at least one of them is the minimum: then the difference of the two answers mixes in at
least that many persons. Combinations of three releases and more are the linear guard's (``packs.linear``), whose
numbers ride along in the *span*. Exact answers are defended against named attacks; proof exists only with noise.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import isqrt

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
NEW_SHARED = "new_shared"
OLD_SHARED = "old_shared"
"""The same two counts over the hospitals that took part both times, for releases of other hospitals."""

SPAN = "span"
"""A number of the common span (``packs.linear``), in the row of a released cell; ``~prime:column`` for a cell."""

SPAN_ROWS = Limit("released cells judged together in a run", 200, "cells")
SPAN_TABLES = 64
"""Up to so many rows of the span, cells of tables are judged beside whole cohorts."""
WHOLE = "all"
"""The cell of everybody whom an answer is about."""

Persons = AbstractSet[Hashable]


class ReleasedCell(msgspec.Struct, frozen=True, order=True):
    """The name of a cell that was released: by which release, and which cell of it. Never who stands in it."""

    release: str
    cell: str


class DifferenceSlot(msgspec.Struct, frozen=True, order=True):
    """One place in the vector: persons of one side only, new cell against earlier cell; or a number of the span.

    ``side``: ``new_only`` and ``old_only`` count at every hospital, ``new_shared`` and ``old_shared`` where the
    earlier release was made too; ``span`` is in the row of ``earlier``, where this run's cells have no release.
    """

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


def roster_layout(
    earlier: Collection[ReleasedCell],
    cells: Collection[str],
    rosters: Mapping[str, Collection[str]],
    roster: Collection[str],
) -> tuple[DifferenceSlot, ...]:
    """The further places that releases of other hospitals than ``roster`` need (``rosters``: by release).

    >>> len(roster_layout([ReleasedCell("run-1", "all")], ["all"], {"run-1": "abc"}, "abcd"))
    2
    """
    others = sorted({cell for cell in earlier if set(rosters[cell.release]) != set(roster)})
    new = sorted(set(cells))
    SLOTS.check(2 * len(others) * len(new))
    sides = (NEW_SHARED, OLD_SHARED)
    return tuple(DifferenceSlot(before, cell, side) for before in others for cell in new for side in sides)


def span_layout(
    earlier: Collection[ReleasedCell], cells: Collection[str], prime: int, taken: int
) -> tuple[DifferenceSlot, ...]:
    """The places of the common span, a square; none where nothing was released before.

    ``taken``: places that the run has already. Whole cohorts first, up to ``SPAN_ROWS`` (fewer where ``SLOTS`` leaves
    less); then cells of tables while there are fewer than ``SPAN_TABLES`` rows. This run's cells have no release.

    >>> [slot.earlier.release for slot in span_layout([ReleasedCell("run-1", "all")], ["all"], 11, 0)]
    ['', '', 'run-1', 'run-1']
    """
    before = {cell for cell in earlier if not is_finer(cell.cell)}
    if not before:
        return ()
    everything = {ReleasedCell("", cell) for cell in cells} | before
    ordered = sorted(everything, key=lambda row: (row.cell != WHOLE, row.release, row.cell))
    whole = sum(row.cell == WHOLE for row in ordered)
    room = min(SPAN_ROWS.value, isqrt(max(0, SLOTS.value - taken)), max(whole, SPAN_TABLES))
    rows = ordered[:room]
    return tuple(DifferenceSlot(row, f"~{prime}:{column}", SPAN) for row in rows for column in range(len(rows)))


def span_of(slots: Sequence[DifferenceSlot]) -> tuple[tuple[ReleasedCell, ...], int]:
    """The rows of the common span in a layout, in order, and its prime; no rows where there is none."""
    spanned = [slot for slot in slots if slot.side == SPAN]
    prime = int(spanned[0].cell[1:].partition(":")[0]) if spanned else 0
    return tuple(dict.fromkeys(slot.earlier for slot in spanned)), prime


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
    here = {cell.release for cell in before}
    counts = []
    for slot in layout:
        new, old = now[slot.cell], before.get(slot.earlier, nobody)
        if slot.side in (NEW_SHARED, OLD_SHARED) and slot.earlier.release not in here:
            new = old = nobody
        counts.append(len(new - old) if slot.side in (NEW_ONLY, NEW_SHARED) else len(old - new))
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
    pairs = _largest(layout, pooled, (NEW_ONLY, OLD_ONLY))
    close = sorted({cell for (_, cell), most in pairs.items() if 0 < most < rules.min_cell})
    if not close:
        return Allowed(("differencing_guard",))
    named = ", ".join(f"'{cell}'" for cell in close[:5])
    return deny(
        "privacy.differencing",
        f"Compared with an earlier release, {named} would single out fewer than {rules.min_cell} persons.",
        "Use a cohort that was answered before, or one that differs by more persons.",
    )


def check_rosters(
    rules: DisclosureRules,
    layout: Sequence[DifferenceSlot],
    pooled: Sequence[int],
    rosters: Mapping[str, Collection[str]],
    roster: Collection[str],
) -> Verdict:
    """Whether no hospital's own part is the difference between this release and one of other hospitals.

    ``rosters``: contributors by earlier release; ``roster``: those of this one. Where the persons are (nearly) the
    same at the hospitals of both, the two answers differ by what the other hospitals hold: refused when one of the
    earlier ones is absent now (nobody counts its persons), or when fewer than ``min_hospitals`` are new.

    >>> cells, everybody = [ReleasedCell("run-1", "all")], {"run-1": "abcd"}
    >>> slots = difference_layout(cells, ["all"]) + roster_layout(cells, ["all"], everybody, "abc")
    >>> check_rosters(DisclosureRules(), slots, [0, 0, 0, 0], everybody, "abc").codes
    ('privacy.roster_differencing',)
    """
    if len(pooled) != len(layout):
        raise BadLayout(f"{len(layout)} difference counts were agreed, {len(pooled)} came.")
    at_all = _largest(layout, pooled, (NEW_ONLY, OLD_ONLY))
    shared = _largest(layout, pooled, (NEW_SHARED, OLD_SHARED))
    for (earlier, cell), most in at_all.items():
        if not earlier.release or is_finer(cell) or shared.get((earlier, cell), most) >= rules.min_cell:
            continue
        absent, new = set(rosters[earlier.release]) - set(roster), set(roster) - set(rosters[earlier.release])
        if absent or 0 < len(new) < rules.min_hospitals:
            return deny(
                "privacy.roster_differencing",
                "Compared with an earlier release of other hospitals, one hospital's own part could be computed.",
                "Ask the same hospitals as before, or a cohort that differs by more persons.",
            )
    return Allowed(("roster_guard",))


def _largest(
    layout: Sequence[DifferenceSlot], pooled: Sequence[int], sides: Collection[str]
) -> dict[tuple[ReleasedCell, str], int]:
    """The larger of the two counts of each pair of cells."""
    pairs: dict[tuple[ReleasedCell, str], int] = {}
    for slot, count in zip(layout, pooled, strict=True):
        if slot.side in sides:
            pair = (slot.earlier, slot.cell)
            pairs[pair] = max(pairs.get(pair, 0), count)
    return pairs
