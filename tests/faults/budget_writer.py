"""Noised answers, run after run; each line on standard output is ``number step [noise]`` once that step has returned.

``python budget_writer.py FOLDER FIRST_NUMBER STOP``, with the checkout on the path. ``STOP``: a step after which the
process waits to be killed; ``-`` for none.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from fractions import Fraction
from pathlib import Path

from xinglin.privacy.noise.budget import Cached, Charged
from xinglin.privacy.noise.reserving import Reserved
from xinglin.privacy.noise.samplers import discrete_gaussian
from xinglin.stores.privacy_budget import BudgetLedger

RHO = 1_000
CAP = 10**9
EXACT = 5


def done(number: int, step: str, stop: str, more: str = "") -> None:
    """Say that a step has returned, in one write; then wait to be killed, if this is where."""
    os.write(1, f"{number} {step} {more}\n".encode())
    while step == stop:
        time.sleep(60)


def answer(ledger: BudgetLedger, number: int, stop: str) -> None:
    """One noised answer as a node gives it: hold the price, pay, compute with noise, keep, and only then say it."""
    run, query = f"run-{number}", f"query-{number}"
    held = ledger.reserve("registry", "study", run, query, RHO, number)
    if isinstance(held, Reserved):
        done(number, "reserved", stop)
    outcome = ledger.charge("registry", "study", run, query, RHO, number)
    if isinstance(outcome, Cached):
        done(number, "released", stop, outcome.release.decode())
        return
    assert isinstance(outcome, Charged), outcome
    done(number, "charged", stop)
    noised = EXACT + int(discrete_gaussian(Fraction(10**18), 1, os.urandom)[0])
    done(number, "noised", stop)
    kept = ledger.keep("registry", run, str(noised).encode(), number)
    done(number, "released", stop, kept.decode())


def main(folder: str, first: int, stop: str) -> None:
    """Until killed."""
    ledger = BudgetLedger.in_folder(Path(folder))
    ledger.begin("registry", "study", CAP, CAP, 0)
    for number in itertools.count(first):
        answer(ledger, number, stop)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
