"""The differencing guard at this node: which earlier releases a run is compared with, agreed by all its hospitals."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import TYPE_CHECKING

import msgspec

from xinglin.gate import Use
from xinglin.kernel.codec import decode_msgpack
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.verdict import Denied, deny
from xinglin.node.logview import LogView
from xinglin.node.prepared import Prepared
from xinglin.privacy.differencing import (
    DifferenceSlot,
    ReleasedCell,
    check_layout,
    difference_layout,
    is_finer,
    roster_layout,
    span_layout,
)
from xinglin.stores.node_database import NodeDatabase
from xinglin.trust.envelope import Signed, open_signed_as, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import RELEASES_CONTEXT, ReleaseRefs

if TYPE_CHECKING:
    from xinglin.analysis.algorithm import Algorithm


class Conclusion(msgspec.Struct, frozen=True):
    """Once an outcome follows from the opened totals: the salt of its commitment, and whose totals they were."""

    salt: bytes
    survivors: tuple[str, ...]


class Layout(msgspec.Struct, frozen=True):
    """The agreed places of difference counts, and whose sums the earlier releases were (DIDs, by release)."""

    slots: tuple[DifferenceSlot, ...] = ()
    rosters: dict[str, tuple[str, ...]] = {}


class Comparison:
    """One run's part of the guard at this node; nothing here reads a row."""

    def __init__(self, keys: PrivateKeys, view: LogView, database: NodeDatabase, use: Use) -> None:
        self._keys, self._view, self._database, self._use = keys, view, database, use

    def refs(self) -> bytes:
        """The released cells that this node keeps for the data set, signed for this run."""
        cells = self._own()
        rosters = self._own_rosters(cells)
        named = tuple((cell.release, cell.cell) for cell in cells)
        refs = ReleaseRefs(self._use.run, self._keys.did, named, rosters=rosters)
        return sign(self._keys, RELEASES_CONTEXT, refs).to_bytes()

    def agree(self, signed: tuple[bytes, ...], prepared: Prepared, algorithm: Algorithm) -> Layout | Denied:
        """The layout that follows from everybody's lists; the same at every node that is handed the same ones.

        ``Denied`` when this node's own releases are not all in them, or two nodes say different things of one release.
        """
        opened = [self._opened(data) for data in signed]
        earlier = {ReleasedCell(*cell) for refs in opened for cell in refs.cells}
        own = self._own()
        complete = check_layout(earlier, own)
        if isinstance(complete, Denied):
            return complete
        rosters = self._own_rosters(own)
        for refs in opened:
            for release, roster in refs.rosters.items():
                if rosters.setdefault(release, roster) != roster:
                    words = "Two hospitals name different contributors of an earlier release."
                    return deny("privacy.rosters_differ", words, "Tell the regulator: one of them is wrong.")
        if not {cell.release for cell in earlier} <= rosters.keys():
            return deny("privacy.rosters_differ", "It is not said whose an earlier release was.", "Start a new run.")
        slots = _slots(earlier, prepared, algorithm, rosters, self._use.plan.roster)
        slots += span_layout(earlier, algorithm.cell_names(), _prime(signed), len(slots))
        return Layout(slots, dict(sorted(rosters.items())))

    def _own(self) -> list[ReleasedCell]:
        kept = self._database.cells_of(self._use.plan.data_set)
        return [ReleasedCell(row.release, row.cell) for row in kept if row.release != self._use.run]

    def _own_rosters(self, cells: list[ReleasedCell]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for release in sorted({cell.release for cell in cells}):
            row = self._database.run(release)
            if row is not None and row.concluded:
                found[release] = decode_msgpack(row.concluded, Conclusion).survivors
        return found

    def _opened(self, data: bytes) -> ReleaseRefs:
        signed = Signed.from_bytes(data)
        refs = open_signed_as(signed, RELEASES_CONTEXT, self._view.record.directory, ReleaseRefs)
        if refs.node != signed.signer or refs.run_id != self._use.run or refs.node not in self._use.plan.roster:
            raise XinglinError("A list of earlier releases is not of this run.", remedy="Start a new run.")
        return refs


def _prime(signed: tuple[bytes, ...]) -> int:
    """The prime of the linear guard: of everybody's signatures, so that nobody outside knows it beforehand."""
    from xinglin.privacy.packs.linear import draw_prime

    seed, drawn = hashlib.sha256(b"".join(sorted(signed))).digest(), count()
    return draw_prime(lambda size: hashlib.sha256(seed + next(drawn).to_bytes(8, "big")).digest()[:size])


def finer_names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The finer sets that a release keeps: rows of each person, and what each brings to a column."""
    return ("#rows", *(f"#{column}" for column in columns))


def _slots(
    earlier: set[ReleasedCell],
    prepared: Prepared,
    algorithm: Algorithm,
    rosters: dict[str, tuple[str, ...]],
    roster: tuple[str, ...],
) -> tuple[DifferenceSlot, ...]:
    """The places of all counts: cells with cells, finer sets with their like, indicators."""
    from xinglin.analysis.admit_indicators import indicator_slots

    cells = [cell for cell in earlier if not is_finer(cell.cell)]
    slots = list(difference_layout(cells, algorithm.cell_names()))
    slots += roster_layout(cells, algorithm.cell_names(), rosters, roster)
    for name in finer_names(algorithm.columns):
        slots += difference_layout([cell for cell in earlier if cell.cell == name], [name])
    return (*slots, *indicator_slots(prepared.columns, algorithm.columns))
