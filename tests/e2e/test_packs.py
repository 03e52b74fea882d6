"""Disclosure packs in real runs: hospitals name different ones, the strictest holds, cells say why, people look."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from xinglin.access.output_review import cast_output_vote
from xinglin.cli.app import app
from xinglin.contract.agreement import sign_agreement
from xinglin.privacy.packs import carried_pack, named_packs, pack_digest, part_of, read_pack, shipped
from xinglin.privacy.packs.carried import tightened
from xinglin.sample import read_heart_disease
from xinglin.sdk import Data, Offer, Refused, Run, Study, Withheld
from xinglin.sdk.offers import Proposal
from xinglin.sdk.plans import send
from xinglin.sdk.run import FINAL
from xinglin.sdk.space import study_id
from xinglin.stores.desk import ask_desk
from xinglin.terms.pack_named import PackPart
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.terms.request import Plan
from xinglin.terms.thresholds import DisclosureRules
from xinglin.testing import SampleSpace
from xinglin.testing.review_space import ReviewSpace
from xinglin.testing.sample_space import DATA_SET, TABLE, wait_until
from xinglin.wire.calls import AgreementCall, AgreementView
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused as RefusedWith

COLUMNS = ("age", "sex", "exang", "disease")
RULES = DisclosureRules(min_cell=5, publish_zeros=True)
OWN = """version = 1
name = "st-luke"
title = "Saint Luke's own"

[setting.min_cell]
value = 6
source = "the hospital's committee, minutes of 2026-03"

[setting.rounding]
value = { kind = "midpoint", base = 5 }
source = "the hospital's committee, minutes of 2026-03"
"""
PEOPLE = """version = 1
name = "looked-at"
title = "Persons look at every result"

[setting.min_cell]
value = 10
source = "the hospital's committee, minutes of 2026-05"

[setting.reviewers]
value = 2
source = "the hospital's committee, minutes of 2026-05"
"""
LOCK = """
[setting.lock_repeats]
value = 1
source = "the hospital's committee, minutes of 2026-06"

