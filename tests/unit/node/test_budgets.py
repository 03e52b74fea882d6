"""Budgets of privacy at a node: persons are in lake tables, so another name over the same tables is no fresh budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from xinglin.catalogue import ColumnDescription, DataSetDescription, TableDescription
from xinglin.gate import Use
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.node.budgets import Caps, NodeBudgets, lake_tables
from xinglin.node.synthetic_shelf import SCOPE
from xinglin.privacy.noise.budget import Charged
from xinglin.privacy.noise.reserving import Waits
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.terms.request import Plan, UseRequest, check_plan, is_name
from xinglin.terms.thresholds import DisclosureRules
from xinglin.trust.envelope import Signed
from xinglin.wire.budgets import BudgetTold

HERE, USER, D = "did:xinglin:" + "h" * 26, "did:xinglin:" + "u" * 26, "sha256:" + "0" * 64
RHO = 10**9


class Hospital:
    """A node's budgets over its own database, and what it publishes."""

    def __init__(self, folder: Path) -> None:
        self.published: dict[str, DataSetDescription] = {}
        self.database = NodeDatabase.in_folder(folder, lambda: 1)
        self.budgets = NodeBudgets(
            BudgetLedger.in_folder(folder),
            self.database,
            Caps(3 * RHO, 5 * RHO),
            lambda: 1_000,
            lambda: lake_tables(self.published),
        )

    def publish(self, name: str, *tables: str) -> None:
        columns = (ColumnDescription("age", "integer"),)
        found = tuple(TableDescription(one, columns, "age") for one in tables)
        self.published[name] = DataSetDescription(name, HERE, name, found)

    def ask(self, run: str, data_set: str, study: str = "heart") -> tuple[str, ...]:
        """Look and pay, as a run does; the reasons where it may not."""
        asked = use(run, data_set, study)
        looked = self.budgets.look(asked)
        if isinstance(looked, Denied):
            return looked.codes
        assert looked == Allowed()
        paid = self.budgets.charge(asked)
        return () if isinstance(paid, Charged) else paid.codes


def use(run: str, data_set: str, study: str) -> Use:
    params = {"column": "age", "bins": 5, "noise": {"rho_units": RHO, "minimum": 3, "colluders": 1}}
    plan = Plan(study, data_set, "SELECT age FROM v", "dp_histogram", params, (HERE,), 5, {HERE: D}, DisclosureRules())
    request = UseRequest(D, USER, study, "health-research", "statistics", "n" * 16, 1, 2, (USER,), (HERE,))
    return Use(run, Signed("c", USER, b"", b""), request, plan)


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    made = Hospital(tmp_path)
    made.publish("cardio", "person", "cardiac")
    yield made
    made.budgets.close()
    made.database.close()


def test_the_same_tables_under_a_new_name_cannot_be_asked_afresh(hospital: Hospital) -> None:
    assert [hospital.ask(f"r{one}", "cardio") for one in range(4)] == [(), (), (), ("privacy.study_spent",)]
    hospital.publish("cardio-v2", "cardiac", "drug")
    assert hospital.budgets.epsilon(use("r8", "cardio-v2", "heart")) == hospital.budgets.epsilon(
        use("r8", "cardio", "heart")
    ), "nor does a policy that names a budget forget what was spent"
    assert hospital.budgets.uses(use("r8", "cardio-v2", "heart")) == 3
    assert hospital.ask("r8", "cardio-v2") == ("privacy.study_spent",)
    assert hospital.ask("r9", "cardio-v2", "lungs") == ()
    assert hospital.budgets.scopes("cardio", "lungs")[0].spent == RHO
    assert hospital.budgets.scopes("cardio-v2", "lungs")[1].spent == 4 * RHO
    assert hospital.budgets.inherit("cardio-v2", "cardio") == Allowed(), "the officer's word says the same"
    hospital.budgets.entries("cardio-v2")


