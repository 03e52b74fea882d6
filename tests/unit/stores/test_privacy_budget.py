"""Ledgers of privacy budgets: the one in memory, SQLite, PostgreSQL; and what is changed behind their back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from tests.unit.stores.budget_memory import MemoryLedger
from tests.unit.stores.budget_suite import PrivacyLedgerSuite, codes, ready
from tests.unit.stores.conftest import FreshUrl

from xinglin.kernel.verdict import Denied
from xinglin.privacy.noise.budget import EVERYBODY, Cached, Charged
from xinglin.privacy.noise.errors import BrokenChain
from xinglin.privacy.noise.ports import PrivacyLedger
from xinglin.privacy.noise.reserving import Reserved
from xinglin.stores.privacy_budget import BudgetLedger


class TestMemory(PrivacyLedgerSuite):
    @pytest.fixture
    def ledger(self) -> PrivacyLedger:
        return MemoryLedger()


class TestDatabase(PrivacyLedgerSuite):
    @pytest.fixture
    def ledger(self, urls: FreshUrl) -> Iterator[PrivacyLedger]:
        made = BudgetLedger(urls(), accept_loss=True)
        yield made
        made.close()


@pytest.fixture
def used(tmp_path: Path) -> Iterator[BudgetLedger]:
    """A ledger in ``tmp_path`` with a charge and its release."""
    made = BudgetLedger.in_folder(tmp_path)
    ready(made)
    made.charge("d", "s", "r1", "q1", 100, 1)
    made.keep("d", "r1", b"noised", 2)
    made.charge("d", "s", "r2", "q2", 100, 3)
    yield made
    made.close()


def test_it_outlives_the_process(used: BudgetLedger, tmp_path: Path) -> None:
    again = BudgetLedger.in_folder(tmp_path)
    assert again.entries("d") == used.entries("d") and again.spent("d") == 200
    assert again.charge("d", "s", "r9", "q1", 100, 9) == Cached(b"noised")
    again.close()


def tamper(folder: Path, words: str) -> None:
    with sqlite3.connect(folder / "node.db") as connection:
        assert connection.execute(words).rowcount > 0


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE budget_scope SET spent = spent - 100 WHERE study = '*'",
        "UPDATE budget_scope SET spent = 0 WHERE study = 's'",
        "UPDATE budget_entry SET rho_units = 1 WHERE seq = 6",
        "UPDATE budget_entry SET all_spent = 100, study_spent = 100 WHERE seq = 6",
        "DELETE FROM budget_entry WHERE seq = 6",
        "UPDATE budget_entry SET version = 2 WHERE seq = 6",
    ],
)
def test_what_was_changed_behind_its_back_stops_it(used: BudgetLedger, tmp_path: Path, words: str) -> None:
    tamper(tmp_path, words)
    with pytest.raises(BrokenChain):
        used.charge("d", "s", "r3", "q3", 1, 9)
    with pytest.raises(BrokenChain):
        used.entries("d")


@pytest.mark.parametrize(
    "words",
    [
        "UPDATE budget_entry SET rho_units = 1 WHERE seq = 4",
        "DELETE FROM budget_entry WHERE seq = 4",
        "UPDATE budget_entry SET seq = 99 WHERE seq = 2",
        "UPDATE budget_scope SET cap = 100000 WHERE study = 's'",
        "UPDATE budget_entry SET at = 5 WHERE seq = 1",
    ],
)
def test_older_changes_are_found_on_reading(used: BudgetLedger, tmp_path: Path, words: str) -> None:
    tamper(tmp_path, words)
    with pytest.raises(BrokenChain):
        used.entries("d")


def test_a_changed_release_is_not_handed_out(used: BudgetLedger, tmp_path: Path) -> None:
    tamper(tmp_path, "UPDATE budget_release SET release = x'00'")
    for read in (
        lambda: used.charge("d", "s", "r9", "q1", 100, 9),
        lambda: used.release("d", "r1"),
        lambda: used.keep("d", "r1", b"noised", 9),
    ):
        with pytest.raises(BrokenChain):
            read()


def test_the_database_itself_refuses_to_overspend(used: BudgetLedger, tmp_path: Path) -> None:
    for words in ("SET spent = cap + 1", "SET spent = -1", "SET cap = spent - 1"):
        with pytest.raises(sqlite3.IntegrityError, match="never_overspent"):
            tamper(tmp_path, f"UPDATE budget_scope {words} WHERE study = 's'")


def test_costs_and_forecasts_are_shown(used: BudgetLedger) -> None:
    delta = Fraction(1, 10**6)
    shown = used.preview("d", "s", 150)
    assert not isinstance(shown, Denied) and shown.fits and shown.releases_left == 2
    assert shown.study.epsilon(delta) < shown.study_after.epsilon(delta) and shown.everybody_after.spent == 350
    too_much = used.preview("d", "s", 401)
    assert not isinstance(too_much, Denied) and not too_much.fits and too_much.releases_left == 0
    pace = used.forecast("d", EVERYBODY, 10, window_days=1)
    assert not isinstance(pace, Denied) and (pace.left, pace.a_day, pace.days_left) == (800, 200, 4)
    idle = used.forecast("d", "t", 10)
    assert not isinstance(idle, Denied) and idle.days_left == -1
    assert codes(used.preview("d", "nobody", 1)) == ("privacy.no_budget",)
    assert codes(used.forecast("d", "nobody", 1)) == ("privacy.no_budget",)


def test_a_new_name_over_the_same_tables_goes_on_with_the_budget(used: BudgetLedger) -> None:
    used.cover("d", {"person", "lab"}, 4)
    used.cover("d-v2", {"lab", "drug"}, 5)
    used.begin("d-v2", "s", 10**6, 10**6, 6)
    assert used.sharing("d-v2") == ("d",) and used.spent("d-v2") == 200
    assert codes(used.charge("d-v2", "s", "r3", "q3", 401, 7)) == ("privacy.study_spent",)
    assert used.charge("d-v2", "s", "r3", "q3", 400, 7) and used.spent("d", "s") == 600
    used.cover("other", {"image"}, 8)
    used.begin("other", "s", 50, 40, 8)
    assert used.sharing("other") == ("other",) and used.spent("other") == 0
    # What the second name brought with it is of the one budget too, whatever is published since.
    used.cover("d-v3", {"drug"}, 9)
    assert used.sharing("d-v3") == ("d",)


def test_budgets_that_came_to_share_a_table_are_both_paid_from(used: BudgetLedger) -> None:
    used.cover("d", {"person"}, 4)
    used.cover("e", {"image"}, 4)
    used.begin("e", "s", 1_000, 900, 5)
    used.cover("e", {"image", "person"}, 6)  # published anew with a table that another has
    used.begin("e", "s", 1_000, 900, 6)
    assert used.sharing("e") == ("e", "d") and used.sharing("d") == ("d", "e")
    assert used.charge("e", "s", "r3", "q3", 300, 7)
    assert used.charge("e", "s", "r3", "q3", 300, 7), "the same run pays once"
    assert (used.spent("e", "s"), used.spent("d", "s")) == (300, 500)
    assert [one.told for one in used.entries("d") if one.run == "r3"] == ["e"]
    assert codes(used.charge("e", "s", "r4", "q4", 101, 8)) == ("privacy.study_spent",)
    assert codes(used.look("e", "s", "r4", "q4", 101)) == ("privacy.study_spent",)
    assert (used.spent("e"), used.spent("d")) == (300, 500), "one that lacks, and none pays"
    assert used.charge("d", "s", "r5", "q5", 100, 9) and used.spent("e", "s") == 400
    used.entries("e")


def test_of_several_the_one_with_the_least_left_is_gone_on_with_and_all_pay(used: BudgetLedger) -> None:
    used.cover("d", {"person"}, 4)
    used.cover("e", {"image"}, 4)
    used.begin("e", "s", 300, 300, 5)
    used.cover("f", {"image", "person"}, 6)
    used.begin("f", "t", 10**6, 200, 6)
    assert used.sharing("f") == ("e", "d")
    assert used.charge("f", "t", "r3", "q3", 100, 7)
    assert (used.spent("e"), used.spent("d"), used.spent("d", "t")) == (100, 300, 100)


def test_a_ledger_from_before_reservations_goes_on(used: BudgetLedger, tmp_path: Path) -> None:
    before = used.entries("d")
    used.close()
    with sqlite3.connect(tmp_path / "node.db") as connection:
        connection.execute("DROP TABLE budget_reserved")
    again = BudgetLedger.in_folder(tmp_path)
    assert again.entries("d") == before
    assert isinstance(again.reserve("d", "s", "r9", "q9", 400, 5), Reserved)
    assert again.charge("d", "s", "r9", "q9", 400, 6) and again.spent("d", "s") == 600
    again.close()


def test_the_chain_is_what_it_was_byte_by_byte(tmp_path: Path) -> None:
    """Reservations leave no trace in it: a program without them reads the same history."""
    ledger = BudgetLedger.in_folder(tmp_path)
    ledger.set_cap("d", EVERYBODY, 1_000, 1)
    ledger.set_cap("d", "s", 600, 1)
    ledger.reserve("d", "s", "r1", "q1", 100, 1)
    ledger.reserve("d", "s", "r7", "q7", 100, 1)
    ledger.charge("d", "s", "r1", "q1", 100, 2)
    ledger.keep("d", "r1", b"noised", 3)
    ledger.give_back("r7", 4)
    assert ledger.head("d") == "sha256:a2d8a3ae85a817319550107b8bcb152ef73bc2bdfde93d37a05488b0bf27ba56"
    ledger.close()


def test_a_reservation_struck_out_of_the_database_frees_and_overspends_nothing(
    used: BudgetLedger, tmp_path: Path
) -> None:
    used.reserve("d", "s", "r3", "q3", 400, 5)
    tamper(tmp_path, "DELETE FROM budget_reserved")
    assert isinstance(used.charge("d", "s", "r4", "q4", 300, 6), Charged)
    assert codes(used.charge("d", "s", "r3", "q3", 400, 7)) == ("privacy.study_spent",)
    used.reserve("d", "s", "r5", "q5", 100, 8)
    tamper(tmp_path, "UPDATE budget_reserved SET rho_units = 1, ended = -1, study = 't'")
    assert isinstance(used.charge("d", "s", "r6", "q6", 100, 9), Charged)
    assert codes(used.charge("d", "s", "r5", "q5", 100, 9)) == ("privacy.study_spent",)
    assert used.spent("d", "s") == 600 and used.entries("d")
