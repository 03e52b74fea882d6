"""What an asker is told of an extract's refusal: reasons of texts and published facts, and none of a record."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from xinglin.kernel.verdict import Allowed, Reason, Verdict, deny
from xinglin.node.extracts import NodeExtracts
from xinglin.privacy.deidentify.errors import BadConfiguration, BadProfile, BadRecord, NeedsToday


@pytest.mark.parametrize(
    ("error", "of_rows"), [(BadRecord, True), (BadConfiguration, True), (BadProfile, False), (NeedsToday, False)]
)
def test_a_record_that_cannot_be_deidentified_is_an_answer_about_rows(error: Any, of_rows: bool) -> None:
    record = SimpleNamespace(reasons=(Reason(error.code, "words", "remedy"),))
    desk = SimpleNamespace(database=SimpleNamespace(record=lambda run: record))
    store = SimpleNamespace(mark_of=lambda run: "a mark")
    extracts = cast("NodeExtracts", SimpleNamespace(_desk=desk, store=store))
    assert NodeExtracts.looked(extracts, "run-a") is of_rows


@pytest.mark.parametrize("later", [Allowed(), deny("terms.agreement_ended", "ended", "")])
def test_nothing_is_handed_over_again_under_an_old_view_of_the_log(later: Verdict) -> None:
    views: list[Verdict] = [deny("terms.stale_checkpoint", "old", ""), later]
    done: list[str] = []

    async def recheck(use: Any) -> Verdict:
        return views.pop(0)

    async def deliver(use: Any, package: bytes, commitment: str) -> Verdict:
        done.append("delivered" if not views else "delivered unseen")
        return Allowed()

    extracts = object.__new__(NodeExtracts)
    own: Any = extracts
    own._vault = SimpleNamespace(has=lambda name: True, drop=lambda name: done.append("dropped"))
    own.gate, own.deliver = SimpleNamespace(recheck=recheck), deliver
    own._report, own._stops = (lambda said: None), {}
    asyncio.run(extracts._deliver_again(cast("Any", SimpleNamespace(run="run-a")), "c"))
    assert done == (["delivered"] if isinstance(later, Allowed) else ["dropped"])