def test_unrelated_tables_have_a_budget_of_their_own(hospital: Hospital) -> None:
    assert [hospital.ask(f"r{one}", "cardio") for one in range(3)] == [(), (), ()]
    hospital.publish("images", "image")
    assert hospital.ask("r5", "images") == ()
    assert hospital.budgets.scopes("images", "heart")[0].spent == RHO


def test_a_description_that_changes_its_tables_gets_away_from_nothing(hospital: Hospital) -> None:
    assert [hospital.ask(f"r{one}", "cardio") for one in range(3)] == [(), (), ()]
    hospital.publish("cardio", "image")  # the old name is put elsewhere, a new one takes its tables
    hospital.publish("fresh", "cardiac")
    assert hospital.ask("r5", "fresh") == ("privacy.study_spent",)


def test_a_data_set_that_took_in_anothers_table_pays_from_both_and_says_which_lacks(hospital: Hospital) -> None:
    told: list[BudgetTold] = []
    hospital.budgets.teller = told.append
    hospital.publish("images", "image")
    assert [hospital.ask(f"r{one}", "cardio") for one in range(2)] == [(), ()]
    assert hospital.ask("r3", "images") == ()
    hospital.publish("images", "image", "person")
    assert hospital.budgets.uses(use("r4", "cardio", "heart")) == 2
    told.clear()
    assert hospital.ask("r4", "images") == ()
    assert {one.data_set for one in told} == {"cardio", "images"}
    assert hospital.budgets.uses(use("r5", "cardio", "heart")) == 2, "of its own answers"
    denied = hospital.budgets.look(use("r5", "images", "heart"))
    assert isinstance(denied, Denied) and denied.codes == ("privacy.study_spent",)
    words = str(denied.reasons)
    assert "another data set that shares a table" in words and "cardio" not in words and "0.00" not in words
    assert hospital.budgets.scopes("images", "heart")[0].spent == 2 * RHO


def test_a_study_that_is_called_like_the_shelf_has_a_cap_as_every_other(hospital: Hospital) -> None:
    paid = hospital.budgets.pay_own("cardio", SCOPE, "shelf-a", "sha256:" + "1" * 64, RHO)
    assert isinstance(paid, Charged) and not is_name(SCOPE), "the shelf's own scope is no study's"
    assert [hospital.ask(f"r{one}", "cardio", "shelf") for one in range(4)] == [(), (), (), ("privacy.study_spent",)]
    plan = msgspec.structs.replace(use("r9", "cardio", "heart").plan, study=SCOPE)
    assert isinstance(check_plan(plan), Denied), "a node refuses it before it looks at a budget"


def test_caps_set_for_a_new_name_before_it_is_asked_are_no_fresh_budget(hospital: Hospital) -> None:
    assert [hospital.ask(f"r{one}", "cardio") for one in range(3)] == [(), (), ()]
    hospital.publish("cardio-v2", "cardiac")
    assert hospital.budgets.set_cap("cardio-v2", "", 10 * RHO) == Allowed()
    assert hospital.ask("r5", "cardio-v2") == ("privacy.study_spent",)


def standing(hospital: Hospital, data_set: str = "cardio", study: str = "heart") -> tuple[int, int, int]:
    """Spent and held by the study, and held by everybody."""
    of_study, everybody = hospital.budgets.scopes(data_set, study)
    return of_study.spent, of_study.reserved, everybody.reserved


def test_a_price_is_held_told_and_given_back(hospital: Hospital) -> None:
    told: list[BudgetTold] = []
    hospital.budgets.teller = told.append
    assert hospital.budgets.reserve(use("r1", "cardio", "heart")) == Allowed()
    assert hospital.budgets.reserve(use("r1", "cardio", "heart")) == Allowed() and standing(hospital) == (0, RHO, RHO)
    said = {one.study: (one.reserved, one.everybody_reserved) for one in told}
    assert said == {"": (0, RHO), "heart": (RHO, RHO)}, "to the study its own, to all of them everybody's"
    hospital.budgets.give_back("r1")
    assert standing(hospital) == (0, 0, 0) and told[-1].reserved == 0
    count = len(told)
    hospital.budgets.give_back("r1")
    hospital.budgets.give_back("never held anything")
    assert len(told) == count, "nothing changed, nothing is said"


