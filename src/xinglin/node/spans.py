"""The linear guard at this node: its share of the common span, and its own judgement once the pooled one is open.

The share is drawn in the child beside the difference counts and kept with the run's cells; the judgement is made from
that file, those of earlier releases and the opened total. Nothing of it leaves but "no".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.verdict import Allowed, Verdict, deny
from xinglin.node import engine_sets
from xinglin.privacy.differencing import DifferenceSlot, ReleasedCell, span_of
from xinglin.privacy.packs.linear import Matrix, check_pooled, span_share

KEPT = "~span"
"""Name of the share in a file of kept cells; no cell is called so."""


class Pooled(msgspec.Struct, frozen=True):
    """What is judged: the layout and its opened ``counts``, which of this run's cells are ``released``, to whom."""

    slots: tuple[DifferenceSlot, ...]
    counts: tuple[int, ...]
    released: frozenset[str]
    least: int


def share_of(
    slots: Sequence[DifferenceSlot], now: engine_sets.Sets, before: Mapping[str, engine_sets.Sets]
) -> tuple[tuple[int, ...], engine_sets.Sets]:
    """This node's numbers for the span's places, and what to keep of them beside the run's cells."""
    rows, prime = span_of(slots)
    if not rows:
        return (), {}
    share = span_share(_cells(rows, now, before), prime, os.urandom).ravel()
    return tuple(share.tolist()), {KEPT: share.astype(np.uint64)}


def judge(keep: Path, earlier: Mapping[str, Path], pooled: Pooled) -> Verdict:
    """Whether this node lets the total out beside everything released before; whatever cannot be read is a "no".

    ``keep``: the run's kept cells; ``earlier``: those of other releases, by release. Reads files and computes up to
    a second: called in a thread.
    """
    rows, prime = span_of(pooled.slots)
    shown = [i for i, row in enumerate(rows) if row.release or row.cell in pooled.released]
    if not any(slot.earlier.release for slot in pooled.slots):
        return Allowed(("linear_guard",))  # nothing was released before
    if not shown:
        return deny("privacy.linear_unjudged", "No released cell was judged.", "Start a new run.")
    try:
        now = engine_sets.read_sets(str(keep))
        before = {release: engine_sets.read_sets(str(path)) for release, path in earlier.items()}
        own = now[KEPT].astype(np.int64).reshape(len(rows), len(rows))
    except (OSError, KeyError, ValueError, MalformedMessage):
        words = "This hospital cannot compare the answer with everything released before."
        return deny("privacy.linear_unjudged", words, "Start a new run.")
    spanned = [count for slot, count in zip(pooled.slots, pooled.counts, strict=True) if slot.cell.startswith("~")]
    total: Matrix = np.asarray(spanned, dtype=np.int64).reshape(own.shape) % prime
    cells = _cells([rows[i] for i in shown], now, before)
    return check_pooled(pooled.least, cells, own[shown], total[shown], prime, os.urandom)


def _cells(
    rows: Sequence[ReleasedCell], now: engine_sets.Sets, before: Mapping[str, engine_sets.Sets]
) -> list[engine_sets.Codes]:
    nobody = np.zeros(0, dtype=np.uint64)
    return [before.get(row.release, {}).get(row.cell, nobody) if row.release else now[row.cell] for row in rows]
