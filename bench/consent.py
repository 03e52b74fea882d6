"""Choices: rows of persons who object are filtered, and runs read the register, as a whole and since the last one.

``--million`` reads 1,000,000 choices too, which takes minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench._report import middle_of, quantile, quick, row, say

from xinglin.lake.model import QueryLimits
from xinglin.terms.consent import (
    EVERYTHING,
    Choice,
    ConsentUse,
    IdentityCheck,
    PersonFilter,
    Rule,
    Where,
    person_filter,
)

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
    counts = [1_000] if quick(arguments) else [10_000, 100_000, *([1_000_000] if "--million" in arguments else [])]
    for count in counts:
        _runs(count)


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


def _runs(count: int) -> None:
    """What a run costs: processor time with the register as a whole, and with what is held of it."""
    from xinglin.node.consent_held import HeldChoices
    from xinglin.node.intake.wiring import open_consent_register

    with tempfile.TemporaryDirectory() as folder:
        register = open_consent_register(Path(folder))
        _fill(register, count)
        held = HeldChoices(register)

        def run(whole: bool = False) -> float:
            begun = time.process_time()
            last = register.last()
            found = person_filter(register.choices(last), USE) if whole else held.persons(last, USE)
            spent = time.process_time() - begun
            if len(found.without) < count // 10:
                raise RuntimeError("Somebody who objected is let in.")
            return spent

        every, first, again = run(whole=True), run(), middle_of(5, run)
        after = []
        for number in range(5):
            register.keep([Choice(f"Patient/{number}", Rule("deny"), 2, "desk", id=f"later {number}")], 2)
            after.append(run())
        row(
            name=f"consent.run_reads.{count}",
            **{
                "whole register, s": every,
                "first run of a process, s": first,
                "next run, s": again,
                "after one more choice, s": quantile(after, 0.5),
                "held, MiB": held.size_bytes / 2**20,
            },
        )
        register.close()
    say(f"consent.run_reads_{count}_s", f"a run after one more choice, {count:,} recorded", quantile(after, 0.5), "s")


def _fill(register: Any, count: int) -> None:
    """Choices of a city, most of them one a person and a third with a period, past the log's outbox."""
    from xinglin.kernel.codec import encode_msgpack
    from xinglin.stores.consent_tables import ADD_CHOICE

    checked = IdentityCheck("card", "bench", 1)
    with register._database.alone() as work:
        for number in range(count):
            where = Where(until=1_000 * number + 10) if number % 3 == 0 else EVERYTHING
            rule = Rule("deny" if number % 10 == 0 else "permit", where)
            person = f"Patient/{number if number % 10 == 0 or number % 5 else number + 1}"
            one = Choice(person, rule, 1, "bench", identity=checked, id=f"{number:032x}")
            values = {"id": one.id, "content": one.id, "person": person, "recorded_at": 1}
            work.write(ADD_CHOICE, **values, value=encode_msgpack(one))


if __name__ == "__main__":
    main(sys.argv[1:])
