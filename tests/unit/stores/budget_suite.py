"""What every ledger of privacy budgets is held to (port: ``xinglin.privacy.noise.ports.PrivacyLedger``)."""

from __future__ import annotations

import threading

import pytest

from xinglin.kernel.errors import LimitExceeded
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.privacy.noise.accounting import LARGEST_RHO_UNITS
from xinglin.privacy.noise.budget import EVERYBODY, NAME_LETTERS, RELEASE_BYTES, Cached, Charged, Scope, verify
from xinglin.privacy.noise.errors import BadNoise
from xinglin.privacy.noise.ports import PrivacyLedger
from xinglin.privacy.noise.reserving import DAY_MS, HELD_MS, RESERVED_MS, RESERVED_RUNS, Reserved, Waits

THREADS, TRIES, GRANTS = 8, 40, 100


def ready(ledger: PrivacyLedger, everybody: int = 1_000, study: int = 600) -> PrivacyLedger:
    """Data set ``d`` with caps for everybody and for studies ``s`` and ``t``."""
    for name, cap in ((EVERYBODY, everybody), ("s", study), ("t", study)):
        assert ledger.set_cap("d", name, cap, 1)
    return ledger


def codes(outcome: object) -> tuple[str, ...]:
    """Of a denial."""
    assert isinstance(outcome, Denied)
    return outcome.codes


