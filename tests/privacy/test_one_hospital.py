"""One hospital's *no* stops the run: whatever fails there, nobody releases, the log says so, and mended it is answered.

Three real nodes; each condition fails at hospital ``b`` alone. Then the same terms are asked at every other door.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from tests.privacy.conftest import until
from tests.privacy.one_hospital import (
    CONDITIONS,
    OTHERS,
    OUT,
    SPEAKS,
    Condition,
    One,
    charge,
    charged,
    codes,
    kinds,
    leaves,
    uploaded,
    where,
)
from tests.privacy.test_law import closed_now

from xinglin.catalogue.eligible import NO, YES, StudyFacts
from xinglin.catalogue.entry import Listing
from xinglin.connector.entry_terms import HELD, CatalogueTerms
from xinglin.hub.catalogue_desk import CatalogueDesk
from xinglin.hub.runs import Coordinator
from xinglin.kernel.codec import encode_msgpack
from xinglin.kernel.instants import system_clock
from xinglin.kernel.verdict import Denied
from xinglin.lake.delta import Lake
from xinglin.sample import SampleHospital, data_set, descriptions, generate_space, write_hospital
from xinglin.secure import parse
from xinglin.secure.messages import Shares, Total
from xinglin.terms.policy import Constraint, Prohibition
from xinglin.terms.policy_facts import instant_value
from xinglin.testing.asker import PURPOSE, publish
from xinglin.testing.catalogue_memory import MemoryCatalogueStore
from xinglin.testing.decision_table import named_did
from xinglin.testing.hostile_hub import HostileHub
from xinglin.wire.catalogue import EntryCall
from xinglin.wire.channel import Order, Report, RunMessage, RunRelay, RunReleased
from xinglin.wire.dsp.ports import Caller

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest.fixture(scope="module")
def samples() -> Sequence[SampleHospital]:
    """The tables of the three hospitals."""
    return generate_space()[:3]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def space(
    tmp_path_factory: pytest.TempPathFactory, samples: Sequence[SampleHospital]
) -> AsyncIterator[HostileHub]:
    """Three hospitals: the fewest that a total may be of, so that none can be left out."""
    async with HostileHub(tmp_path_factory.mktemp("one"), ("a", "b", "c")) as hub:
        for hospital, sample in zip(hub.hospitals.values(), samples, strict=True):
            write_hospital(sample, Lake(hospital.folder / "lake"))
            publish(hospital, data_set(sample.profile, hospital.did, descriptions()))
        yield hub


@pytest.mark.parametrize("fails", CONDITIONS, ids=lambda one: one.__name__)
async def test_one_refuses_and_nobody_releases(
    hub: HostileHub, samples: Sequence[SampleHospital], fails: Condition
) -> None:
    one = One(hub, "study-" + fails.__name__.replace("_", "-"))
    async with fails(one) as told:
        answered = {name: charged(one, name) for name in hub.names}
        heard = listen(hub)
        done = await one.question()
        await until(lambda: kinds(hub, done.run_id)[SPEAKS])
        assert done.state == "refused" and codes(done) == set(told.split()), done.view()
        nothing_came(one, done)
        says_nothing_of_rows(done, samples)
        the_log_says_that_b_refused(hub, done.run_id, told.split())
        nobody_released(one, done.run_id)
        assert heard and not any(code.encode() in each for code in told.split() for each in heard)
        hub.honest()
        assert {name: charged(one, name) for name in hub.names} == answered
    after = await one.question()
    assert after.state == "done", after.view()
    assert one.opened(after)
    assert all(set(found) >= OUT for found in kinds(hub, after.run_id).values())
    assert {charge(one, name, after.run_id) for name in hub.names} == {"spent"}


@pytest.mark.parametrize("moment", [Shares, Total], ids=("before the sum", "once the sum is known"))
async def test_what_fails_in_the_middle_stops_the_others_too(
    hub: HostileHub, samples: Sequence[SampleHospital], moment: type
) -> None:
    """All have admitted the run; with the first message of ``b``, or the total on its way to it, its fence closes."""
    one = One(hub, "study-middle-" + moment.__name__)
    law = one.b.folder / "law.toml"
    await one.agree_all()

    def closing(did: str, message: Report | Order) -> bool:
        sent = isinstance(message, RunMessage | RunRelay)
        if did == one.b.did and sent and isinstance(parse(message.payload), moment):
            law.write_text(f'[fence]\nhours = ["{closed_now()}"]\n', encoding="utf-8")
        return True

    hub.reports = closing
    hub.orders = lambda did, order: (order,) if closing(did, order) else ()
    try:
        done = await one.question()
    finally:
        hub.honest()
        was = law.exists()
        law.unlink(missing_ok=True)
    assert was and done.over and done.state != "done", done.view()
    nothing_came(one, done)
    says_nothing_of_rows(done, samples)
    found = kinds(hub, done.run_id)
    assert found[SPEAKS] == {"admitted": 1, "ended": 1}
    assert not any(count["delivered"] for count in found.values())
    for name in hub.names:
        assert charge(one, name, done.run_id) == ("spent" if uploaded(one, name, done.run_id) else "returned")
    assert (await one.question()).state == "done"


def listen(hub: HostileHub) -> list[bytes]:
    """Everything that the hub says to the other hospitals from now on."""
    heard: list[bytes] = []

    def keep(did: str, order: Order) -> tuple[Order, ...]:
        if hub.by_did[did].name in OTHERS:
            heard.append(encode_msgpack(order))
        return (order,)

    hub.orders = keep
    return heard


def nothing_came(one: One, done: Coordinator) -> None:
    """The asker has no result, and no hospital handed one over."""
    assert done.result is None or not done.result.sealed
    with pytest.raises(LookupError):
        one.opened(done)
    for hospital in one.hub.hospitals.values():
        reports = [each for each in hospital.channel.of(RunReleased) if each.run_id == done.run_id]  # type: ignore[attr-defined]
        assert not any(each.sealed for each in reports)  # type: ignore[attr-defined]


def says_nothing_of_rows(done: Coordinator, samples: Sequence[SampleHospital]) -> None:
    """Neither a patient nor how many there are."""
    view = done.view()
    words = " ".join([view.words, *(f"{each.words} {each.remedy}" for each in view.reasons)])
    told = set(words.replace(".", " ").replace(",", " ").replace("'", " ").split())
    for sample in samples:
        table = sample.tables["cardiac"]
        patients = {str(each) for each in table.columns["person"]}
        assert not told & patients and str(table.rows) not in told


def the_log_says_that_b_refused(hub: HostileHub, run: str, told: Sequence[str]) -> None:
    """One leaf of ``b``: that it refused, and a salted commitment to why; nothing that one could read."""
    (refused,) = [entry for name, entry in leaves(hub, run) if name == SPEAKS]
    assert refused.kind == "refused" and not refused.body and set(refused.commitments) == {"reasons"}
    assert not any(code.encode() in refused.to_bytes() for code in told)


def nobody_released(one: One, run: str) -> None:
    """Not one message of a round left a hospital; the charge of who had admitted the run came back."""
    found = kinds(one.hub, run)
    for name in one.hub.names:
        assert not OUT & set(found[name])
        assert not uploaded(one, name, run)
        assert not [each for each in one.hub.hospitals[name].channel.of(RunMessage) if each.run_id == run]  # type: ignore[attr-defined]
    assert charge(one, SPEAKS, run) == ""
    for name in OTHERS:
        assert found[name] in (Counter(), Counter({"admitted": 1, "ended": 1})), found
        assert charge(one, name, run) in ("", "returned")


# --- the same at every door ----------------------------------------------------------------------

DOORS = {
    "permitted": (where(Constraint("purpose", "isA", PURPOSE)), ""),
    "purpose": (where(Constraint("purpose", "isA", "education")), "terms.not_met_purpose"),
    "date": (where(Constraint("dateTime", "lt", "2020-01-01T00:00:00Z")), "terms.not_met_date_time"),
    "recipient": (where(Constraint("recipient", "isAnyOf", (named_did("else"),))), "terms.not_met_recipient"),
    "grade": (where(Constraint("grade", "lteq", "L1")), "terms.not_met_grade"),
    "forbidden": (
        where(prohibitions=(Prohibition("use", (Constraint("purpose", "isA", PURPOSE),)),)),
        "terms.prohibited_use",
    ),
    "place": (where(Constraint("place", "isPartOf", ("CN",))), "terms.unknown_place"),
    "count": (where(Constraint("count", "lt", "1")), "terms.not_met_count"),
    "ethics": (where(Constraint("ethicsApproval", "isAnyOf", ("approval-1",))), "terms.not_met_ethics_approval"),
}
"""Terms that ``b`` publishes and has in its agreement, and why the run is then refused."""
ONLY_AT_THE_NODE = {"place": "place", "count": "count", "ethics": "ethicsApproval"}
"""What no door outside the node can know: it says there what is open."""


class NoProduct:
    """No product was deposited."""

    async def find(self, _wanted: object) -> None:
        return None


@pytest.mark.parametrize("name", DOORS)
async def test_every_door_says_what_the_run_is_told(hub: HostileHub, name: str) -> None:
    policy, code = DOORS[name]
    one = One(hub, "study-door-" + name)
    desk = CatalogueDesk(MemoryCatalogueStore(), system_clock, lambda did: hub.by_did[did].name, "https://hub")
    described = one.b.node.tables.described(one.data_set)
    assert not desk.publish(one.b.did, [described], [Listing(one.data_set, policy=policy)])
    (entry,) = desk.visible(one.did)
    now = system_clock()
    stated = StudyFacts("statistics", {"purpose": PURPOSE, "grade": "L2", "dateTime": instant_value(now) or ""})
    seen = desk.entry(EntryCall(entry.entry_id, stated), one.did)
    caller, released = Caller(one.did, (("purpose", PURPOSE),)), NoProduct()
    terms = CatalogueTerms(lambda _id, _who: entry, lambda _who: caller, released, lambda: now)  # type: ignore[arg-type]
    offer = {**(seen.offer or {}), "target": entry.entry_id}
    steps = {
        step: await terms(step, caller, entry.entry_id, offer) for step in ("negotiate", "agree", "transfer", "fetch")
    }
    await one.agree_all({"policy": policy})
    done = await one.question()

    found = seen.standing
    assert found is not None
    if not code:
        assert found.answer == YES and done.state == "done"
        assert not isinstance(steps.pop("negotiate"), Denied)
        assert {code for verdict in steps.values() for code in verdict.codes} == {HELD}
        return
    assert done.state == "refused" and codes(done) == {code}
    nobody_released(one, done.run_id)
    if name in ONLY_AT_THE_NODE:
        operand = ONLY_AT_THE_NODE[name]
        assert found.open == (operand,) and steps.pop("negotiate").conditions == (f"open:{operand}",)
    else:
        assert found.answer == NO and {reason.code for reason in found.reasons} == {code}
        assert set(steps.pop("negotiate").reasons) == set(found.reasons)
        assert all(code in verdict.codes for verdict in steps.values()), steps
    assert all(isinstance(verdict, Denied) and set(verdict.codes) - {HELD} for verdict in steps.values()), steps
