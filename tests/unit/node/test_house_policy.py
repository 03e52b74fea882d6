"""Real nodes: decisions are kept and simulated; the hospital's own policy binds offers and tightens what it lists."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from xinglin.catalogue.entry import Listing
from xinglin.cli.app import app
from xinglin.kernel.codec import decode_json
from xinglin.node.decisions import NodeDecisions
from xinglin.node.desk import answer_at_desk
from xinglin.node.listings import LISTINGS_FILE, Listings
from xinglin.node.policy_desk import answer_about_policy
from xinglin.stores.desk import serve_desk
from xinglin.terms.policy import Constraint, Duty, Permission, Policy, Prohibition
from xinglin.testing.asker import Asker, furnish
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.channel import Published
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

COHORT = {"cardiac": "SELECT age, sex FROM cardiac"}
VARIABLES = ["cardiac.age", "cardiac.sex"]
RESEARCH = Policy((Permission("statistics", (Constraint("purpose", "isA", "health-research"),)),))
AT_THE_NODE = Constraint("environment", "eq", "node")
STRICT = Policy((Permission("statistics", (AT_THE_NODE,)),), (), (Duty("acknowledge"),))
CLOSED = Policy((Permission("statistics", (Constraint("purpose", "isA", "public-health"),)),))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    async with HostileHub(tmp_path_factory.mktemp("space"), names=("a", "b", "c")) as space:
        furnish(space)
        yield space


def desk(at: Hospital, step: str, **given: str) -> Any:
    return msgspec.to_builtins(answer_about_policy(at.node, DeskCall("policy", {"step": step, **given})))


def adopt(at: Hospital, policy: Policy | None) -> dict[str, Any]:
    """Put a policy in force by two persons; what the second one saw."""
    given = {"policy": msgspec.json.encode(policy).decode()} if policy is not None else {}
    proposal = desk(at, "propose" if policy is not None else "lift", by="Li Wei", **given)["digest"]
    seen: dict[str, Any] = desk(at, "simulate", by="Wang Fang", proposal=proposal)
    shown = desk(at, "confirm", by="Wang Fang", proposal=proposal, simulation=seen["simulation"])
    assert shown["in_force"] == ("" if policy is None else policy.digest())
    return seen


def kept(at: Hospital) -> Any:
    return NodeDecisions(at.node.terms).last(100, at.clock())


async def xinglin(*words: str) -> tuple[int, Any]:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["--json", *words])
    return done.exit_code, json.loads(done.output)


async def test_each_decision_is_kept_and_a_changed_policy_runs_over_it(hub: HostileHub, tmp_path: Path) -> None:
    asker = Asker(hub, "study-kept")
    await asker.agree(COHORT, VARIABLES, policy=RESEARCH)
    assert (await asker.ask(asker.plan(COHORT["cardiac"], "describe", {"columns": ["age"]}))).state == "done"
    plan = asker.plan(COHORT["cardiac"], "describe", {"columns": ["age"]})
    other = await asker.ask(plan, asker.request(plan, purpose="public-health"))
    assert other.state != "done"
    one = next(at for at in hub.hospitals.values() if len(kept(at)) == 2)  # the first refusal ends the run for others
    refused, allowed = kept(one)
    assert allowed.decided.judged and not allowed.decided.others
    assert not refused.decided.judged and refused.decided.others == ("terms.purpose_not_agreed",)
    assert allowed.decided.asked.values["variable"] == ("cardiac.age", "cardiac.sex")
    body = one.node.terms.last(1, one.clock())[0].body
    assert b"SELECT" not in body and b"study-kept" in body

    file = tmp_path / "policy.json"
    file.write_bytes(msgspec.json.encode(CLOSED))
    code, found = await xinglin("terms", "simulate", str(file), "--folder", str(one.folder))
    assert (code, found["decisions"], found["now_denied"], found["now_allowed"]) == (0, 2, 1, 1)
    assert found["answers_that_change"] == 1  # the other one is refused by its agreement, whatever the policy says
    by_id = {row["id"]: row for row in found["differing"]}
    assert by_id[allowed.id]["after"]["reasons"][0]["code"] == "terms.not_met_purpose"
    assert by_id[refused.id]["moot"]
    code, found = await xinglin("terms", "simulate", str(file), "--folder", str(one.folder), "--last", "1")
    assert (found["decisions"], [row["id"] for row in found["differing"]]) == (1, [refused.id])


async def test_a_node_without_a_policy_of_its_own_is_as_it_was(hub: HostileHub) -> None:
    one = hub.hospitals["b"]
    assert desk(one, "show")["in_force"] == "" and desk(one, "history") == []
    await Asker(hub, "study-as-it-was").agree(COHORT, VARIABLES)


async def test_an_offer_looser_than_the_policy_is_refused_until_it_is_tightened(hub: HostileHub) -> None:
    one = hub.hospitals["b"]
    seen = adopt(one, STRICT)
    try:
        assert seen["agreements"], "agreements made before stay in force, and are named"
        asker = Asker(hub, "study-loose")
        with pytest.raises(Refused) as refused:
            await asker.agree(COHORT, VARIABLES, policy=RESEARCH)
        assert refused.value.codes == ("node.looser_than_house",)
        (row,) = [row for row in one.node.agreements.list() if row["study"] == "study-loose"]
        assert row["state"] == "offered"
        tighter = decode_json(msgspec.json.encode(desk(one, "tightened", id=str(row["id"]))), Policy)
        assert tighter.duties == STRICT.duties
        fresh = Asker(hub, "study-tight")
        await fresh.agree(COHORT, VARIABLES, policy=tighter)
        assert (await fresh.ask(fresh.plan(COHORT["cardiac"], "describe", {"columns": ["age"]}))).state == "done"
    finally:
        adopt(one, None)
    await Asker(hub, "study-after").agree(COHORT, VARIABLES)


async def test_what_the_hospital_lists_is_tightened(hub: HostileHub) -> None:
    one = hub.hospitals["c"]
    listings = Listings(one.folder, one.node.tables, one.node.house)
    listings.keep(Listing("cardiology", policy=RESEARCH))
    assert published(listings) == RESEARCH
    adopt(one, Policy((Permission("use", (AT_THE_NODE,)),), (Prohibition("redistribute"),)))
    try:
        found = published(listings)
        assert found is not None and found.prohibitions == (Prohibition("redistribute"),)
        assert set(found.permissions[0].constraints) == {*RESEARCH.permissions[0].constraints, AT_THE_NODE}
    finally:
        adopt(one, None)
    assert published(listings) == RESEARCH


async def test_a_hub_that_begins_anew_is_told_what_is_listed(hub: HostileHub) -> None:
    at = hub.hospitals["b"]
    listings = Listings(at.folder, at.node.tables, at.node.house)
    listings.keep(Listing("cardiology", policy=RESEARCH, restricted=True))
    sent = len(at.channel.of(Published))
    at.dispatch.new_hub()
    assert at.channel.of(Published)[sent:] == [listings.publication()]
    whole = (at.folder / LISTINGS_FILE).read_bytes()
    (at.folder / LISTINGS_FILE).write_bytes(whole[:-1])
    at.dispatch.new_hub()  # the line to the hub goes on
    assert len(at.channel.of(Published)) == sent + 1
    (at.folder / LISTINGS_FILE).write_bytes(whole)


def published(listings: Listings) -> Policy | None:
    (said,) = msgspec.json.decode(listings.publication().listings, type=tuple[Listing, ...])
    return said.policy


async def test_the_whole_of_it_from_the_command_line(hub: HostileHub, tmp_path: Path) -> None:
    one, stop = hub.hospitals["c"], asyncio.Event()
    channel: Any = one.channel
    server = await serve_desk(one.folder, lambda call: answer_at_desk(one.node, channel, call, stop))
    file, where = tmp_path / "policy.json", ("--folder", str(one.folder))
    file.write_bytes(msgspec.json.encode(STRICT))
    sent = len(one.channel.of(Published))
    try:
        _, proposed = await xinglin("node", "policy", "propose", str(file), "--by", "Li Wei", *where)
        short = proposed["digest"][7:19]
        _, seen = await xinglin("node", "policy", "simulate", short, "--by", "Wang Fang", *where)
        code, no = await xinglin("node", "policy", "confirm", short, seen["simulation"], "--by", "Li Wei", *where)
        assert (code, {one["code"] for one in no["reasons"]}) == (1, {"terms.house_four_eyes", "terms.house_not_seen"})
        code, shown = await xinglin("node", "policy", "confirm", short, seen["simulation"], "--by", "Wang Fang", *where)
        assert (code, shown["in_force"], shown["confirmed_by"]) == (0, STRICT.digest(), "Wang Fang")
        assert len(one.channel.of(Published)) == sent + 1, "what it lists is published anew"
        _, acts = await xinglin("node", "policy", "history", *where)
        assert [act["kind"] for act in acts][-3:] == ["propose", "see", "confirm"]
        _, lifted = await xinglin("node", "policy", "lift", "--by", "Li Wei", *where)
        _, shown = await xinglin("node", "policy", "refuse", lifted["digest"], "--by", "Wang Fang", *where)
        assert shown["open"] == []
        for verb in ("show", "history"):
            done = await asyncio.to_thread(CliRunner().invoke, app, ["node", "policy", verb, *where])
            assert done.exit_code == 0 and "Wang Fang" in done.output
    finally:
        server.close()
        adopt(one, None)


async def test_one_person_cannot_confirm_what_they_proposed(hub: HostileHub) -> None:
    one = hub.hospitals["a"]
    policy = msgspec.json.encode(STRICT).decode()
    proposal = desk(one, "propose", by="Li Wei", policy=policy)["digest"]
    seen = desk(one, "simulate", by="li wei", proposal=proposal)
    with pytest.raises(Refused) as refused:
        desk(one, "confirm", by="LI WEI", proposal=proposal, simulation=seen["simulation"])
    assert refused.value.codes == ("terms.house_four_eyes",)
    assert desk(one, "show")["in_force"] == ""
    desk(one, "refuse", by="Li Wei", proposal=proposal)
    assert [act["kind"] for act in desk(one, "history")] == ["propose", "see", "refuse"]