class PrivacyLedgerSuite:
    """Subclasses give the fixture ``ledger``: an empty one."""

    def test_a_charge_is_in_both_scopes_and_in_the_chain(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        before = ledger.head("d")
        outcome = ledger.charge("d", "s", "r1", "q1", 100, 7)
        assert isinstance(outcome, Charged) and not outcome.again
        assert outcome.entry.prev == before and outcome.entry.hash == ledger.head("d")
        assert (outcome.entry.kind, outcome.entry.at, outcome.entry.rho_units) == ("charge", 7, 100)
        assert ledger.caps("d") == (Scope("d", "*", 1_000, 100), Scope("d", "s", 600, 100), Scope("d", "t", 600, 0))
        assert (ledger.spent("d"), ledger.spent("d", "s"), ledger.spent("d", "t"), ledger.spent("x")) == (
            100,
            100,
            0,
            0,
        )
        assert [one.kind for one in ledger.entries("d")] == ["cap", "cap", "cap", "charge"]
        assert ledger.paid("d", "r1") == outcome.entry and ledger.paid("d", "r2") is None

    def test_nothing_without_caps(self, ledger: PrivacyLedger) -> None:
        assert codes(ledger.charge("d", "s", "r", "q", 1, 1)) == ("privacy.no_budget",)
        ledger.set_cap("d", "s", 10, 1)
        assert codes(ledger.charge("d", "s", "r", "q", 1, 1)) == ("privacy.no_budget",)
        ledger.begin("d", "s", 5, 7, 2)
        assert [scope.cap for scope in ledger.caps("d")] == [5, 10], "begin changes no cap that is set"
        assert ledger.charge("d", "s", "r", "q", 1, 1)

    def test_every_reason_is_told_and_nothing_is_spent(self, ledger: PrivacyLedger) -> None:
        ready(ledger, everybody=650)
        assert isinstance(ledger.charge("d", "s", "r1", "q1", 600, 1), Charged)
        assert codes(ledger.charge("d", "s", "r2", "q2", 51, 1)) == ("privacy.study_spent", "privacy.everybody_spent")
        assert codes(ledger.charge("d", "t", "r2", "q2", 51, 1)) == ("privacy.everybody_spent",)
        assert codes(ledger.charge("d", "s", "r2", "q2", 1, 1)) == ("privacy.study_spent",)
        assert isinstance(ledger.charge("d", "t", "r2", "q2", 50, 1), Charged)
        assert ledger.spent("d") == 650

    def test_the_same_run_pays_once(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        first = ledger.charge("d", "s", "r1", "q1", 100, 1)
        again = ledger.charge("d", "s", "r1", "q1", 100, 9)
        assert isinstance(first, Charged) and isinstance(again, Charged)
        assert again.again and again.entry == first.entry and ledger.spent("d") == 100
        for other in (("s", "q2", 100), ("s", "q1", 99), ("t", "q1", 100)):
            study, query, units = other
            assert codes(ledger.charge("d", study, "r1", query, units, 1)) == ("privacy.charged_otherwise",)

    def test_the_same_query_is_answered_for_nothing(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.charge("d", "s", "r1", "q1", 100, 1)
        # Not answered yet: another run's answer would be another answer.
        assert isinstance(ledger.charge("d", "s", "r2", "q1", 100, 1), Charged)
        assert ledger.keep("d", "r1", b"noised", 2) == b"noised"
        for run in ("r1", "r3", "r2"):
            assert ledger.charge("d", "s", run, "q1", 100, 3) == Cached(b"noised")
        assert ledger.spent("d") == ledger.spent("d", "s") == 200
        assert ledger.release("d", "r1") == b"noised" and ledger.release("d", "r2") is None
        assert [one.kind for one in ledger.entries("d")][-1] == "release"

    def test_another_study_pays_for_itself_but_not_for_everybody(self, ledger: PrivacyLedger) -> None:
        ready(ledger, everybody=100)
        ledger.charge("d", "s", "r1", "q1", 100, 1)
        ledger.keep("d", "r1", b"noised", 2)
        shared = ledger.charge("d", "t", "r2", "q1", 100, 3)
        assert isinstance(shared, Cached) and shared.entry is not None and shared.release == b"noised"
        assert (ledger.spent("d"), ledger.spent("d", "t")) == (100, 100)
        assert ledger.charge("d", "t", "r3", "q1", 100, 4) == Cached(b"noised")
        with pytest.raises(BadNoise, match="pay"):
            ledger.keep("d", "r2", b"second", 5)
        ledger.set_cap("d", "u", 99, 5)
        assert codes(ledger.charge("d", "u", "r4", "q1", 100, 6)) == ("privacy.study_spent",)
        ledger.entries("d")

    def test_a_study_that_waits_for_its_own_answer_pays_for_anothers_too(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.charge("d", "s", "r1", "q1", 100, 1)
        ledger.charge("d", "t", "r2", "q1", 100, 1)
        ledger.keep("d", "r2", b"of t", 2)
        assert isinstance(ledger.charge("d", "s", "r1", "q1", 100, 3), Charged), "its own is still to come"
        assert isinstance(ledger.charge("d", "s", "r3", "q1", 100, 3), Cached)
        assert ledger.spent("d", "s") == 200, "two answers are two costs"
        assert ledger.keep("d", "r1", b"of s", 4) == b"of s"
        assert ledger.charge("d", "s", "r4", "q1", 100, 5) == Cached(b"of s")

    def test_the_first_kept_release_is_the_release(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        with pytest.raises(BadNoise, match="pay"):
            ledger.keep("d", "r1", b"x", 1)
        ledger.charge("d", "s", "r1", "q1", 100, 1)
        assert ledger.keep("d", "r1", b"first", 2) == b"first" == ledger.keep("d", "r1", b"second", 3)
        assert sum(one.kind == "release" for one in ledger.entries("d")) == 1

    def test_a_look_changes_nothing(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        head = ledger.head("d")
        assert isinstance(ledger.look("d", "s", "r1", "q1", 100), Charged)
        assert codes(ledger.look("d", "s", "r1", "q1", 601)) == ("privacy.study_spent",)
        assert ledger.head("d") == head and ledger.spent("d") == 0

    def test_a_new_version_inherits(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.charge("d", "s", "r1", "q1", 500, 1)
        assert codes(ledger.inherit("d2", "nothing", 2)) == ("privacy.no_budget",)
        assert ledger.inherit("d2", "d", 2) and ledger.inherit("d3", "d2", 3) and ledger.inherit("d3", "d", 4)
        assert ledger.spent("d3") == 500 and ledger.caps("d2") == ledger.caps("d")
        assert codes(ledger.charge("d3", "s", "r2", "q2", 101, 5)) == ("privacy.study_spent",)
        assert isinstance(ledger.charge("d2", "s", "r2", "q2", 100, 5), Charged)
        assert ledger.spent("d", "s") == 600 and ledger.entries("d3") == ledger.entries("d")
        ledger.set_cap("own", EVERYBODY, 5, 6)
        assert codes(ledger.inherit("own", "d", 7)) == ("privacy.has_budget",)

    def test_caps(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        head = ledger.head("d")
        assert ledger.set_cap("d", "s", 600, 9) == Allowed() and ledger.head("d") == head
        ledger.charge("d", "s", "r1", "q1", 100, 1)
        assert codes(ledger.set_cap("d", "s", 99, 2)) == ("privacy.cap_below_spent",)
        assert codes(ledger.set_cap("d", EVERYBODY, 99, 2)) == ("privacy.cap_below_spent",)
        assert ledger.set_cap("d", "s", 100, 3)
        assert codes(ledger.charge("d", "s", "r2", "q2", 1, 4)) == ("privacy.study_spent",)
        for wrong in (-1, LARGEST_RHO_UNITS + 1):
            assert codes(ledger.set_cap("d", "s", wrong, 5)) == ("privacy.bad_cap",)
        assert ledger.set_cap("d", "v", LARGEST_RHO_UNITS, 5)
        ledger.entries("d")

    @pytest.mark.parametrize(
        "ask",
        [("", "s", "r", "q", 1), ("d", "*", "r", "q", 1), ("d", "s", "", "q", 1), ("d", "s", "r", "", 1)]
        + [("d", "s", "r", "q", units) for units in (0, -5, LARGEST_RHO_UNITS + 1)]
        + [("d", "s", "r\n", "q", 1)],
    )
    def test_what_names_nothing_is_no_charge(self, ledger: PrivacyLedger, ask: tuple[str, str, str, str, int]) -> None:
        ready(ledger)
        with pytest.raises(BadNoise):
            ledger.charge(*ask, at=1)

    def test_limits(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        long = "n" * NAME_LETTERS.value
        assert isinstance(ledger.charge("d", "s", long, long, 1, 1), Charged)
        with pytest.raises(LimitExceeded):
            ledger.charge("d", "s", long + "n", "q", 1, 1)
        with pytest.raises(LimitExceeded):
            ledger.keep("d", long, bytes(RELEASE_BYTES.value + 1), 1)

    def test_eight_threads_never_overspend(self, ledger: PrivacyLedger) -> None:
        ready(ledger, everybody=GRANTS * 7, study=GRANTS * 7)
        granted: list[str] = []
        start = threading.Barrier(THREADS)

        def spend(number: int) -> None:
            start.wait()
            for step in range(TRIES):
                study = "st"[(number + step) % 2]
                if isinstance(ledger.charge("d", study, f"{number}-{step}", f"q{number}-{step}", 7, 1), Charged):
                    granted.append(study)

        threads = [threading.Thread(target=spend, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(granted) == GRANTS and ledger.spent("d") == 7 * GRANTS
        assert ledger.spent("d", "s") == 7 * granted.count("s") and ledger.spent("d", "t") == 7 * granted.count("t")
        last = verify(ledger.entries("d"), ledger.caps("d"))
        assert last is not None and last.hash == ledger.head("d")

    def test_one_run_asked_by_eight_threads_pays_once(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        found: list[object] = []
        start = threading.Barrier(THREADS)

        def spend(number: int) -> None:
            start.wait()
            found.append(ledger.charge("d", "s", "r", "q", 100, number))
            found.append(ledger.keep("d", "r", b"%d" % number, number))

        threads = [threading.Thread(target=spend, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.spent("d") == 100
        assert len({one for one in found if isinstance(one, bytes)}) == 1, "one answer, whoever was first"

    # --- reservations ------------------------------------------------------------------------

    def test_what_is_held_is_nobody_elses_and_becomes_the_charge(self, ledger: PrivacyLedger) -> None:
        ready(ledger, everybody=700)
        head = ledger.head("d")
        assert isinstance(ledger.reserve("d", "s", "r2", "q2", 400, 1), Reserved)
        again = ledger.reserve("d", "s", "r2", "q2", 400, 5)
        assert isinstance(again, Reserved) and again.again and again.reservation.at == 1, "it does not begin anew"
        assert ledger.head("d") == head and ledger.spent("d") == 0, "nothing is paid, and nothing is an entry"
        assert [(one.study, one.reserved) for one in ledger.standing("d", 6)] == [("*", 400), ("s", 400), ("t", 0)]
        assert codes(ledger.charge("d", "t", "r3", "q3", 301, 6)) == ("privacy.everybody_spent",)
        assert codes(ledger.charge("d", "s", "r3", "q3", 201, 6)) == ("privacy.study_spent",)
        assert codes(ledger.look("d", "t", "r3", "q3", 301, 6)) == ("privacy.everybody_spent",)
        assert isinstance(ledger.charge("d", "t", "r3", "q3", 300, 6), Charged)
        paid = ledger.charge("d", "s", "r2", "q2", 400, 7)
        assert isinstance(paid, Charged) and not paid.again
        assert ledger.spent("d") == 700 and not ledger.reservations("d", 7)
        assert ledger.give_back("r2", 8) == (), "what was paid is not given back"
        later = ledger.reserve("d", "s", "r2", "q2", 400, 9)
        assert isinstance(later, Charged) and later.again and not ledger.reservations("d", 9)
        ledger.entries("d")

    def test_given_back_it_is_free_for_others(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.reserve("d", "s", "r1", "q1", 600, 1)
        assert ledger.give_back("nobody", 2) == ()
        assert ledger.give_back("r1", 2) == ("d",) and ledger.give_back("r1", 3) == ()
        assert codes(ledger.reserve("d", "s", "r1", "q1", 600, 4)) == ("privacy.reservation_over",)
        assert isinstance(ledger.reserve("d", "s", "r2", "q2", 600, 4), Reserved)

    def test_it_is_over_in_time_and_then_promises_nothing(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        over = 1 + RESERVED_MS.value
        ledger.reserve("d", "s", "r1", "q1", 600, 1)
        assert not isinstance(ledger.reserve("d", "s", "r2", "q2", 600, over - 1), Reserved)
        assert isinstance(ledger.reserve("d", "s", "r2", "q2", 600, over), Reserved)
        assert "privacy.study_spent" in codes(ledger.charge("d", "s", "r1", "q1", 600, over)), "held by r2 now"
        assert isinstance(ledger.charge("d", "s", "r2", "q2", 600, over + 1), Charged)
        assert ledger.spent("d", "s") == 600

    def test_a_clock_set_back_makes_nothing_last(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.reserve("d", "s", "r1", "q1", 600, 10 * DAY_MS)
        assert isinstance(ledger.reserve("d", "s", "r2", "q2", 600, 5), Reserved)
        ledger.charge("d", "s", "r2", "q2", 600, 6)
        outcome = ledger.charge("d", "s", "r1", "q1", 600, 10 * DAY_MS + 1)  # and the clock is right again
        assert "privacy.study_spent" in codes(outcome) and ledger.spent("d", "s") == 600

    def test_of_two_that_race_one_waits_and_one_ends(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.reserve("d", "s", "run-m", "q", 500, 1)
        assert isinstance(ledger.reserve("d", "s", "run-a", "q2", 500, 2), Waits)
        assert codes(ledger.reserve("d", "s", "run-z", "q3", 500, 2)) == ("privacy.reserved",)
        assert codes(ledger.reserve("d", "s", "run-z", "q3", 601, 2)) == ("privacy.study_spent",), "no use in waiting"
        assert isinstance(ledger.reserve("d", "t", "run-b", "q4", 600, 2), Waits), "everybody's is short"
        ledger.give_back("run-m", 3)
        assert isinstance(ledger.reserve("d", "s", "run-a", "q2", 500, 4), Reserved)

    def test_one_question_is_asked_by_one_run_at_a_time(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.reserve("d", "s", "run-m", "q", 100, 1)
        assert isinstance(ledger.reserve("d", "s", "run-a", "q", 100, 1), Waits)
        assert isinstance(ledger.reserve("d", "t", "run-z", "q", 100, 1), Reserved), "another study's is its own"
        ledger.charge("d", "s", "run-m", "q", 100, 2)
        assert isinstance(ledger.reserve("d", "s", "run-b", "q", 100, 3), Reserved)
        ledger.keep("d", "run-m", b"noised", 4)
        assert ledger.reserve("d", "s", "run-a", "q", 100, 5) == Cached(b"noised")
        # One that holds the price everywhere pays everywhere, whatever was released here meanwhile.
        assert isinstance(ledger.charge("d", "s", "run-b", "q", 100, 6), Charged)
        assert ledger.charge("d", "s", "run-c", "q", 100, 7) == Cached(b"noised")

    def test_a_reservation_is_its_own_runs(self, ledger: PrivacyLedger) -> None:
        ready(ledger, study=1_000)
        ledger.reserve("d", "s", "r1", "q1", 600, 1)
        for study, query, units in (("t", "q1", 600), ("s", "q2", 600), ("s", "q1", 500)):
            assert codes(ledger.reserve("d", study, "r1", query, units, 2)) == ("privacy.charged_otherwise",)
        # In another study's or another question's name it pays like anybody, beside what is held.
        assert codes(ledger.charge("d", "t", "r9", "q1", 600, 2)) == ("privacy.everybody_spent",)
        assert isinstance(ledger.reserve("d", "t", "r9", "q9", 400, 2), Reserved)
        assert sum(one.rho_units for one in ledger.reservations("d", 3)) == 1_000

    def test_a_study_that_never_pays_holds_an_hour_a_day(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        now, held = 0, 0
        while isinstance(found := ledger.reserve("d", "s", f"r{now}", f"q{now}", 600, now), Reserved):
            now, held = now + RESERVED_MS.value, held + RESERVED_MS.value
        assert codes(found) == ("privacy.reserved_too_often",) and held == HELD_MS.value
        assert isinstance(ledger.reserve("d", "t", "other", "q", 600, now), Reserved), "another study is not touched"
        assert isinstance(ledger.reserve("d", "s", "tomorrow", "q", 600, now + DAY_MS), Reserved)

    def test_runs_that_are_ended_early_hold_what_they_held(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        tries = 0
        while isinstance(ledger.reserve("d", "s", f"r{tries}", f"q{tries}", 600, tries * 60_000), Reserved):
            ledger.give_back(f"r{tries}", tries * 60_000 + 59_000)
            tries += 1
        assert HELD_MS.value - RESERVED_MS.value <= tries * 59_000 <= HELD_MS.value
        # Paid ones count for nothing.
        for step in range(3):
            assert isinstance(ledger.charge("d", "t", f"t{step}", f"t{step}", 100, 1), Charged)
        assert isinstance(ledger.reserve("d", "t", "t9", "q", 100, 1), Reserved)

    def test_so_many_at_once(self, ledger: PrivacyLedger) -> None:
        ready(ledger, everybody=100_000, study=50_000)
        names = [f"r{number:02}" for number in range(RESERVED_RUNS.value + 1)]
        found = [ledger.reserve("d", "s", name, name, 1, 1) for name in names]
        assert all(isinstance(one, Reserved) for one in found[:-1])
        assert codes(found[-1]) == ("privacy.reserved",)
        assert isinstance(ledger.reserve("d", "t", "r", "q", 1, 1), Reserved)

    def test_a_cap_that_was_lowered_binds_what_is_held(self, ledger: PrivacyLedger) -> None:
        ready(ledger)
        ledger.reserve("d", "s", "r1", "q1", 600, 1)
        assert ledger.set_cap("d", "s", 599, 2)
        assert codes(ledger.charge("d", "s", "r1", "q1", 600, 3)) == ("privacy.study_spent",)

    def test_eight_threads_reserve_and_pay_and_never_overspend(self, ledger: PrivacyLedger) -> None:
        ready(ledger, everybody=GRANTS * 7, study=GRANTS * 7)
        paid: list[str] = []
        broken: list[object] = []
        start = threading.Barrier(THREADS)

        def ask(number: int) -> None:
            start.wait()
            for step in range(TRIES):
                run, study = f"{number}-{step}", "st"[(number + step) % 2]
                if not isinstance(ledger.reserve("d", study, run, run, 7, step), Reserved):
                    continue
                if step % 5 == 4:
                    ledger.give_back(run, step)
                    continue
                outcome = ledger.charge("d", study, run, run, 7, step)
                (paid if isinstance(outcome, Charged) else broken).append(run)  # type: ignore[arg-type]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not broken, "what was held is always paid"
        assert ledger.spent("d") == 7 * len(paid) <= 7 * GRANTS and not ledger.reservations("d", TRIES)
        assert len(paid) == len(set(paid)) > GRANTS // 2
        ledger.entries("d")
