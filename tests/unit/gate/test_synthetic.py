"""What a synthetic set has to say of itself before the gate lets it go; a protection that is not told is missing."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from xinglin.gate import Computed, PooledGuard, SyntheticGuard
from xinglin.gate.model import EXTRACT_BYTES
from xinglin.gate.protect import protect
from xinglin.kernel.verdict import Allowed, Denied
from xinglin.testing.decision_table import allowed_use

REQUEST, PLAN, _ = allowed_use("L2", "synthesise")
HERE = PLAN.roster[0]
GUARD = SyntheticGuard(1000, 10**10, "entry", "model", "mark", REQUEST.recipients[0], 5_000)


def verdict(guard: SyntheticGuard | None, plan: Any = PLAN) -> Allowed | Denied:
    pooled = PooledGuard({}, (HERE,), noised=True)
    return protect(plan, HERE, Computed(b"{}", pooled, b"s" * 32, synthetic=guard))


def test_a_set_that_is_paid_marked_and_as_asked_may_leave() -> None:
    assert verdict(GUARD) == Allowed()
    assert verdict(replace(GUARD, rho_units=1)) == Allowed()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"entry": ""}, "gate.not_paid"),
        ({"model": ""}, "gate.not_paid"),
        ({"rho_units": 10**10 + 1}, "gate.overspent"),
        ({"rho_units": 0}, "gate.overspent"),
        ({"mark": ""}, "gate.not_marked"),
        ({"recipient": HERE}, "gate.not_marked"),
        ({"rows": 1001}, "gate.result_size"),
        ({"size_bytes": 0}, "gate.result_size"),
        ({"size_bytes": EXTRACT_BYTES.value + 1}, "gate.result_size"),
        ({"version": 2}, "gate.unprotected"),
    ],
)
def test_what_is_missing_keeps_it_in(changes: dict[str, Any], code: str) -> None:
    assert verdict(replace(GUARD, **changes)).codes == (code,)  # type: ignore[union-attr]


def test_nothing_else_passes_for_a_set() -> None:
    assert verdict(None).codes == ("gate.unprotected",)  # type: ignore[union-attr]
    statistics = allowed_use("L2", "statistics")[1]
    assert "gate.unprotected" in verdict(GUARD, statistics).codes  # type: ignore[union-attr]