[setting.lock_days]
value = 30
source = "the hospital's committee, minutes of 2026-06"
"""
REVIEWERS = ("Ada", "Bela")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]


def digest(text: str) -> str:
    return pack_digest(read_pack(text))


def under(*packs: str) -> Offer:
    constraint = Constraint("disclosurePack", "isAllOf", tuple(sorted(packs)))
    return Offer(rules=RULES, policy=Policy((Permission("use", (constraint,)),)))


def studied(space: SampleSpace, title: str, offers: dict[str, Offer]) -> Data:
    """A study with terms of its own at each hospital that is named, and plain ones at the others."""
    sdk, chosen = space.sdk, sorted(space.dids.values())
    cohort = {TABLE: f"SELECT {', '.join(COLUMNS)} FROM {TABLE}"}
    variables = tuple(f"{TABLE}.{column}" for column in COLUMNS)
    proposal = Proposal(study_id(title, sdk.account.did), DATA_SET, cohort, variables, "health-research")
    sdk.log.refresh()
    wanted = {}
    for hospital, did in space.dids.items():
        if did not in chosen:
            continue
        paper = proposal._agreement(sdk, offers.get(hospital, Offer(rules=RULES)), did, chosen)
        signed = sign_agreement(sdk.account.keys, paper)
        wanted[hospital] = sdk.client.post("/v1/agreements", AgreementCall(signed), AgreementView).agreement_id
    with ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(lambda one: space._approve(*one), wanted.items()))
    study: Study = sdk.study(title).wait(60)
    return space.data(study, COLUMNS)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, heart_disease: Path) -> Iterator[SampleSpace]:
    """The four real hospitals in a space of their own: what they release here, others are not compared with.

    Two have packs of their own, published with their data sets.
    """
    space = SampleSpace(tmp_path_factory.mktemp("packs-space"), read_heart_disease(heart_disease))
    try:
        space.open()
        for hospital, text in (("b", OWN), ("c", PEOPLE)):
            folder = space.node_folder(hospital) / "disclosure_packs"
            folder.mkdir(exist_ok=True)
            (folder / "own.toml").write_text(text, encoding="utf-8")
            space._publish(hospital)
        wait_until(lambda: _published(space), "the packs are published")
        yield space
    finally:
        space.close()


def _published(space: SampleSpace) -> bool:
    space.sdk.data_sets()
    said = space.sdk.packs_said.get(DATA_SET, {})
    return {space.dids["b"], space.dids["c"]} <= {did for did, one in said.items() if one.texts}


@pytest.fixture(scope="module")
def strict(space: SampleSpace) -> Data:
    return studied(space, "two packs", {"a": under("sacro"), "b": under(digest(OWN))})


def test_the_strictest_of_two_hospitals_packs_holds_and_hidden_cells_say_why(space: SampleSpace, strict: Data) -> None:
    preview = strict.preview("crosstab", rows="sex", columns="disease")
    assert {(one.name, one.hospitals) for one in preview.packs} == {("sacro", ("a",)), ("st-luke", ("b",))}
    assert preview.rules.min_cell == 10 and not preview.rules.publish_zeros
    assert "counts from 11 persons on (sacro)" in str(preview) and "midpoint 5" in str(preview)
    exact = studied(space, "no packs", {})
    plain = exact.histogram("age", edges=[20, 30, 35, 40, 50, 60, 70, 80])
    found = strict.histogram("age", edges=[20, 30, 35, 40, 50, 60, 70, 80])
    for told, count in zip(found.counts, plain.counts, strict=True):
        assert told is None or (told - 3) % 5 == 0
        assert told is None or count is None or told == -(-count // 5) * 5 - 2
    hidden = [at for at, told in enumerate(found.counts) if told is None]
    assert 0 in hidden and len(hidden) >= 2, "one alone would follow from the total"
    why = found.why()
    assert len(why) == len(hidden) + (found.total is None)
    assert all("sacro" in words and "fewer than 11 persons" in words for words in why.values())
    assert "hidden: Hidden by pack sacro" in str(found)
    frame = found.to_pandas()
    assert list(frame["why"].str.contains("sacro")) == [told is None for told in found.counts]
    assert found.receipt.verify().opened
    table = strict.crosstab("sex", "disease")
    for row, total in zip(table.counts, table.row_totals, strict=True):
        assert all(one is None or (one - 3) % 5 == 0 for one in (*row, total))
    assert table.persons_used == table.total
    model = strict.glm("disease ~ age", family="binomial")
    assert model.payload["pack"].startswith("sacro+st-luke") and (model.rows_used - 3) % 5 == 0
    assert all(float(f"{value:.4g}") == value for value in model.params.values())


def test_what_a_house_asks_is_in_offers_and_a_locked_question_is_answered_once(space: SampleSpace) -> None:
    folder, text = space.node_folder("d"), OWN.replace("st-luke", "once") + LOCK
    own = folder / "disclosure_packs" / "once.toml"
    own.parent.mkdir(exist_ok=True)
    own.write_text(text, encoding="utf-8")
    policy = under(digest(text)).policy
    said = ask_desk(folder, DeskCall("policy", _step("propose", "Ada", policy=msgspec.json.encode(policy).decode())))
    proposal = said.value["digest"]
    seen = ask_desk(folder, DeskCall("policy", _step("simulate", "Bela", proposal=proposal))).value
    confirm = _step("confirm", "Bela", proposal=proposal, simulation=seen["simulation"])
    ask_desk(folder, DeskCall("policy", confirm))
    try:
        wait_until(lambda: _asks(space, "d") == (digest(text),), "the house's packs are published")
        data = studied(space, "a house with packs", {})
        assert [one.hospitals for one in data.preview("crosstab", rows="sex", columns="exang").packs] == [("d",)]
        assert data.table1("sex", ["age", "disease"]).total
        with pytest.raises(Refused) as again:
            data.table1("sex", ["disease", "age"])
        assert "privacy.repeated" in again.value.codes
    finally:
        lifted = ask_desk(folder, DeskCall("policy", _step("lift", "Ada"))).value["digest"]
        seen = ask_desk(folder, DeskCall("policy", _step("simulate", "Bela", proposal=lifted))).value
        end = _step("confirm", "Bela", proposal=lifted, simulation=seen["simulation"])
        ask_desk(folder, DeskCall("policy", end))
        own.unlink()


def _step(step: str, by: str, **given: str) -> dict[str, str]:
    return {"step": step, "by": by, **given}


def _asks(space: SampleSpace, hospital: str) -> tuple[str, ...]:
    space.sdk.data_sets()
    said = space.sdk.packs_said.get(DATA_SET, {}).get(space.dids[hospital])
    return said.asked if said is not None else ()


def asked(space: SampleSpace, data: Data, **changes: Any) -> Run:
    return send(space.sdk, changed(data.plan("crosstab", rows="sex", columns="disease"), **changes), "health-research")


def changed(plan: Plan, **changes: Any) -> Plan:
    return replace(plan, **changes)


def refused(run: Run) -> set[str]:
    with pytest.raises(Refused) as found:
        run.result()
    return set(found.value.codes)


def test_who_loosens_the_plan_is_refused_by_the_hospitals(space: SampleSpace, strict: Data) -> None:
    plan = strict.plan("crosstab", rows="sex", columns="disease")
    assert plan.named is not None and plan.version == 2
    without = refused(asked(space, strict, disclosure=msgspec.UNSET, version=1))
    assert "terms.pack_not_carried" in without
    loose = named_packs([shipped("datashield")])
    rules = tightened(plan.rules, carried_pack(loose))
    assert "terms.pack_looser" in refused(asked(space, strict, disclosure=loose, rules=rules))
    # The right names over looser settings.
    lied = replace(plan.named, settings={**plan.named.settings, "min_cell": 3})
    assert "terms.pack_looser" in refused(asked(space, strict, disclosure=lied))
    forged = tuple(
        sorted(PackPart(one.name, "sha256:" + "0" * 64) if one.name == "sacro" else one for one in plan.named.parts)
    )
    assert "terms.pack_digest" in refused(asked(space, strict, disclosure=replace(plan.named, parts=forged)))
    assert "terms.pack_rules" in refused(asked(space, strict, rules=RULES))
    noisy = named_packs([shipped("sacro"), read_pack(OWN), shipped("i2b2")])
    assert "analysis.pack_refused" in refused(asked(space, strict, disclosure=noisy))


def test_packs_that_nobody_published_and_further_ones(space: SampleSpace) -> None:
    with pytest.raises(Refused) as found:
        studied(space, "unknown pack", {"a": under("sha256:" + "1" * 64)})
    assert found.value.codes == ("sdk.pack_unknown",)
    data = studied(space, "further packs", {})
    assert data.scope.disclosure is None
    stricter = data.under("sacro").plan("crosstab", rows="sex", columns="disease")
    assert stricter.named is not None and stricter.named.parts == (part_of(shipped("sacro")),)


@pytest.fixture(scope="module")
def people(space: SampleSpace) -> Iterator[ReviewSpace]:
    """Two reviewers at hospital c, known to its log and appointed."""
    persons = ReviewSpace(space)
    for name in REVIEWERS:
        did = persons.person(name, "c").account.did
        wait_until(lambda did=did: _appointed(space, did), "the hospital knows its reviewer")  # type: ignore[misc]
    yield persons
    for one in persons.people.values():
        one.close()


def _appointed(space: SampleSpace, did: str) -> bool:
    try:
        return bool(ask_desk(space.node_folder("c"), DeskCall("extract-reviewers", {"appoint": did})).value)
    except RefusedWith:
        return False


def page_of(space: SampleSpace, run: Run) -> dict[str, Any]:
    def held() -> bool:
        return any(one["run"] == run.id for one in ask_desk(space.node_folder("c"), DeskCall("review-held")).value)

    wait_until(held, "the result is held", 60)
    return dict(ask_desk(space.node_folder("c"), DeskCall("review-page", {"run": run.id})).value)


def vote(space: SampleSpace, people: ReviewSpace, name: str, page: dict[str, Any], choice: str) -> dict[str, Any]:
    keys, node = people.people[name].account.keys, space.dids["c"]
    sealed_to = space.sdk.log.record.directory.keys(node)
    cast = cast_output_vote(keys, node, sealed_to, page["run"], page["shown"], choice)
    text = msgspec.json.encode(cast).decode()
    found = ask_desk(space.node_folder("c"), DeskCall("review-vote", {"run": page["run"], "vote": text})).value
    return dict(found) | {"cast": text}


def test_a_result_waits_for_two_blind_votes_survives_a_kill_and_is_released(
    space: SampleSpace, people: ReviewSpace
) -> None:
    data = studied(space, "looked at", {"c": under(digest(PEOPLE))})
    run = data.ask("histogram", column="age", edges=[20, 50, 80])  # what was not answered under other packs
    page = page_of(space, run)
    assert page["result"]["payload"]["total"] and page["packs"][0]["name"] == "looked-at"
    wait_until(lambda: space.states(run)["c"] == "in review", "the asker sees that it is in review")
    assert "in review" in run.view().words
    first = vote(space, people, "Ada", page, "release")
    assert first["votes_in"] == 1
    with pytest.raises(RefusedWith) as again:
        vote(space, people, "Ada", page, "withhold")
    assert "access.voted_before" in again.value.codes
    # A copied vote is its own reviewer's still, and the asker is no reviewer.
    call = DeskCall("review-vote", {"run": run.id, "vote": first["cast"]})
    with pytest.raises(RefusedWith):
        ask_desk(space.node_folder("c"), call)
    space.kill("c")
    space.start_again("c")
    page = page_of(space, run)
    assert run.view().state not in FINAL, "one vote releases nothing"
    assert vote(space, people, "Bela", page, "release")["votes_in"] == 2
    found = run.result()
    assert found.total and found.receipt.verify().opened
    space.sdk.log.refresh()
    leaves = [one.entry for one in space.sdk.log.about(run.id) if one.entry.kind == "release-authorised"]
    reviewed = [one for one in leaves if "review" in one.commitments]
    assert len(leaves) == 4 and [one.submitter for one in reviewed] == [space.dids["c"]]


def test_one_vote_against_withholds_it(space: SampleSpace, people: ReviewSpace) -> None:
    data = studied(space, "looked at again", {"c": under(digest(PEOPLE))})
    run = data.ask("histogram", column="age", bins=4)
    page = page_of(space, run)
    vote(space, people, "Ada", page, "release")
    folder, account = str(space.node_folder("c")), str(space.folder / "person-Bela")
    held = CliRunner().invoke(app, ["node", "review", "held", "-f", folder])
    assert held.exit_code == 0 and run.id in held.stdout, held.output
    look = CliRunner().invoke(app, ["node", "review", "look", run.id, "-f", folder])
    assert look.exit_code == 0 and "packs: looked-at" in look.stdout and "histogram: age" in look.stdout, look.output
    verb = ["node", "review", "vote", run.id, "-f", folder, "--account", account, "--vote", "withhold"]
    voted = CliRunner().invoke(app, verb)
    assert voted.exit_code == 0 and "votes_in" in voted.stdout, voted.output
    with pytest.raises(Withheld) as withheld:
        run.result()
    assert "privacy.review_withheld" in {one.code for one in withheld.value.reasons}


def test_the_verbs_of_the_hospital(space: SampleSpace, people: ReviewSpace) -> None:
    folder = str(space.node_folder("c"))
    done = subprocess.run(
        [sys.executable, "-m", "xinglin", "node", "review", "packs", "-f", folder, "--json"],
        capture_output=True, check=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert [(one["name"], one["digest"]) for one in said["own"]] == [("looked-at", digest(PEOPLE))]
    assert Path(folder).is_dir()
