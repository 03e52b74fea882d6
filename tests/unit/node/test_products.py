"""Products of a hospital: nothing but a release of grade L1 leaves the node; what a proxy answers is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from xinglin.kernel.canonical import canonical_bytes
from xinglin.node.hub_answers import HubAway
from xinglin.node.products import NodeProducts
from xinglin.stores.node_database import NodeDatabase
from xinglin.stores.node_rows import RunRow
from xinglin.terms.open_release import L1_PACK
from xinglin.terms.request import Plan
from xinglin.terms.thresholds import DisclosureRules
from xinglin.trust import PrivateKeys
from xinglin.wire.errors import Refused

PLAN = Plan("study-1", "heart", "SELECT 1", "histogram", {}, ("a", "b", "c"), 1, {}, DisclosureRules())
GIVEN = {"run_id": "run-1", "data_set": "did:xinglin:a#heart", "title": "Ages"}


class Ran(NodeDatabase):
    """A node's database in which the gate's record says that a run was delivered."""

    def record(self, run_id: str) -> Any:
        return SimpleNamespace(state="delivered", computed=SimpleNamespace(result=b"{}", salt=bytes(32)))


def products(folder: Path, plan: Plan, answer: httpx.Response, sent: list[httpx.Request]) -> NodeProducts:
    database = Ran.in_folder(folder, lambda: 1)
    database.put_run(RunRow("run-1", "done", b"", canonical_bytes(plan)))

    def hub(asked: httpx.Request) -> httpx.Response:
        sent.append(asked)
        return answer

    client = httpx.AsyncClient(transport=httpx.MockTransport(hub), base_url="https://hub.example")
    evidence: Any = SimpleNamespace(authorised=lambda run: (1,))
    return NodeProducts(PrivateKeys.generate(), database, evidence, client, lambda: 1)


async def test_a_release_of_another_grade_does_not_leave_the_node(tmp_path: Path) -> None:
    sent: list[httpx.Request] = []
    with pytest.raises(Refused) as refused:
        await products(tmp_path, PLAN, httpx.Response(200), sent).deposit(GIVEN)
    assert [one.code for one in refused.value.reasons] == ["terms.not_l1"] and sent == []


async def test_what_is_no_hub_is_named_with_a_next_step(tmp_path: Path) -> None:
    sent: list[httpx.Request] = []
    plan = replace(PLAN, packs=(*PLAN.packs, L1_PACK))
    for number, answer in enumerate((httpx.Response(502, html="<h1>Bad gateway</h1>"), httpx.Response(200, text="{}"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(HubAway) as away:
            await products(folder, plan, answer, sent).deposit(GIVEN)
        assert "doctor" in away.value.remedy
    assert len(sent) == 2
