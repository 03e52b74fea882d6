"""The row filter: a query over 1,000,000 rows of which persons of 1 % object, against the same without objections."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench._report import quantile, quick, say

from xinglin.lake.model import QueryLimits
from xinglin.terms.consent import Choice, ConsentUse, PersonFilter, Rule, person_filter

SALT = bytes(32)
USE = ConsentUse(study="s", purpose="health-research", institutions=(), at=9, regime="opt-out")
LIMITS = QueryLimits(threads=1, memory_bytes=2 * 1024**3)


def main(arguments: list[str]) -> None:
    """Print the figures."""
    rows, persons, times = (20_000, 4_000, 1) if quick(arguments) else (1_000_000, 200_000, 7)
    table = _table(rows, persons)
    said = [Choice(f"Patient/{n}", Rule("deny"), 1, "bench", id=f"{n:032x}") for n in range(0, persons, 100)]
    objecting = person_filter(said, USE)
    spent: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(times):  # one after the other, so that what else the machine does falls on both
        for filtered, measured in spent.items():
            measured.append(_query(table, objecting if filtered else PersonFilter(), rows, persons))
    plain, under = (quantile(spent[filtered], 0.5) for filtered in (False, True))
    what = f"processor time of views and query, {rows:,} rows"
    say("consent.unfiltered_s", what, plain, "s")
    say("consent.filtered_s", f"{what}, 1 % of persons object", under, "s")
    say("consent.filter_ratio", "with the filter, to without", under / plain, "×", "<= 1.1")
    _register(said, quick(arguments))


def _table(rows: int, persons: int) -> Any:
    import numpy as np
    import pyarrow as pa

    index = np.arange(rows)
    keys = pa.array([f"Patient/{number % persons}" for number in index])
    return pa.table({"person": keys, "age": 20 + index % 80, "bp": 100.0 + index % 50})


def _query(table: Any, allowed: PersonFilter, rows: int, persons: int) -> float:
    from xinglin.lake.query import QuerySession

    begun = time.process_time()
    session = QuerySession(LIMITS)
    session.persons(allowed)
    session.person_table("t", table, "person", SALT)
    session.lock()
    found = session.run('SELECT "__person", age, bp FROM t')
    spent = time.process_time() - begun
    session.close()
    if found.num_rows != rows - len(allowed.without) * (rows // persons):
        raise RuntimeError("The filter let somebody through, or too few.")
    return spent


def _register(said: list[Choice], small: bool) -> None:
    """Choices of a whole city: recorded, and read for a run."""
    from xinglin.node.intake.wiring import open_consent_register

    count = 2_000 if small else 50_000
    more = [Choice(f"Patient/{n}", Rule("permit"), 1, "bench", id=f"{n:032x}") for n in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        register = open_consent_register(Path(folder))
        begun = time.process_time()
        register.keep(more, 1)
        recorded = time.process_time() - begun
        begun = time.process_time()
        person_filter(register.choices(), USE)
        read = time.process_time() - begun
        register.close()
    say("consent.recorded_per_s", "choices recorded with their entry for the log, a core", count / recorded, "1/s")
    say("consent.read_per_s", "choices read from the register and judged for a run, a core", count / read, "1/s")
    begun = time.process_time()
    person_filter(said, USE)
    say("consent.judged_per_s", "choices judged, a core", len(said) / (time.process_time() - begun), "1/s")


if __name__ == "__main__":
    main(sys.argv[1:])
