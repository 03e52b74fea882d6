"""Logistic regression over three hospitals against statsmodels on the pooled rows, in the same run.

In process: ours makes everything anew in each fit (checks of ranges, persons and cells counted, moments, the design
matrix, sums in fixed point, three updates), statsmodels is given its matrix. Both alternate, warm. End to end: real
processes with the query, decision, evidence under a quorum, masks, TLS and a verified receipt, beside a formula on
a DataFrame that lies in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench._report import middle_of, quick, say

HOSPITALS, COVARIATES = 3, 10
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Arrays = dict[str, Any]


# --- ours, in one process ----------------------------------------------------------------------------


class Ours:
    """Three nodes' computing and their fixed-point sum in this process; ``run`` is one whole fit."""

    def __init__(self, hospitals: list[Arrays]) -> None:
        import numpy as np
        from bench._space import RANGE, covariates, formula

        from xinglin.analysis.algorithm import AlgorithmSpec
        from xinglin.analysis.table import Column, Table

        numbers = tuple(Column(name, "number", -RANGE, RANGE) for name in covariates(COVARIATES))
        self.domain = (Column("y", "boolean"), *numbers)
        self.spec = AlgorithmSpec("glm", {"formula": formula(COVARIATES), "family": "binomial", "link": ""})
        self.tables = [Table.of(self.domain, one, np.arange(len(one["y"]))) for one in hospitals]
        self.rounds = 0
        self.payload: dict[str, Any] = {}

    def run(self) -> tuple[float, float]:
        """Seconds of all nodes together, and of a fit where each has a processor of its own.

        Nothing is kept from the run before: guard block, moments and design matrix are made anew.
        """
        from xinglin.analysis.algorithm import Result, State, build
        from xinglin.secure.encoding import FixedPoint
        from xinglin.terms.thresholds import DisclosureRules

        whole = longest = 0.0
        began = time.perf_counter()
        nodes = [build(self.spec, self.domain, DisclosureRules()) for _ in self.tables]
        whole += time.perf_counter() - began
        state: Any = nodes[0].initial_state()
        self.rounds = 0
        while isinstance(state, State):
            self.rounds += 1
            coder = FixedPoint(tuple(nodes[0].layout(state)), len(nodes))
            words, local = [], []
            for node, table in zip(nodes, self.tables, strict=True):
                began = time.perf_counter()
                words.append(coder.encode(node.local(table, state)))
                local.append(time.perf_counter() - began)
            began = time.perf_counter()
            total = coder.decode(_added(coder, words))
            added = time.perf_counter() - began
            updates, following = [], state
            for node in nodes:
                began = time.perf_counter()
                following = node.update(state, total, len(nodes))
                updates.append(time.perf_counter() - began)
            whole += sum(local) + added + sum(updates)
            longest += max(local) + added + max(updates)
            state = following
        if not isinstance(state, Result):
            raise SystemExit(f"no model: {state}")
        self.payload = state.payload
        return whole, longest


def _added(coder: Any, words: list[Any]) -> Any:
    from xinglin.secure import ring

    total = words[0].copy()
    for word in words[1:]:
        ring.add(total, word, coder.shape)
    return total


# --- statsmodels -------------------------------------------------------------------------------------