def test_what_is_held_is_paid_and_others_are_told_how_much_is_left(hospital: Hospital) -> None:
    for run in ("r1", "r2", "r3"):
        assert hospital.budgets.reserve(use(run, "cardio", "heart")) == Allowed()
    denied = hospital.budgets.look(use("r4", "cardio", "heart"))
    assert isinstance(denied, Denied) and denied.codes == ("privacy.study_spent",)
    assert "0 rho left, beside 0.003 that runs in progress hold, and this costs 0.001" in denied.reasons[0].words
    assert isinstance(hospital.budgets.reserve(use("r0", "cardio", "heart")), Waits)
    later = hospital.budgets.reserve(use("r9", "cardio", "heart"))
    assert isinstance(later, Denied) and later.codes == ("privacy.reserved",)
    assert isinstance(hospital.budgets.charge(use("r2", "cardio", "heart")), Charged)
    assert standing(hospital) == (RHO, 2 * RHO, 2 * RHO)
    hospital.budgets.give_back("r2")
    assert standing(hospital) == (RHO, 2 * RHO, 2 * RHO), "what was paid is not given back"


def test_a_policy_that_names_a_budget_counts_what_the_studys_other_runs_hold(hospital: Hospital) -> None:
    alone = hospital.budgets.epsilon(use("r1", "cardio", "heart"))
    hospital.budgets.reserve(use("r1", "cardio", "heart"))
    second = hospital.budgets.epsilon(use("r2", "cardio", "heart"))
    assert second is not None and alone is not None and float(second) > float(alone)
    hospital.budgets.reserve(use("r2", "cardio", "heart"))
    assert hospital.budgets.epsilon(use("r1", "cardio", "heart")) == alone, (
        "who came first is not stopped by who came after"
    )
    assert hospital.budgets.epsilon(use("r2", "cardio", "heart")) == second
    assert (
        hospital.budgets.uses(use("r2", "cardio", "heart")) == 1
        and hospital.budgets.uses(use("r1", "cardio", "heart")) == 0
    )
    hospital.budgets.charge(use("r1", "cardio", "heart"))
    assert hospital.budgets.epsilon(use("r2", "cardio", "heart")) == second


def test_a_price_is_held_of_every_budget_that_shares_a_table(hospital: Hospital) -> None:
    hospital.publish("images", "image")
    assert hospital.ask("r1", "cardio") == () and hospital.ask("r2", "images") == ()
    hospital.publish("images", "image", "person")
    assert hospital.budgets.reserve(use("r3", "images", "heart")) == Allowed()
    assert standing(hospital) == standing(hospital, "images") == (RHO, RHO, RHO)
    assert isinstance(hospital.budgets.charge(use("r3", "images", "heart")), Charged)
    assert standing(hospital) == standing(hospital, "images") == (2 * RHO, 0, 0)
    assert hospital.budgets.reserve(use("r4", "cardio", "heart")) == Allowed()
    denied = hospital.budgets.reserve(use("r5", "images", "heart"))
    assert not isinstance(denied, Allowed) and standing(hospital, "images")[1] == RHO, "all of them or none"
    hospital.budgets.give_back("r4")
    assert standing(hospital) == standing(hospital, "images") == (2 * RHO, 0, 0)


def test_a_run_id_with_another_question_holds_nothing(hospital: Hospital) -> None:
    hospital.publish("images", "image")
    assert hospital.budgets.reserve(use("r1", "cardio", "heart")) == Allowed()
    other = hospital.budgets.reserve(use("r1", "cardio", "lungs"))
    assert isinstance(other, Denied) and other.codes == ("privacy.charged_otherwise",)
    assert standing(hospital, study="lungs") == (0, 0, RHO)
    hospital.budgets.give_back("r1")
    over = hospital.budgets.reserve(use("r1", "cardio", "heart"))
    assert isinstance(over, Denied) and over.codes == ("privacy.reservation_over",)
