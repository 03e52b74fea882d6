"""Budgets of privacy under faults: killed between charge and release, nobody gets an answer that nobody paid for."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.faults.budget_writer import RHO

from xinglin.kernel.verdict import Denied
from xinglin.privacy.noise.budget import Cached, Charged, verify
from xinglin.privacy.noise.reserving import RESERVED_MS, Reserved
from xinglin.stores.database_errors import StoreError
from xinglin.stores.privacy_budget import BudgetLedger

ROOT = Path(__file__).resolve().parent.parent.parent
Said = list[tuple[int, str, str]]


def write_until_killed(folder: Path, first: int, stop: str, at_least: int, seconds: float = 0.0) -> Said:
    """Run the writer, ``kill -9`` it after so many steps and seconds; the steps that had returned."""
    command = [sys.executable, str(Path(__file__).with_name("budget_writer.py")), str(folder), str(first), stop]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        end = time.monotonic() + seconds
        while len(lines) < at_least or time.monotonic() < end:
            lines.append(writer.stdout.readline())
            assert lines[-1], "the writer ended by itself"
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.read().splitlines(keepends=True)
    said = [line.decode().rstrip("\n").split(" ", 2) for line in lines if line.endswith(b"\n")]
    return [(int(number), step, more) for number, step, more in said]


@pytest.mark.parametrize(("stop", "steps"), [("charged", 2), ("noised", 3)])
def test_killed_between_charge_and_release_it_is_paid_and_not_answered(tmp_path: Path, stop: str, steps: int) -> None:
    said = write_until_killed(tmp_path, 7, stop, at_least=steps)
    assert said[-1][:2] == (7, stop)
    ledger = BudgetLedger.in_folder(tmp_path)
    assert ledger.spent("registry") == ledger.spent("registry", "study") == RHO, "paid, and not given back"
    assert ledger.release("registry", "run-7") is None
    assert ledger.reservations("registry", 7) == (), "what was held is the charge"
    # Somebody else's run of the same query is another answer, and is paid.
    assert isinstance(ledger.charge("registry", "study", "run-8", "query-7", RHO, 1), Charged)
    assert ledger.spent("registry") == 2 * RHO
    # The same run goes on: its one charge pays for one answer, which from then on is the answer.
    again = ledger.charge("registry", "study", "run-7", "query-7", RHO, 1)
    assert isinstance(again, Charged) and again.again
    assert ledger.keep("registry", "run-7", b"first", 1) == ledger.keep("registry", "run-7", b"second", 1) == b"first"
    assert ledger.charge("registry", "study", "run-7", "query-7", RHO, 1) == Cached(b"first")
    assert ledger.spent("registry") == 2 * RHO
    ledger.close()


def test_killed_with_the_price_held_nothing_is_paid_and_nothing_is_held_for_ever(tmp_path: Path) -> None:
    assert write_until_killed(tmp_path, 7, "reserved", at_least=1) == [(7, "reserved", "")]
    ledger = BudgetLedger.in_folder(tmp_path)
    assert ledger.spent("registry") == 0
    assert [(one.run, one.rho_units) for one in ledger.reservations("registry", 8)] == [("run-7", RHO)]
    ledger.set_cap("registry", "study", RHO, 8)
    denied = ledger.charge("registry", "study", "run-8", "query-8", RHO, 8)
    assert isinstance(denied, Denied) and denied.codes == ("privacy.study_spent",), (
        "held still, for the one that comes back"
    )
    ledger.close()
    # The same run goes on where it was: one reservation, one charge.
    said = write_until_killed(tmp_path, 7, "charged", at_least=2)
    assert said == [(7, "reserved", ""), (7, "charged", "")]
    ledger = BudgetLedger.in_folder(tmp_path)
    assert ledger.spent("registry") == RHO and ledger.reservations("registry", 8) == ()
    ledger.close()


def test_a_run_that_never_comes_back_holds_its_price_for_ten_minutes(tmp_path: Path) -> None:
    write_until_killed(tmp_path, 7, "reserved", at_least=1)
    ledger = BudgetLedger.in_folder(tmp_path)
    ledger.set_cap("registry", "study", RHO, 8)
    over = 7 + RESERVED_MS.value
    assert isinstance(ledger.reserve("registry", "study", "run-8", "query-8", RHO, over), Reserved)
    assert isinstance(ledger.charge("registry", "study", "run-8", "query-8", RHO, over), Charged)
    late = ledger.charge("registry", "study", "run-7", "query-7", RHO, over)
    assert isinstance(late, Denied) and ledger.spent("registry") == RHO
    ledger.close()


def test_killed_after_the_release_was_kept_the_answer_stays_the_same(tmp_path: Path) -> None:
    said = write_until_killed(tmp_path, 7, "released", at_least=4)
    told = said[-1][2]
    again = write_until_killed(tmp_path, 7, "released", at_least=1)
    assert again == [(7, "released", told)], "the kept answer, at no cost and with no fresh noise"
    ledger = BudgetLedger.in_folder(tmp_path)
    assert ledger.spent("registry") == RHO
    ledger.close()


@pytest.mark.slow
def test_kill_9_at_any_moment_gives_no_free_answer(tmp_path: Path) -> None:
    """However often it is killed: told answers are kept ones, each paid for once, and the chain is whole."""
    first, told, paid = 0, {}, set()
    for attempt in range(8):
        said = write_until_killed(tmp_path, first, "-", at_least=20, seconds=0.02 * attempt)
        for number, step, more in said:
            if step == "released":
                assert told.setdefault(number, more) == more, "one query, one answer"
            paid |= {number} if step == "charged" else set()
        ledger = BudgetLedger.in_folder(tmp_path)
        entries = ledger.entries("registry")
        assert verify(entries, ledger.caps("registry")) is not None
        charges = [one.run for one in entries if one.kind == "charge"]
        kept = [one.run for one in entries if one.kind == "release"]
        assert len(set(charges)) == len(charges) and ledger.spent("registry") == RHO * len(charges)
        assert {one.run for one in ledger.reservations("registry", max(said)[0])}.isdisjoint(charges)
        assert len(ledger.reservations("registry", max(said)[0])) <= 1, "of the run that was killed"
        assert set(kept) <= set(charges) and {f"run-{number}" for number in paid} <= set(charges)
        for number, more in told.items():
            assert ledger.release("registry", f"run-{number}") == more.encode()
        ledger.close()
        first = max(said)[0]
    assert len(told) > 30


def test_a_full_disk_charges_nothing_that_it_says_it_charged(tmp_path: Path) -> None:
    """A charge that could not be written is an error; what was said before still stands."""
    ledger = BudgetLedger.in_folder(tmp_path)
    ledger.begin("registry", "study", 10**9, 10**9, 0)
    granted = 0
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        size = max(path.stat().st_size for path in tmp_path.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 60_000, before[1]))
        with pytest.raises(StoreError):
            for number in range(10_000):
                assert isinstance(ledger.charge("registry", "study", f"run-{number}", "q" * 400, RHO, 1), Charged)
                granted += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    ledger.close()
    again = BudgetLedger.in_folder(tmp_path)
    charges = sum(one.kind == "charge" for one in again.entries("registry"))
    assert granted <= charges <= granted + 1 and again.spent("registry") == RHO * charges
    again.close()
