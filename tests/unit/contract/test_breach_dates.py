"""Instants of papers about breaches: one that cannot be written as a date would break whoever lists the papers."""

from __future__ import annotations

import pytest
from tests.unit.contract.papers import PAPER

from xinglin.contract.breach import DAY_MS, LAST_DATE, BreachAnswer, BreachNotice, check_answer, check_notice
from xinglin.kernel.instants import to_text

AGREEMENT, A, B = PAPER.digest(), PAPER.provider, PAPER.consumer


@pytest.mark.parametrize("made", [-1, LAST_DATE + 1, 10**17])
def test_an_instant_that_is_no_date_is_refused(made: int) -> None:
    assert not check_notice(BreachNotice(AGREEMENT, A, B, "not-paid", "Unpaid.", made))
    assert not check_answer(BreachAnswer(AGREEMENT, AGREEMENT, A, B, "contested", "No.", made))


def test_the_last_date_is_one() -> None:
    notice = BreachNotice(AGREEMENT, A, B, "not-paid", "Unpaid.", LAST_DATE)
    assert check_notice(notice) and to_text(notice.due).startswith("9999-01-")
    late = BreachAnswer(AGREEMENT, AGREEMENT, A, B, "accepted", "Yes.", 1, LAST_DATE + DAY_MS)
    assert not check_answer(late)
