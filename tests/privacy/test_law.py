"""A hospital's law file at a real node: what it asks stands in the way of an agreement and of a use alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.privacy.conftest import COHORT, GLM, SQL, VARIABLES

from xinglin.hub.runs import Coordinator
from xinglin.kernel.instants import system_clock
from xinglin.node.law import kept_check, record, recorded, report
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.terms.sandbox import Pilot, Relaxation, sign_pilot
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.wire.errors import Refused

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

DAY_MS = 86_400_000
PACK = "data_security_law"
ASKS = f"{PACK}.lawful-collection"
UNANSWERED = f"terms.law_unanswered.{ASKS}"
LAW = """packs = ["data_security_law"]

[facts]
data_class = "general"
persons = 100
foreign_court = false
documents = ["processing-rules", "dengbao-filing"]
measures = ["classification", "training", "access-control", "logging", "risk-monitoring", "incident-plan"]
"""


def closed_now() -> str:
    """An hour of every day that does not begin within the next."""
    hour = (datetime.now(ZoneInfo("Asia/Shanghai")).hour + 3) % 24
    return f"Mo-Su {hour:02}:00-{hour:02}:59 Asia/Shanghai"


@pytest.fixture
def strict(hub: HostileHub) -> Iterator[Hospital]:
    """One of the hospitals; its law file is gone again afterwards."""
    one = hub.hospitals["b"]
    yield one
    (one.folder / "law.toml").unlink(missing_ok=True)
    one.node.law._clock = one.clock


def says(hospital: Hospital, text: str) -> None:
    (hospital.folder / "law.toml").write_text(text, encoding="utf-8")


async def run(one: Asker) -> Coordinator:
    return await one.ask(one.plan(SQL, "glm", GLM))


def codes(done: Coordinator) -> set[str]:
    assert done.state == "refused", done.view()
    return {reason.code for reason in done.view().reasons}


async def test_a_question_denies_its_answer_allows_and_its_expiry_denies(hub: HostileHub, strict: Hospital) -> None:
    one, study = Asker(hub, "study-law"), "study-law"
    await one.agree(COHORT, VARIABLES)
    says(strict, LAW)
    done = await run(one)
    assert codes(done) == {UNANSWERED}
    (reason,) = done.view().reasons
    assert "Article 32" in reason.words and "Have a person answer" in reason.remedy
    with pytest.raises(Refused) as refused:
        await Asker(hub, study).agree(COHORT, VARIABLES)
    assert refused.value.codes == (UNANSWERED,)
    assert reason.words == f"b: {refused.value.reasons[0].words}"  # the same, with the hospital's name
    assert reason.remedy == refused.value.reasons[0].remedy

    record(strict.folder, ASKS, True, study, "data officer", 1, "looked at it")
    assert (await run(one)).state == "done"
    again = Asker(hub, study)
    await again.agree(COHORT, VARIABLES)
    agreed = again.agreements[strict.did]
    kept = kept_check(strict.folder, agreed)
    assert kept is not None and kept.report and kept.report.packs[0].name == PACK
    shown = next(row for row in strict.node.agreements.list() if row["id"] == agreed)
    assert set(shown["law"]["packs"]) == {PACK}  # type: ignore[index]

    strict.node.law._clock = lambda: system_clock() + DAY_MS
    assert codes(await run(one)) == {UNANSWERED}
    strict.node.law._clock = strict.clock
    record(strict.folder, ASKS, False, study, "data officer", None, "not so")
    assert codes(await run(one)) == {f"terms.law.{ASKS}"}
    assert [answer.yes for answer in recorded(strict.folder, study)] == [True, False]
    assert not report(strict.folder, one.data_set, study, system_clock())


async def test_a_policy_that_asks_for_a_pack_gets_it_where_nothing_is_left(hub: HostileHub, strict: Hospital) -> None:
    study = "study-pack"
    one = Asker(hub, study)
    policy = Policy((Permission("statistics", (Constraint("lawPack", "hasPart", (PACK,)),)),))
    await one.agree(COHORT, VARIABLES, policy=policy)
    assert codes(await run(one)) == {"terms.unknown_law_pack"}  # no hospital says anything
    for hospital in hub.hospitals.values():
        says(hospital, LAW)
        record(hospital.folder, ASKS, True, study, "data officer", 30, "")
    try:
        assert (await run(one)).state == "done"
        record(strict.folder, ASKS, False, study, "data officer", 30, "")
        assert codes(await run(one)) == {f"terms.law.{ASKS}", "terms.not_met_law_pack"}
    finally:
        for hospital in hub.hospitals.values():
            (hospital.folder / "law.toml").unlink()


async def test_fences_deny_outside_hours_and_networks_and_a_broken_file_denies(
    hub: HostileHub, strict: Hospital
) -> None:
    one = Asker(hub, "study-fenced")
    await one.agree(COHORT, VARIABLES)
    says(strict, f'[fence]\nhours = ["{closed_now()}"]\n')
    assert codes(await run(one)) == {"terms.fence_hours"}
    says(strict, '[study."study-fenced".fence]\nnetworks = ["10.1.0.0/16"]\n')
    assert codes(await run(one)) == {"terms.fence_network"}
    decider = strict.node.runs.gate._ports.decider
    before = decider._site
    try:
        decider._site = msgspec.structs.replace(before, network="10.2.0.0/24")
        assert codes(await run(one)) == {"terms.fence_network"}
        decider._site = msgspec.structs.replace(before, network="10.1.7.0/24")
        assert (await run(one)).state == "done"
    finally:
        decider._site = before
    says(strict, '[fence]\nhourz = ["x"]\n')
    assert codes(await run(one)) == {"terms.law_unreadable"}
    says(strict, "")
    assert (await run(one)).state == "done"


async def test_a_pilot_relaxes_the_hours_until_it_ends(hub: HostileHub, strict: Hospital) -> None:
    one = Asker(hub, "study-pilot")
    await one.agree(COHORT, VARIABLES)
    now, hours = system_clock(), f'hours = ["{closed_now()}"]'
    text = f'{LAW.partition("[facts]")[2].strip()}\n[fence]\n{hours}\n[study."study-pilot"]\npilot = "heart.pilot"\n'
    says(strict, f"[facts]\n{text}")
    assert codes(await run(one)) == {"terms.law_unreadable"}  # the file is not there
    until = now + 10 * DAY_MS
    pilot = Pilot(
        "heart", "Heart pilot", (one.did,), hub.regulator.did, ("health-research",), ("statistics",), (one.data_set,),
        1, 100, now - DAY_MS, until, (Relaxation("terms.fence_hours", "night runs", "an officer looks", until),),
    )  # fmt: skip
    (strict.folder / "heart.pilot").write_bytes(sign_pilot(hub.regulator, pilot).to_bytes())
    assert (await run(one)).state == "done"
    assert codes(await run(one)) == {"terms.fence_hours", "terms.pilot_uses"}
    strict.node.law._clock = lambda: until
    assert codes(await run(one)) >= {"terms.fence_hours", "terms.pilot_ended"}
    strict.node.law._clock = strict.clock
    await hub.checkpoint()
    found = strict.node.law.pilot_report("heart.pilot")
    assert found["relaxed"] and found["by_participant"] == {one.did: 1}
    assert found["final"] is False and not found["beyond"]
