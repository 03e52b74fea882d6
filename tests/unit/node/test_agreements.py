"""The officer's word counts in the states that it is meant for, and in no other."""

from __future__ import annotations

from typing import Any

import pytest

from xinglin.node.agreements import NodeAgreements
from xinglin.stores.node_rows import AgreementRow
from xinglin.wire.errors import Refused

ID = "sha256:" + "a" * 64


class OneRow:
    """A database that holds one agreement and takes no other."""

    def __init__(self, state: str) -> None:
        self.row = AgreementRow(ID, state, "study-1", "did:xinglin:c", "cardiology", b"")

    def agreement(self, agreement_id: str) -> AgreementRow | None:
        return self.row if agreement_id == ID else None


def desk(state: str) -> NodeAgreements:
    nobody: Any = None  # keys, log and evidence are not to be touched before the state is looked at
    database: Any = OneRow(state)
    return NodeAgreements(nobody, nobody, nobody, database, lambda: 0)


@pytest.mark.parametrize("state", ["refused", "withdrawn", "lapsed", "terminated", "expired"])
async def test_what_is_over_is_not_approved_refused_or_ended(state: str) -> None:
    for act in ("approve", "refuse", "end"):
        with pytest.raises(Refused, match=f"The agreement is {state}, not") as refused:
            await _act(desk(state), act)
        assert refused.value.codes == (("node.not_active",) if act == "end" else ("node.not_offered",))


@pytest.mark.parametrize("state", ["offered", "countersigned"])
async def test_only_an_active_agreement_is_ended(state: str) -> None:
    with pytest.raises(Refused) as refused:
        await _act(desk(state), "end")
    assert refused.value.codes == ("node.not_active",)


@pytest.mark.parametrize("state", ["countersigned", "active"])
async def test_only_an_offer_is_refused(state: str) -> None:
    with pytest.raises(Refused) as refused:
        await _act(desk(state), "refuse")
    assert refused.value.codes == ("node.not_offered",)


async def _act(agreements: NodeAgreements, act: str) -> None:
    if act == "approve":
        await agreements.approve(ID, None)
    elif act == "refuse":
        agreements.refuse(ID, "no")
    else:
        await agreements.end(ID)
