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
