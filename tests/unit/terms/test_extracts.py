"""What a plan of an extract may ask for, and one more than each limit."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.kernel.verdict import Denied
from xinglin.terms.extracts import COLUMNS, K_MOST, ExtractAsk, ask_of, check_extract
from xinglin.testing.decision_table import WORKSPACE, allowed_use

REQUEST, PLAN, _ = allowed_use("L2", "extract")
ASK = ask_of(PLAN)


def codes(**changes: Any) -> tuple[str, ...]:
    found = ask_of(replace(PLAN, params=PLAN.params | changes))
    return found.codes if isinstance(found, Denied) else ()


def test_an_ask_goes_through_a_plan_and_back() -> None:
    assert isinstance(ASK, ExtractAsk) and ASK.workspace == WORKSPACE
    assert replace(PLAN, params=ASK.to_params()) == PLAN
    assert not list(check_extract(REQUEST, PLAN))


@pytest.mark.parametrize(
    "changes",
    [
        {"k": 1},
        {"k": K_MOST.value + 1},
        {"workspace": "somebody"},
        {"profile": "../etc"},
        {"quasi": ()},
        {"quasi": ["age", "age"]},
        {"quasi": ["age; DROP"]},
        {"sensitive": ["age"]},
        {"quasi": [f"c{n}" for n in range(COLUMNS.value)]},
        {"l": -1},
        {"t": "1.5"},
        {"t": "nan"},
        {"suppressed": "2"},
        {"formats": ()},
        {"formats": ["parquet", "parquet"]},
        {"formats": ["csv"]},
        {"unknown": 1},
        {"l": 2, "sensitive": ()},
    ],
)
def test_what_no_extract_may_ask(changes: dict[str, Any]) -> None:
    assert codes(**changes) and set(codes(**changes)) == {"terms.not_an_extract"}


def test_a_newer_version_is_refused() -> None:
    assert codes(version=2) == ("terms.version",)


def test_as_many_columns_as_the_limit() -> None:
    assert codes(quasi=[f"c{n}" for n in range(COLUMNS.value - 1)], sensitive=["disease"]) == ()
    assert codes(k=K_MOST.value) == ()


def test_an_extract_says_so_twice_and_is_of_one_hospital() -> None:
    other = replace(REQUEST, operation="statistics")
    assert [one.code for one in check_extract(other, PLAN)] == ["terms.not_an_extract"]
    statistics, plan, _ = allowed_use("L2", "statistics")
    assert not list(check_extract(statistics, plan))
    assert [one.code for one in check_extract(replace(statistics, operation="extract"), plan)] == [
        "terms.not_an_extract"
    ]
    many = replace(PLAN, roster=plan.roster)
    assert [one.code for one in check_extract(REQUEST, many)] == ["terms.not_an_extract"]
    low = replace(PLAN, params=PLAN.params | {"k": 9})
    assert [one.code for one in check_extract(REQUEST, low)] == ["terms.k_too_small"]
