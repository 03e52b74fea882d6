"""Watermarks: a million rows of six columns marked and read, and what detection finds after a leaker's work."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from xinglin.privacy.watermark import MarkPlan, Numbers, Recipient, detect, mark
from xinglin.privacy.watermark.detecting import evidence_of
from xinglin.privacy.watermark.model import Columns

KEY = bytes(range(32))
SIGMA = (400.0, 900.0, 1200.0, 600.0, 5000.0, 800.0)
PLAN = MarkPlan(tuple(Numbers(f"x{n}", max(40.0, sigma / 20)) for n, sigma in enumerate(SIGMA)), (("id",),))


def table(rows: int) -> Columns:
    """Six columns of whole numbers and an id."""
    draw = np.random.default_rng(1)
    columns: Columns = {"id": np.arange(rows, dtype=np.int64)}
    for number, sigma in enumerate(SIGMA):
        columns[f"x{number}"] = np.rint(draw.normal(10 * sigma, sigma, rows))
    return columns


def seconds(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Least wall and processor time of a call."""
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def figure(name: str, what: str, value: float, unit: str, promise: str = "", comment: str = "") -> None:
    """One figure."""
    row = {"name": f"watermark.{name}", "what": what, "value": value, "unit": unit, "promise": promise}
    print(json.dumps({**row, "comment": comment}))


def main() -> int:
    """Print the figures."""
    quick = "--quick" in sys.argv
    rows = 50_000 if quick else 1_000_000
    who = [Recipient(f"did:example:{n}", f"sha256:{n:064x}", n) for n in range(100 if quick else 1000)]
    columns = table(rows)
    wall, cpu = seconds(lambda: mark(columns, KEY, who[7], PLAN), 2 if quick else 5)
    promise = "" if quick else "<= 0.5"
    figure("mark", f"{rows:,} rows of 6 columns marked and reported on", wall, "s", promise, f"{cpu:.2f} s of a core")
    given = mark(columns, KEY, who[7], PLAN).columns
    wall, cpu = seconds(lambda: evidence_of(given, KEY, PLAN), 2 if quick else 5)
    figure("read", f"the bits of {rows:,} rows read", wall, "s", comment=f"{cpu:.2f} s of a core")
    wall, cpu = seconds(lambda: detect(given, KEY, PLAN, who), 1)
    figure("detect", f"{len(who):,} recipients asked about", wall, "s", comment=f"{cpu:.2f} s of a core")
    kept = np.random.default_rng(2).permutation(rows)[: rows // 20]
    found = detect({name: values[kept] for name, values in given.items()}, KEY, PLAN, who)
    right = [one.recipient for one in found.accused] == [who[7]]
    comment = f"bound on innocents {found.accused[0].bound:.1e}" if found.accused else "nobody named"
    figure("deleted", "score with 95 % of the rows deleted", found.best if right else 0.0, "sd", ">= 6", comment)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
