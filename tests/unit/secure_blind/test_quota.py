"""The quota: own patients and a margin, one more is refused; the first declaration of a period holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xinglin.kernel.verdict import Allowed, Denied
from xinglin.secure.blind.keeping import Spending
from xinglin.secure.blind.quota import DAY_MS, PATIENTS, QuotaRule, Standing, batch_digest, judge
from xinglin.stores.blind_ledger import BlindLedger

RULE = QuotaRule(ceilings={"did:big": 50})


def codes(standing: Standing, patients: int, elements: int, node: str = "did:a") -> tuple[str, ...]:
    verdict = judge(RULE, node, standing, patients, elements)
    return verdict.codes if isinstance(verdict, Denied) else ()


def test_the_margin() -> None:
    assert RULE.allowance("did:a", 1000) == 1020
    assert RULE.allowance("did:a", 1001) == 1022
    assert RULE.allowance("did:a", 5) == 15
    assert RULE.allowance("did:big", 10**6) == 60


@pytest.mark.parametrize(("spent", "elements"), [(0, 1021), (1020, 1), (500, 521)])
def test_one_more_than_the_quota(spent: int, elements: int) -> None:
    assert codes(Standing(1000, spent), 1000, elements) == ("secure.quota_spent",)
    assert judge(RULE, "did:a", Standing(1000, spent), 1000, elements - 1) == Allowed() or elements == 1


def test_the_first_declaration_holds() -> None:
    assert codes(Standing(1000, 5), 2000, 1) == ("secure.quota_declared",)
    assert codes(Standing(), 2000, 1) == ()


def test_studies_empty_batches_and_strange_numbers() -> None:
    assert codes(Standing(10, studies=19), 10, 1) == ()
    assert codes(Standing(10, studies=20), 10, 1) == ("secure.quota_studies",)
    assert codes(Standing(10, 0, True, 20), 10, 1) == ()  # a study already begun goes on
    assert codes(Standing(), 10, 0) == ("secure.quota_empty",)
    assert codes(Standing(), -1, 1) == codes(Standing(), PATIENTS.value + 1, 1) == ("secure.quota_patients",)


def test_periods_and_digests() -> None:
    assert RULE.period(90 * DAY_MS) == RULE.period(90 * DAY_MS - 1) + 1
    assert batch_digest("s", [b"a", b"bc"]) != batch_digest("s", [b"ab", b"c"]) != batch_digest("t", [b"ab", b"c"])


def test_a_hospital_grows_by_a_stated_rate_from_one_period_to_the_next() -> None:
    rule = QuotaRule(growth_permille=250, growth_least=10)
    standing = Standing(before=1_000)
    assert judge(rule, "did:a", standing, 1_250, 1)
    refused = judge(rule, "did:a", standing, 1_251, 1)
    assert isinstance(refused, Denied) and refused.codes == ("secure.quota_growth",)
    assert judge(rule, "did:a", Standing(before=8), 18, 1)
    assert judge(QuotaRule(ceilings={"did:a": 5_000}), "did:a", standing, 4_000, 1)  # its holder looked at it


def test_the_ledger_remembers_the_number_of_the_period_before(tmp_path: Path) -> None:
    ledger, rule = BlindLedger.in_folder(tmp_path), QuotaRule(growth_permille=100, growth_least=0)

    def spend(period: int, patients: int, batch: bytes) -> Any:
        return ledger.spend(Spending(batch, "did:a", "s", period, patients, 1, period, bytes(32)), rule)

    assert isinstance(spend(1, 100, b"a"), Spending) and isinstance(spend(2, 110, b"b"), Spending)
    refused = spend(3, 122, b"c")
    assert isinstance(refused, Denied) and refused.codes == ("secure.quota_growth",)
    assert isinstance(spend(3, 121, b"d"), Spending)
    ledger.close()
