"""Budgets as hospitals tell them: what runs in progress hold is shown, and is not left to spend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from xinglin.kernel.codec import decode_json
from xinglin.kernel.instants import system_clock
from xinglin.privacy.noise.reserving import RESERVED_MS
from xinglin.sdk.budgets import Budget, budgets_of
from xinglin.sdk.preview import NoisePreview
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.budgets import BUDGET_CONTEXT, BudgetTold

KEYS = PrivateKeys.generate()


def budget_of(told: BudgetTold, monkeypatch: pytest.MonkeyPatch) -> Budget:
    def opened(signed: Signed, *_: Any) -> BudgetTold:
        return decode_json(signed.payload, BudgetTold)

    monkeypatch.setattr("xinglin.sdk.budgets.open_signed_as", opened)
    space: Any = SimpleNamespace(
        client=SimpleNamespace(get=lambda *_, **__: [sign(KEYS, BUDGET_CONTEXT, told)]),
        log=SimpleNamespace(refresh=lambda: None, record=SimpleNamespace(directory=None)),
        names=dict,
    )
    (found,) = budgets_of(space, told.data_set, told.study)
    return found


def test_what_runs_hold_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = system_clock()
    told = BudgetTold(KEYS.did, "d", "s", 1_000, 100, 5_000, 200, now, "", 1, 300, 4_500)
    found = budget_of(told, monkeypatch)
    assert (found.reserved, found.everybody_reserved, found.left) == (300, 4_500, 300)
    assert found.questions(100) == 3 and found.to_dict()["reserved_rho"] == "0.0000000003"
    old = msgspec.structs.replace(told, at=now - RESERVED_MS.value)
    assert budget_of(old, monkeypatch).left == 900, "what was held so long ago has ended, told or not"


def test_a_statement_of_an_older_hospital_holds_nothing() -> None:
    older = b'{"node":"n","data_set":"d","study":"s","cap":9,"spent":1,"everybody_cap":9,"everybody_spent":1,"at":1}'
    told = decode_json(older, BudgetTold)
    assert (told.reserved, told.everybody_reserved, told.version) == (0, 0, 1)


def test_a_preview_says_what_is_reserved() -> None:
    shown = NoisePreview("0.5", "1/1000000", "0.001", 3, 1, (("persons", 2.0),), (("a", "0.09"),), 90, (("a", "0.01"),))
    assert "a 0.09 (reserved by runs in progress: a 0.01); 90 more questions" in "\n".join(shown.lines())
    quiet = msgspec.structs.replace(shown, reserved=())
    assert "reserved" not in "\n".join(quiet.lines())
