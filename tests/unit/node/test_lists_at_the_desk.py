"""What a console asks a node's desk of lists: no more than it shows, and nothing read twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from xinglin.node import agreements as held
from xinglin.node.budget_desk import _standing
from xinglin.node.desk import answer_at_desk
from xinglin.node.pack_rules import PACKS_FOLDER, NodePacks
from xinglin.stores.node_rows import ReceiptRow
from xinglin.terms.policy import Permission, Policy
from xinglin.testing.asker import Asker, furnish
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.desk import DeskCall

pytestmark = pytest.mark.asyncio(loop_scope="module")
COHORT = {"cardiac": "SELECT age, sex FROM cardiac"}
PACK = 'version = 1\nname = "own"\ntitle = "Own"\n\n[setting.min_cell]\nvalue = {}\nsource = "minutes"\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hospital(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hospital]:
    """A hospital with two studies in force and one offered."""
    async with HostileHub(tmp_path_factory.mktemp("lists"), names=("a", "b", "c")) as hub:
        furnish(hub)
        for study in ("study-one", "study-two"):
            await Asker(hub, study).agree(COHORT, ["cardiac.age", "cardiac.sex"])
        waiting = Asker(hub, "study-three")
        node = hub.hospitals["a"].node
        approve, node.agreements.approve = node.agreements.approve, _not_now  # type: ignore[method-assign]
        await waiting.agree(COHORT, ["cardiac.age"], names=["a"])
        node.agreements.approve = approve  # type: ignore[method-assign]
        yield hub.hospitals["a"]


async def _not_now(*_: Any) -> dict[str, object]:
    return {}


async def asked(hospital: Hospital, verb: str, **given: str) -> Any:
    answer = await answer_at_desk(hospital.node, hospital.channel, DeskCall(verb, given), asyncio.Event())  # type: ignore[arg-type]
    return answer.value


async def test_a_list_of_agreements_is_without_terms_and_reads_no_offer_twice(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, brief = await asked(hospital, "agreements"), await asked(hospital, "agreements", brief="yes")
    assert {one["study"] for one in brief} == {"study-one", "study-two", "study-three"}
    for mine, full in zip(brief, whole, strict=True):
        assert "terms" not in mine and mine["grade"] == full["terms"]["grade"]
        assert mine["expires"] == full["terms"]["expires"] and mine["id"] == full["id"]
    monkeypatch.setattr(held.Signed, "from_bytes", None)
    assert await asked(hospital, "agreements", brief="yes") == brief


async def test_what_waits_comes_with_what_the_rules_say_of_it_and_nothing_else_does(hospital: Hospital) -> None:
    (one,) = await asked(hospital, "agreements", brief="yes", state="offered", explained="yes")
    assert one["study"] == "study-three" and one["state"] == "offered"
    assert one["explained"] == await asked(hospital, "explain", id=one["id"])


async def test_one_description_is_asked_for_by_its_name(hospital: Hospital) -> None:
    (every,) = await asked(hospital, "tables")
    assert list(await asked(hospital, "tables", name=every["name"])) == [every]
    assert not await asked(hospital, "tables", name="nothing")


async def test_receipts_are_counted_and_each_is_held_against_the_log_once(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = hospital.node
    listed = await asked(hospital, "receipts")
    assert await asked(hospital, "receipts", count="yes") == {"kept": len(listed), "lost": 0} and listed
    with monkeypatch.context() as patched:
        patched.setattr(node.view, "leaf", None)
        assert node.evidence.lost() == []
    row = node.database.receipts()[0]
    wrong = ReceiptRow("sha256:" + "0" * 64, row.index, row.kind, row.subject, b"another entry", "")
    node.database.included(node.database.intend(row.kind, "else", wrong.entry), row.index, "")
    assert node.evidence.lost() == [row.index]
    assert await asked(hospital, "receipts", count="yes") == {"kept": len(listed), "lost": 1}


async def test_a_budget_that_nothing_was_set_or_spent_of_reads_as_one_that_was_read(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = hospital.node
    (name,) = node.tables.published
    read = _standing(node.desk.budgets, name, 0)
    assert await asked(hospital, "budget") == [read]
    with monkeypatch.context() as patched:
        patched.setattr(node.desk.budgets, "entries", None)
        assert await asked(hospital, "budget") == [read]
    (capped,) = await asked(hospital, "budget", step="cap", data_set=name, rho="0.001")
    assert capped["entries"] == 1 and capped["scopes"][0]["cap_rho"] == "0.001"
    assert await asked(hospital, "budget") == [capped]


async def test_the_house_policy_is_folded_again_when_an_act_is_added_and_only_then(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = hospital.node.house
    before = house.house()
    assert house.house() is before
    proposed = house.propose(Policy((Permission("use", ()),)), "A lawyer", "words")
    assert set(house.house().open) == {proposed.digest()}


async def test_packs_are_read_again_when_a_file_says_something_else(tmp_path: Path) -> None:
    folder = tmp_path / PACKS_FOLDER
    folder.mkdir()
    packs = NodePacks(tmp_path)
    (folder / "own.toml").write_text(PACK.format(12), encoding="utf-8")
    first = packs._known()
    assert packs._known() is first and first["own"].settings.min_cell == 12
    (folder / "own.toml").write_text(PACK.format(13), encoding="utf-8")
    assert packs._known()["own"].settings.min_cell == 13
