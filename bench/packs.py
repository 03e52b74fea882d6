"""Disclosure packs: a crosstab of person ids checked and protected, the linear guard over everything released.

The crosstab is counted from rows (distinct persons of every cell and margin, largest contributions), then checked by
the strictest of three packs and covered. The guard judges one more cohort beside those that were released.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import numpy as np
from bench._report import middle_of, quick, row, say

from xinglin.privacy.packs import (
    apply,
    check_system,
    count_table,
    shipped,
    span_share,
    strictest_pack,
    sum_table,
    tally,
)
from xinglin.privacy.packs.linear import atoms_of, draw_prime, weigh

AXES = {"region": [str(i) for i in range(20)], "diagnosis": [str(i) for i in range(15)]}


def rows_of(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Person, place in a table of 20 × 15 and a cost of each row; three rows a person, some cells are small."""
    rng = np.random.default_rng(1)
    weights = np.concatenate([rng.dirichlet(np.full(280, 2.0)) * (1 - 200 / rows), np.full(20, 10 / rows)])
    cell = rng.choice(300, size=rows, p=weights / weights.sum())
    return rng.integers(0, rows // 3, rows), np.stack([cell // 15, cell % 15]), rng.lognormal(6, 1, rows)


def checked(rows: int) -> None:
    """From rows to a protected table."""
    pack = strictest_pack([shipped("sacro"), shipped("xinglin"), shipped("uk-llc")])
    apply(pack, count_table("warm", {"a": "xy"}, [5, 40]))
    person, where, cost = rows_of(rows)
    table = tally("rows", AXES, person, where)
    protected = apply(pack, table)
    began = time.perf_counter()
    took = middle_of(3, lambda: _busy(lambda: apply(pack, tally("rows", AXES, person, where))))
    wall = (time.perf_counter() - began) / 3
    hidden = int(np.isnan(protected.cells).sum())
    words = f"{table.figures.size} entries, {hidden} hidden by {protected.method}; wall {wall:.2f} s"
    what = f"{rows:,} rows with person ids: distinct persons counted, checked, protected"
    say("packs.crosstab_check", what, took, "s", "<= 0.5", words)
    say("packs.table_check", "of it: the check of the counted table", _busy(lambda: apply(pack, table)), "s")
    took = _busy(lambda: apply(pack, sum_table("cost", AXES, cost, where, persons=person)))
    say("packs.sums_check", "the same with sums, largest contributions, dominance, p-ratio", took, "s")


def _busy(work: Callable[[], object]) -> float:
    """Processor seconds."""
    began = time.process_time()
    work()
    return time.process_time() - began


def guard(cells: int, persons: int) -> None:
    """One more cohort beside ``cells`` random ones."""
    rng = np.random.default_rng(3)
    released = {i: np.flatnonzero(rng.random(persons) < 0.5).astype(np.uint64) for i in range(cells)}
    began = time.process_time()
    allowed = check_system(
        10, released, {"all": np.flatnonzero(rng.random(persons) < 0.5).astype(np.uint64)}, os.urandom
    )
    took = time.process_time() - began
    row(name=f"packs.guard_{cells}x{persons}", cells=cells, persons=persons, cpu_s=took, allowed=bool(allowed))


def share(cells: int, persons: int) -> None:
    """What a node computes for the common span."""
    rng = np.random.default_rng(4)
    own = [np.flatnonzero(rng.random(persons) < 0.5).astype(np.uint64) for _ in range(cells)]
    began = time.process_time()
    span_share(own, draw_prime(os.urandom), os.urandom)
    say(
        "packs.span_share", f"a node's share for {cells} cells of {persons:,} persons", time.process_time() - began, "s"
    )
    began = time.process_time()
    weigh(atoms_of(own[:20], os.urandom), 10, draw_prime(os.urandom))
    say("packs.guard_20", f"20 cells of {persons:,} persons judged together", time.process_time() - began, "s")


def main(small: bool) -> None:
    """Every figure."""
    checked(20_000 if small else 1_000_000)
    share(16 if small else 128, 2_000 if small else 20_000)
    for cells, persons in ((10, 1_000),) if small else ((20, 10_000), (50, 10_000), (200, 10_000), (20, 1_000_000)):
        guard(cells, persons)


if __name__ == "__main__":
    main(quick(sys.argv[1:]))
