"""What a plan of a synthetic set may ask for: every limit, one more than it, and what belongs together."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.verdict import Denied
from xinglin.terms.noise_asked import RHO_LEAST, RHO_MOST
from xinglin.terms.synthetic import (
    FEWEST_ROWS,
    ROWS,
    ROWS_PER_PERSON,
    SYNTHETIC,
    TABLES,
    ChildAsked,
    SyntheticAsk,
    check_synthetic,
    is_handed_over,
    paid_noise,
    synthetic_of,
)
from xinglin.testing.decision_table import allowed_use, named_did

ME = named_did("asker")
ASK = SyntheticAsk(ME, 10**10, 1000)
USE = allowed_use("L2", "synthesise")


def codes(**changes: Any) -> tuple[str, ...]:
    plan = replace(USE[1], params=replace(ASK, **changes).to_params())
    found = synthetic_of(plan)
    return found.codes if isinstance(found, Denied) else ()


def child(**changes: Any) -> ChildAsked:
    return replace(ChildAsked("visits", "SELECT day FROM visits"), **changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rows": FEWEST_ROWS - 1}, "terms.rows"),
        ({"rows": ROWS.value + 1}, "terms.rows"),
        ({"rho_units": RHO_LEAST - 1}, "terms.noise"),
        ({"rho_units": RHO_MOST.value + 1}, "terms.noise"),
        ({"delta": "1/999"}, "terms.noise"),
        ({"delta": "0"}, "terms.noise"),
        ({"delta": "small"}, "terms.noise"),
        ({"method": "gan"}, "terms.not_synthetic"),
        ({"recipient": "me"}, "terms.not_synthetic"),
        ({"rows_per_person": 0}, "terms.not_synthetic"),
        ({"rows_per_person": ROWS_PER_PERSON.value + 1}, "terms.not_synthetic"),
        ({"days": (5, 5)}, "terms.not_synthetic"),
        ({"version": 2}, "terms.version"),
        ({"children": (child(name="persons"),)}, "terms.not_synthetic"),
        ({"children": (child(), child())}, "terms.not_synthetic"),
        ({"children": (child(name="a b"),)}, "terms.not_synthetic"),
        ({"children": (child(sql=" "),)}, "terms.not_synthetic"),
        ({"children": (child(rows_per_person=0),)}, "terms.not_synthetic"),
        ({"children": (child(weight=0),)}, "terms.not_synthetic"),
        ({"children": (child(),), "rows_per_person": 2}, "terms.not_synthetic"),
        ({"children": tuple(child(name=f"t{n}") for n in range(TABLES.value))}, "terms.not_synthetic"),
    ],
)
def test_one_more_than_a_limit_is_refused(changes: dict[str, Any], code: str) -> None:
    assert codes(**changes) == (code,)


def test_what_lies_within_the_limits_is_asked() -> None:
    assert codes() == codes(rows=ROWS.value) == codes(rows=FEWEST_ROWS) == codes(delta="1/1000") == ()
    assert codes(children=(child(),)) == codes(children=tuple(child(name=f"t{n}") for n in range(7))) == ()


def test_who_receives_and_how_many_rows_are_no_part_of_the_question() -> None:
    other = replace(ASK, recipient=named_did("workspace"), rows=2000, delta="1/2000000", fresh=True)
    assert ASK.question() == other.question()
    assert ASK.question() != replace(ASK, rho_units=10**9).question()
    assert ASK.question() != replace(ASK, method="mst").question()


def test_a_set_says_what_it_pays_and_goes_to_one_recipient() -> None:
    request, plan, _ = USE
    paid = paid_noise(plan)
    assert paid is not None and paid.rho_units == 10**10 and is_handed_over(plan)
    assert paid_noise(replace(plan, params={"rows": 5})) is None
    assert not list(check_synthetic(request, plan))
    for changed in (replace(request, recipients=(named_did("x"),)), replace(request, operation="statistics")):
        assert {one.code for one in check_synthetic(changed, plan)} == {"terms.not_synthetic"}
    assert list(check_synthetic(request, replace(plan, algorithm="describe")))
    two = replace(plan, roster=(*plan.roster, named_did("other")))
    assert [one.words for one in check_synthetic(request, two)] == ["A synthetic set is of one hospital."]
    assert plan.algorithm == SYNTHETIC
