"""The hub's board of budgets: a hospital's own statements, the newest, to whom they are for."""

from __future__ import annotations

import pytest

from xinglin.hub.budget_board import BudgetBoard
from xinglin.trust.envelope import sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire import budgets
from xinglin.wire.budgets import BUDGET_CONTEXT, BudgetTold

KEYS, OTHER = PrivateKeys.generate(), PrivateKeys.generate()


def told(keys: PrivateKeys, study: str, spent: int = 0, node: str = "", data_set: str = "heart") -> bytes:
    said = BudgetTold(node or keys.did, data_set, study, 100, spent, 500, spent, 1)
    return sign(keys, BUDGET_CONTEXT, said).to_bytes()


def test_a_study_is_told_its_own_and_another_what_holds_for_any() -> None:
    board = BudgetBoard()
    for data in (told(KEYS, ""), told(KEYS, "study-a", 3), told(KEYS, "study-a", 7), told(OTHER, "")):
        board.take(KEYS.did if OTHER.did.encode() not in data else OTHER.did, data)
    own = [one for one in board.about("heart", "study-a") if one.signer == KEYS.did]
    assert len(own) == 1 and b'"spent":7' in own[0].payload
    assert len(board.about("heart", "study-b")) == 2
    assert not board.about("lung", "study-a")


def test_nobody_speaks_for_another_and_one_more_than_the_limit_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    board = BudgetBoard()
    board.take(OTHER.did, told(KEYS, ""))
    board.take(KEYS.did, told(KEYS, "", node=OTHER.did))
    assert not board.about("heart", "study-a")
    monkeypatch.setattr("xinglin.hub.budget_board.TOLD", budgets.TOLD.__class__("statements", 1, "statements"))
    board.take(KEYS.did, told(KEYS, ""))
    board.take(KEYS.did, told(KEYS, "", data_set="lung"))
    board.take(KEYS.did, told(KEYS, "", 5))
    assert board.about("heart", "x")[0].payload.count(b'"spent":5') == 1 and not board.about("lung", "x")
