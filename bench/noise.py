"""Noise: exact samplers beside OpenDP's, noised answers from DuckDB aggregates end to end, charges of the ledger.

Samplers and answers are counted in processor time of this process, wall time beside it where DuckDB's threads help; the
ledger waits for the disk, so its figures are wall time. OpenDP (where it is installed: an oracle of the tests) draws
the same noise in the same run.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench._report import quick, say, shortest

from xinglin.privacy.noise.accounting import rho_for_epsilon, to_epsilon
from xinglin.privacy.noise.budget import Charged
from xinglin.privacy.noise.reserving import Reserved
from xinglin.stores.privacy_budget import BudgetLedger

CELLS = 50
RHO = 10**9
DELTA = Fraction(1, 10**6)


def main(arguments: list[str]) -> None:
    """Print the figures."""
    small = quick(arguments)
    rows, draws, times = (20_000, 5_000, 2) if small else (1_000_000, 1_000_000, 7)
    _samplers(draws, times)
    _answers(rows, times)
    _algorithms(rows, times)
    _accounting(times)
    _ledger(50 if small else 2_000)


def _samplers(draws: int, times: int) -> None:
    from xinglin.privacy.noise.samplers import discrete_gaussian, discrete_laplace
    from xinglin.privacy.noise.shares import share_plan

    plan = share_plan(1, RHO, 5, 2, draws)
    kinds: dict[str, tuple[str, Callable[[], Any]]] = {
        "gaussian": ("discrete Gaussian, variance 100", lambda: discrete_gaussian(Fraction(100), draws, os.urandom)),
        "gaussian_large": ("variance 10^20", lambda: discrete_gaussian(Fraction(10**20), draws, os.urandom)),
        "laplace": ("discrete Laplace, scale 10", lambda: discrete_laplace(Fraction(10), draws, os.urandom)),
        "share": ("a hospital's share, 5 hospitals of which 2 may collude", lambda: plan.draw(os.urandom)),
    }
    for name, (what, draw) in kinds.items():
        nanoseconds = shortest(times, draw) / draws * 1e9
        say(f"noise.{name}_ns", f"one exact value of {draws:,}: {what}", nanoseconds, "ns", "<= 1000")
    if find_spec("opendp"):
        few = min(draws, 50_000)
        nanoseconds = shortest(2, _opendp(few)) / few * 1e9
        say("noise.opendp_gaussian_ns", f"OpenDP, one of a vector of {few:,}, variance 100", nanoseconds, "ns")


def _opendp(draws: int) -> Callable[[], Any]:
    os.environ.setdefault("RUST_BACKTRACE", "0")
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.l2_distance(T=float)
    measurement, zeros = dp.m.make_gaussian(*space, scale=10.0), [0] * draws
    return lambda: measurement(zeros)


def _answers(rows: int, times: int) -> None:
    """From rows in a table to noised integers: DuckDB counts or adds up whole numbers, noise is added to those."""
    import duckdb
    import numpy as np
    import pyarrow as pa

    from xinglin.privacy.noise.counts import Counts
    from xinglin.privacy.noise.model import noised
    from xinglin.privacy.noise.quantiles import Quantile
    from xinglin.privacy.noise.sums import Grid, Means

    index = np.arange(rows)
    names = [f"ward {number}" for number in range(CELLS)]
    values = np.random.default_rng(1).normal(120.0, 15.0, rows)
    wards = pa.DictionaryArray.from_arrays(pa.array((index * 7919) % CELLS, pa.int32()), names)
    columns = {"ward": wards, "plain": wards.cast(pa.string()), "pressure": pa.array(values)}
    with duckdb.connect() as connection:
        connection.register("visits", pa.table(columns))
        counts, places = Counts(CELLS), {name: place for place, name in enumerate(names)}

        def histogram(column: str) -> None:
            exact = np.zeros(CELLS, dtype=np.int64)
            words = f"SELECT {column}, count(*) FROM visits GROUP BY {column}"
            for name, count in connection.execute(words).fetchall():
                exact[places[name]] = count
            noised(counts, exact, RHO, os.urandom)

        grid = Grid(Fraction(1, 10), 500, 2500)
        means = Means(grid)
        words = (
            f"SELECT count(*), sum(u - {means.middle}) FROM (SELECT least(greatest(round(pressure * 10), 500), 2500)"
        )

        def mean() -> None:
            found = connection.execute(f"{words}::BIGINT AS u FROM visits)").fetchone() or (0, 0)
            exact = np.array([found[0] * means.half, int(found[1])], dtype=np.int64)
            means.read(noised(means, exact, RHO, os.urandom))

        def median() -> None:
            column = connection.execute("SELECT pressure FROM visits").fetchnumpy()["pressure"]
            Quantile(grid).choose(grid.place(column)[0], RHO, os.urandom)

        for name, what, promise, work in (
            ("histogram", f"{CELLS} named cells, texts from a dictionary", "<= 20", lambda: histogram("ward")),
            ("histogram_plain", f"{CELLS} named cells, plain texts", "", lambda: histogram("plain")),
            ("mean", "mean of numbers, clipped to a range", "", mean),
            ("median", "median by the exponential mechanism", "", median),
        ):
            work()
            quickest = min(_wall(work) for _ in range(times))
            say(
                f"noise.{name}_ms", f"{rows:,} rows to {what}, wall, quickest of {times}", quickest * 1e3, "ms", promise
            )
            say(f"noise.{name}_cpu_ms", f"the same, processor time of {_threads()}", shortest(times, work) * 1e3, "ms")


def _algorithms(rows: int, times: int) -> None:
    """What a hospital's child does with the rows of a study's query: bounded person by person, counted, noised."""
    import numpy as np

    from xinglin.analysis.algorithm import AlgorithmSpec, build
    from xinglin.analysis.noisy import Noisy
    from xinglin.analysis.table import Column, Table
    from xinglin.terms.thresholds import DisclosureRules

    drawn = np.random.default_rng(2)
    levels = tuple(f"ward {number}" for number in range(CELLS))
    domain = (
        Column("pressure", "number", 40.0, 240.0),
        Column("ward", "category", levels=levels),
        Column("stage", "category", levels=("I", "II", "III", "IV")),
    )
    columns = {
        "pressure": drawn.normal(120.0, 15.0, rows),
        "ward": drawn.integers(0, CELLS, rows),
        "stage": drawn.integers(0, 4, rows),
    }
    noise = {"rho_units": RHO, "minimum": 3, "colluders": 1}
    asked: dict[str, tuple[str, dict[str, Any], str]] = {
        "histogram": (f"histogram of {CELLS} bins", {"column": "pressure", "bins": CELLS}, "<= 20"),
        "crosstab": (f"crosstab of {CELLS} x 4", {"rows": "ward", "columns": "stage"}, "<= 20"),
        "describe": (f"count, sum, mean, variance in {CELLS} groups", {"columns": ["pressure"], "by": ["ward"]}, ""),
    }
    tables = {
        "": ("a row a person", Table.of(domain, columns, drawn.permutation(rows))),
        "_rows": ("three rows a person", Table.of(domain, columns, drawn.integers(0, rows // 3, rows))),
    }
    for name, (what, params, promise) in asked.items():
        algorithm = build(AlgorithmSpec(f"dp_{name}", {**params, "noise": noise}), domain, DisclosureRules(), 2 * rows)
        if not isinstance(algorithm, Noisy):
            raise RuntimeError("an exact answer")
        state = algorithm.initial_state()
        for suffix, (each, table) in tables.items():

            def work(algorithm: Noisy = algorithm, table: Table = table) -> None:
                algorithm.noised(algorithm.local(table, state), os.urandom)  # noqa: B023

            work()
            words = f"{rows:,} rows to a hospital's noised part, {each}: {what}, wall, quickest of {times}"
            quickest = min(_wall(work) for _ in range(times))
            processor = f"{shortest(times, work) * 1e3:.3g} ms of one core"
            say(f"noise.part_{name}{suffix}_ms", words, quickest * 1e3, "ms", promise, processor)


def _threads() -> str:
    return f"all of DuckDB's threads on {os.cpu_count()} cores"


def _wall(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _accounting(times: int) -> None:
    units = rho_for_epsilon(Fraction(1), DELTA)
    microseconds = shortest(times, lambda: [to_epsilon(units + step, DELTA) for step in range(100)]) / 100 * 1e6
    say("noise.to_epsilon_us", "rho shown as (ε, δ), by the best order", microseconds, "µs")
    say(
        "noise.epsilon",
        "ε at δ = 10^-6 of 1000 releases of rho 5·10^-5",
        to_epsilon(5 * 10**10, DELTA),
        "ε",
        "<= 1.472",
    )


def _ledger(charges: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = BudgetLedger.in_folder(Path(folder))
        ledger.begin("registry", "study", 10**15, 10**15, 0)
        began, processor = time.perf_counter(), time.process_time()
        for number in range(charges):
            outcome = ledger.charge("registry", "study", f"run-{number}", f"query-{number}", 1_000, number)
            if not isinstance(outcome, Charged):
                raise RuntimeError("a charge was denied")
        wall, spent = time.perf_counter() - began, time.process_time() - processor
        held = [f"held-{number}" for number in range(charges // 4)]
        start = time.perf_counter()
        for number, run in enumerate(held):
            if not isinstance(ledger.reserve("registry", "study", run, run, 1_000, number), Reserved):
                raise RuntimeError("a price was not held")
            ledger.give_back(run, number)
        holding = time.perf_counter() - start
        what = f"prices of runs held and given back, the study's {len(held):,} of the day looked through, wall"
        say("noise.reserved_per_s", what, len(held) / holding, "1/s")
        say("noise.charges_per_s", "durable charges of two scopes, one after the other, wall", charges / wall, "1/s")
        say("noise.charges_per_cpu_s", "the same, a second of processor time", charges / spent, "1/s")
        taken = shortest(2, lambda: ledger.entries("registry"))
        say("noise.entries_per_s", f"entries verified on reading, {charges:,} of them", charges / taken, "1/s")
        ledger.close()


if __name__ == "__main__":
    main(sys.argv[1:])
