"""Asked again: copies of one recipient are one copy; failures are counted, and more are the officer's to allow."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.faults.synthetic_maker import RHO, USER, Child, opened, use_of

from xinglin.gate import Computed
from xinglin.kernel.codec import decode_msgpack
from xinglin.kernel.verdict import Denied
from xinglin.node.engine import EngineDied, EngineTimeout
from xinglin.node.synthetic import FAILURES, NodeSynthetic
from xinglin.stores.privacy_budget import BudgetLedger
from xinglin.terms.synthetic import FAILED
from xinglin.testing.decision_table import named_did
from xinglin.wire.extracts import ExtractPackage

RUNS = tuple(f"run-{number}" for number in range(9))


class Failing(Child):
    """A child whose measuring fails while it is told to, each time in another way."""

    def __init__(self) -> None:
        super().__init__("-")
        self.fails = True

    async def fit(self, request: Any) -> Any:
        if not self.fails:
            return await super().fit(request)
        if request.session == RUNS[0]:
            return Denied((FAILED,))
        raise (EngineDied if request.session == RUNS[1] else EngineTimeout)("A cause that tells.")


def package(node: NodeSynthetic, run: str) -> ExtractPackage:
    return decode_msgpack(node.vault.open(f"{run}.package"), ExtractPackage)


def table(node: NodeSynthetic, run: str) -> pa.Table:
    return pq.read_table(pa.BufferReader(package(node, run).files["rows.parquet"])).replace_schema_metadata(None)


async def test_one_recipient_has_one_copy_however_often_it_asks(tmp_path: Path) -> None:
    clock = count(1_000, 60_000)
    node = opened(tmp_path, Child("-"), RUNS, lambda: next(clock))
    for run in RUNS[:3]:
        assert isinstance(await node.compute(use_of(run)), Computed)
    other = use_of(RUNS[3], recipient=named_did("other"))
    assert isinstance(await node.compute(other), Computed)
    anew = opened(tmp_path, Child("-"), RUNS, lambda: next(clock))
    assert isinstance(await anew.compute(use_of(RUNS[4])), Computed), "after a stop too"
    first = table(node, RUNS[0])
    assert all(table(node, run).equals(first) for run in (*RUNS[1:3], RUNS[4])), "the mark is the first one's"
    assert not table(node, RUNS[3]).equals(first) and other.request.recipients != USER


async def test_after_a_few_failures_no_more_are_tried_until_the_hospital_allows_it(tmp_path: Path) -> None:
    child, ledger = Failing(), BudgetLedger.in_folder(tmp_path)
    node = opened(tmp_path, child, RUNS)
    child.fails = False
    assert isinstance(await node.compute(use_of(RUNS[8], method="mst")), Computed)
    child.fails = True
    for run in RUNS[: FAILURES.value]:
        assert await node.compute(use_of(run)) == Denied((FAILED,)), "one word, whatever the cause"
    spent = ledger.spent("registry")
    child.fails = False
    node = opened(tmp_path, child, RUNS)
    refused = await node.compute(use_of(RUNS[4]))
    assert isinstance(refused, Denied) and refused.codes == ("synthetic.too_many_failed",)
    assert "allow-synthesis" in refused.reasons[0].remedy and ledger.spent("registry") == spent, "and nothing is paid"
    assert isinstance(await node.compute(use_of(RUNS[5], method="mst")), Computed), "what is kept was paid for"
    assert node.allow("registry", "another") == 0 and node.allow("registry", "study") == FAILURES.value
    assert isinstance(await node.compute(use_of(RUNS[6])), Computed) and ledger.spent("registry") == spent + RHO
    assert node.allow("registry", "study") == 0, "what was made counts for nothing"


@pytest.mark.parametrize("times", [2])
async def test_a_run_that_is_taken_up_again_is_one(tmp_path: Path, times: int) -> None:
    child = Failing()
    node = opened(tmp_path, child, RUNS)
    for _ in range(times):
        assert isinstance(await node.compute(use_of(RUNS[2])), Denied)
    assert node.allow("registry", "study") == 1
