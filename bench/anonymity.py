"""k-anonymity: the census extract beside ARX's figures, a million rows, the check, the slow reference.

ARX's figures were measured once on such a machine with its own optimum search (5 % of rows suppressed); ours
suppress none. Times are of the processor; the table is recoded and its risks before and after are counted in them.
"""

from __future__ import annotations

import csv
import io
import os
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench._report import quick, say, shortest

from xinglin.privacy.anonymity import Hierarchy, Quasi, Rules, anonymise, check, from_csv, from_intervals
from xinglin.privacy.anonymity.coding import code_column, matrix_of
from xinglin.privacy.anonymity.mondrian import cut_into_classes
from xinglin.privacy.anonymity.rulebook import code_sensitive

QUASI = ("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation")
Table = dict[str, np.ndarray]


def data_folder() -> Path:
    """The folder with the public data sets, as the tests find it."""
    return Path(os.environ.get("XINGLIN_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def adult(archive: Path) -> tuple[Table, dict[str, Hierarchy]]:
    """The census extract in dictionary-coded columns (equal texts are one object), and its hierarchies."""
    with tarfile.open(archive) as packed:
        texts = {name: packed.extractfile(name).read().decode() for name in packed.getnames()}  # type: ignore[union-attr]
    head, *lines = csv.reader(io.StringIO(texts["adult.csv"]), delimiter=";")
    columns = {name: np.array([sys.intern(line[at]) for line in lines], dtype=object) for at, name in enumerate(head)}
    return columns, {name: from_csv(texts[f"adult_hierarchy_{name}.csv"]) for name in head}


def drawn(rows: int) -> tuple[Table, list[Quasi]]:
    """A table of eight columns as a hospital's: age, sex, area, job, day and three codes."""
    draw = np.random.default_rng(1)
    areas = np.array([f"{n:04}" for n in range(1000)], dtype=object)
    columns = {
        "age": np.minimum(draw.gamma(6.0, 8.0, rows).astype(np.int64), 109),
        "sex": np.array(["f", "m"], dtype=object)[draw.integers(0, 2, rows)],
        "area": areas[np.minimum(draw.geometric(0.004, rows), 999)],
        "job": np.array([f"j{n}" for n in range(15)], dtype=object)[draw.integers(0, 15, rows)],
        "day": 19_000 + draw.integers(0, 365, rows),
        "ethnicity": np.array([f"e{n}" for n in range(56)], dtype=object)[np.minimum(draw.geometric(0.5, rows), 55)],
        "stay": draw.geometric(0.2, rows),
        "ward": np.array([f"w{n}" for n in range(30)], dtype=object)[draw.integers(0, 30, rows)],
    }
    area = Hierarchy(tuple((f"{n:04}", f"{n:04}"[:3] + "*", f"{n:04}"[:2] + "**", "*") for n in range(1000)))
    quasi = [Quasi("age", from_intervals(0, 109, (5, 10))), Quasi("area", area), Quasi("day", form="date")]
    return columns, [*quasi, *(Quasi(name) for name in ("sex", "job", "ethnicity", "stay", "ward"))]


def timed(times: int, work: Callable[[], Any]) -> tuple[float, str]:
    """Processor seconds of the quickest run, and the clock's of the quickest in words."""
    walls = []

    def clocked() -> None:
        began = time.perf_counter()
        work()
        walls.append(time.perf_counter() - began)

    taken = shortest(times, clocked)
    return taken, f"by the clock {min(walls) * 1000:,.1f} ms"


def census(times: int) -> None:
    """The census extract: time and loss at k = 5 and 10, with l and t, beside the reference."""
    columns, hierarchies = adult(data_folder() / "adult" / "adult.tar.gz")
    quasi = [Quasi(name, hierarchies[name]) for name in QUASI]
    for k, arx in ((5, 0.300), (10, 0.352)):
        out = anonymise(columns, quasi, Rules(k))
        taken, words = timed(times, lambda k=k: anonymise(columns, quasi, Rules(k)))  # type: ignore[misc]
        promise = "<= 20" if k == 10 else ""
        say(
            f"anonymity.adult.k{k}.ms",
            f"Adult, 30,162 x 8, k = {k}, warm, texts in, texts out",
            taken * 1000,
            "ms",
            promise,
            words,
        )
        comment = f"{out.loss.average_class * k:.1f} rows a class; ARX's local recoding at 10: 0.226" if k == 10 else ""
        say(
            f"anonymity.adult.k{k}.loss",
            f"granularity loss by ARX's definition, k = {k}",
            out.loss.granularity,
            "",
            f"<= {arx}",
            comment,
        )
    coded = [code_column(columns, one) for one in quasi]
    shown, matrix = code_sensitive(columns, ()), matrix_of(coded, 30_162)
    taken, words = timed(times, lambda: cut_into_classes(coded, Rules(10), shown, matrix=matrix))
    say("anonymity.adult.cut.ms", "of which the cutting alone", taken * 1000, "ms", "", words)
    taken, words = timed(1, lambda: cut_into_classes(coded, Rules(10), shown, matrix=matrix, engine="reference"))
    say("anonymity.adult.reference.ms", "the same classes by the numpy reference", taken * 1000, "ms", "", words)
    rules = Rules(10, l=2, sensitive=("salary-class",))
    out = anonymise(columns, quasi, rules)
    taken, words = timed(times, lambda: anonymise(columns, quasi, rules))
    say(
        "anonymity.adult.l2.ms",
        "Adult, k = 10, l = 2",
        taken * 1000,
        "ms",
        "",
        f"{words}; loss {out.loss.granularity:.3f}",
    )


def million(rows: int, times: int) -> None:
    """Eight columns: made anonymous, checked, checked with a sensitive column."""
    columns, quasi = drawn(rows)
    rules = Rules(10)
    out = anonymise(columns, quasi, rules)
    coded = [code_column(columns, one) for one in quasi]
    shown, matrix = code_sensitive(columns, ()), matrix_of(coded, rows)
    walls = []
    for _ in range(times):
        began = time.perf_counter()
        cut_into_classes(coded, rules, shown, matrix=matrix)
        walls.append(time.perf_counter() - began)
    comment = f"{len(set(out.classes.tolist())):,} classes, loss {out.loss.granularity:.3f}, two threads, by the clock"
    say("anonymity.million.cut.s", f"{rows:,} x 8, k = 10: the cutting", min(walls), "s", "<= 1", comment)
    taken, words = timed(times, lambda: anonymise(columns, quasi, rules))
    say("anonymity.million.s", f"{rows:,} x 8, k = 10, texts in, texts out, risks", taken, "s", "", words)
    names = [one.name for one in quasi]
    taken, words = timed(times, lambda: check(out.columns, names))
    say("anonymity.check.s", f"check of {rows:,} x 8: k and risks", taken, "s", "", words)
    columns["illness"] = np.array([f"d{n}" for n in range(12)], dtype=object)[np.arange(rows) % 12]
    checked = out.columns | {"illness": columns["illness"]}
    taken, words = timed(times, lambda: check(checked, names, sensitive=["illness"]))
    say("anonymity.check.sensitive.s", "the same with l and t of a column", taken, "s", "", words)


def main(arguments: list[str]) -> None:
    """Print the figures."""
    small = quick(arguments)
    if (data_folder() / "adult").is_dir():
        census(2 if small else 15)
    million(20_000 if small else 1_000_000, 1 if small else 3)


if __name__ == "__main__":
    main(sys.argv[1:])