def pooled(hospitals: list[Arrays]) -> tuple[Any, Any]:
    """The outcome and the design matrix (intercept first) of all rows."""
    import numpy as np
    from bench._space import covariates

    columns = [np.concatenate([one[name] for one in hospitals]) for name in covariates(COVARIATES)]
    outcome = np.concatenate([one["y"] for one in hospitals]).astype(float)
    return outcome, np.column_stack([np.ones(len(outcome)), *columns])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(rows: int, times: int) -> dict[str, Any]:
    """Ours and statsmodels in turn in this process, warm, from the design matrix; medians in seconds."""
    import numpy as np
    import statsmodels.api as sm
    from bench._space import rows_of

    hospitals = [rows_of(number, rows, COVARIATES) for number in range(HOSPITALS)]
    ours = Ours(hospitals)
    y, X = pooled(hospitals)
    fit = sm.GLM(y, X, family=sm.families.Binomial()).fit(tol=1e-14, maxiter=100)
    sm.Logit(y, X).fit(disp=0)
    ours.run()
    found: dict[str, list[float]] = {name: [] for name in ("sum", "max", "glm", "logit")}
    for _ in range(times):
        whole, longest = ours.run()
        found["sum"].append(whole)
        found["max"].append(longest)
        found["glm"].append(_seconds(lambda: sm.GLM(y, X, family=sm.families.Binomial()).fit()))
        found["logit"].append(_seconds(lambda: sm.Logit(y, X).fit(disp=0)))
    coefficients, errors = np.asarray(ours.payload["coefficients"]), np.asarray(ours.payload["standard_errors"])
    away = max(np.abs(coefficients / fit.params - 1).max(), np.abs(errors / fit.bse - 1).max())
    return {
        **{name: sorted(seconds)[len(seconds) // 2] for name, seconds in found.items()},
        "rounds": ours.rounds,
        "away": float(away),
    }


def compute(rows: int, times: int, threads_tried: tuple[int, ...]) -> None:
    """Figures with one BLAS thread, as a node's computing child has, and with one a core."""
    shape = f"{HOSPITALS} × {rows:,} rows × {COVARIATES} columns"
    for threads in threads_tried:
        environment = os.environ | dict.fromkeys(_THREADS, str(threads))
        words = [sys.executable, "-m", "bench.glm", "compare", str(rows), str(times)]
        done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
        _tell(json.loads(done.stdout), shape, threads)


def _tell(one: dict[str, Any], shape: str, threads: int) -> None:
    key, words = f"glm.t{threads}", f"{shape}, {threads} BLAS thread{'s' if threads > 1 else ''}"
    note = f"guard block, moments, design matrix, {one['rounds']} rounds of local sums, fixed point, addition, updates"
    say(f"{key}.ours.sum", f"logistic model, {words}: all three nodes together", 1e3 * one["sum"], "ms", "", note)
    say(f"{key}.ours.max", "the same, each node on a processor of its own", 1e3 * one["max"], "ms")
    say(f"{key}.statsmodels.glm", f"statsmodels GLM, pooled, {words}", 1e3 * one["glm"], "ms", "", _WARM)
    say(f"{key}.statsmodels.logit", f"statsmodels Logit, pooled, {words}", 1e3 * one["logit"], "ms", "", _WARM)
    words = "all three nodes together over statsmodels"
    say(f"{key}.ratio", f"{words} GLM", one["sum"] / one["glm"], "×", "<= 1", _SIDE)
    say(f"{key}.ratio.logit", f"{words} Logit", one["sum"] / one["logit"], "×")
    words = "largest relative difference of coefficients and standard errors from statsmodels GLM"
    say(f"{key}.difference", words, one["away"], "", "<= 1e-8", "GLM here with tol=1e-14; timed with its default, 1e-8")


_WARM = "warm, from a matrix that is ready"
_SIDE = "side by side in one process; masks, signatures and network are in space.round and secure_sum"


# --- end to end --------------------------------------------------------------------------------------


def end_to_end(rows: int, times: int) -> None:
    """From the analyst's call to the result: three real nodes over TLS, and statsmodels from a DataFrame."""
    from bench._space import BenchSpace, formula, rows_of
    from bench.space import ask

    shape = f"{HOSPITALS} × {rows:,} rows × {COVARIATES} columns"
    with tempfile.TemporaryDirectory() as name, BenchSpace(Path(name), HOSPITALS, rows, COVARIATES) as space:
        data = space.open()
        cold = ask(data, space, 1)[0]
        warm = sorted(ask(data, space, times))[times // 2]
    what = f"end to end, {shape}: from the call in the SDK to the verified result"
    cores = len(os.sched_getaffinity(0))
    words = f"hub and three nodes on {cores} cores, one BLAS thread each; the first time {cold:.2f} s"
    say("glm.end_to_end.ours", what, warm, "s", "", words)

    import pandas as pd
    import statsmodels.formula.api as smf
    from statsmodels.genmod.families import Binomial

    frame = pd.concat([pd.DataFrame(rows_of(number, rows, COVARIATES)) for number in range(HOSPITALS)])
    frame["y"] = frame["y"].astype(float)
    smf.glm(formula(COVARIATES), frame, family=Binomial()).fit()
    other = middle_of(times, lambda: _seconds(lambda: smf.glm(formula(COVARIATES), frame, family=Binomial()).fit()))
    what = "end to end: statsmodels GLM from a formula and a DataFrame of all rows in memory"
    say("glm.end_to_end.statsmodels", what, other, "s", "", f"warm, BLAS threads by default ({cores} cores)")
    say("glm.end_to_end.ratio", "end to end, ours over statsmodels", warm / other, "×")


def main(arguments: list[str]) -> None:
    """Everything; ``--quick``: few rows; ``compare ROWS TIMES`` is the process under test of ``compute``."""
    if arguments[:1] == ["compare"]:
        print(json.dumps(compare(int(arguments[1]), int(arguments[2]))))
        return
    small = quick(arguments)
    rows = 2_000 if small else 100_000
    threads = (1,) if small else tuple(dict.fromkeys((1, len(os.sched_getaffinity(0)))))
    compute(rows, 1 if small else 7, threads)
    end_to_end(rows, 1 if small else 5)


if __name__ == "__main__":
    main(sys.argv[1:])
