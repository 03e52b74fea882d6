"""Real nodes, real keys, a real log: what suspends, replaces and ends an agreement at a hospital, and who may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from xinglin.contract import KIND_OF, Agreement, Change, sign_agreement, sign_change
from xinglin.contract.errors import NotThisNotice
from xinglin.evidence.entry import Entry
from xinglin.kernel.instants import from_text
from xinglin.node.agreement_desk import answer_about_agreements
from xinglin.node.blast import blast_radius
from xinglin.node.chains import chain_of
from xinglin.terms.policy import Constraint, Permission, Policy
from xinglin.testing.asker import Asker, furnish
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import AgreementAnswer, AgreementOrder
from xinglin.wire.desk import DeskCall
from xinglin.wire.errors import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLUMNS = ("age", "sex", "trestbps")
COHORT = {"cardiac": f"SELECT {', '.join(COLUMNS)} FROM cardiac"}
VARIABLES = [f"cardiac.{name}" for name in COLUMNS]
SQL, ALGORITHM, PARAMS = "SELECT age, sex FROM cardiac", "describe", {"columns": ["age"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    async with HostileHub(tmp_path_factory.mktemp("space"), names=("a", "b", "c")) as space:
        furnish(space)
        yield space


@pytest_asyncio.fixture(loop_scope="module")
async def asker(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[Asker]:
    one = Asker(hub, "study-" + request.node.name.replace("[", ".").replace("]", "")[-80:])
    await one.agree(COHORT, VARIABLES)
    yield one
    hub.honest()


def paper(asker: Asker, at: Hospital, **changes: Any) -> Agreement:
    """The agreement in force at a hospital, written anew with other terms to replace it."""
    directory = asker.hub.record.directory
    old = asker.agreements[at.did]
    return Agreement(
        provider=at.did,
        provider_keys=directory.keys(at.did).digest(),
        consumer=asker.did,
        consumer_keys=asker.keys.public.digest(),
        study=asker.study,
        data_set=asker.data_set,
        terms=replace(asker.terms[at.did], **changes),
        made=asker.hub.clock(),
        replaces=old,
        version=replace(asker.terms[at.did], **changes).version,
    )


async def offer(asker: Asker, at: Hospital, new: Agreement) -> str:
    at.dispatch.take(AgreementOrder(new.digest(), sign_agreement(asker.keys, new).to_bytes()))
    return new.digest()


async def replaced(asker: Asker, at: Hospital, **changes: Any) -> dict[str, object]:
    """Offer and approve what replaces the agreement in force."""
    new = paper(asker, at, **changes)
    digest = await offer(asker, at, new)
    shown = await at.node.agreements.approve(digest, at.node.tables.published.get(asker.data_set))
    asker.agreements[at.did], asker.terms[at.did] = digest, new.terms
    return shown


def state(at: Hospital, digest: str) -> object:
    return next(one["state"] for one in at.node.agreements.list() if one["id"] == digest)


async def codes(asker: Asker) -> set[str]:
    run = await asker.ask(asker.plan(SQL, ALGORITHM, PARAMS))
    return set() if run.state == "done" else {reason.code for reason in run.view().reasons}


async def test_a_suspended_agreement_allows_no_use_until_it_is_resumed(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    shown = await at.node.agreements.suspend(digest)
    assert (shown["state"], shown["suspended_by"]) == ("suspended", [at.did])
    assert "terms.agreement_not_active" in await codes(asker)
    with pytest.raises(Refused, match="not possible in state"):
        await at.node.agreements.suspend(digest)
    assert (await at.node.agreements.resume(digest))["state"] == "active"
    assert await codes(asker) == set()
    entry = next(e for e in map(at.node.view.entry, range(at.node.view.size)) if e.kind == "agreement-suspension")
    assert entry.parties == (at.did, asker.did)


async def test_the_hospital_does_not_lift_the_consumers_suspension(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    await log_change(asker, Change("suspend", digest, hub.clock()), asker.keys)
    assert state(at, digest) == "suspended"
    with pytest.raises(Refused):
        await at.node.agreements.resume(digest)
    await at.node.agreements.suspend(digest)
    assert (await at.node.agreements.resume(digest))["state"] == "suspended"
    await log_change(asker, Change("resume", digest, hub.clock()), asker.keys)
    assert state(at, digest) == "active"


async def test_an_amendment_replaces_in_one_leaf(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    old, before = asker.agreements[at.did], at.node.view.size
    shown = await replaced(asker, at, allowance=7)
    assert shown["state"] == "active"
    assert shown["replaces"] == old
    assert state(at, old) == "replaced"
    kinds = [at.node.view.entry(index).kind for index in range(before, at.node.view.size)]
    assert kinds.count("agreement-amendment") == 1
    assert "agreement" not in kinds
    assert await codes(asker) == set()
    assert at.channel.of(AgreementAnswer)[-1].accepted  # type: ignore[union-attr]


async def test_a_renewal_is_granted_once(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["b"]
    later = asker.terms[at.did].expires + 86_400_000
    shown = await replaced(asker, at, expires=later)
    assert shown["renewed"] is True
    new = paper(asker, at, expires=later + 86_400_000)
    digest = await offer(asker, at, new)
    assert state(at, digest) == "refused"
    answer = at.channel.of(AgreementAnswer)[-1]
    assert "contract.renewed_before" in {reason.code for reason in answer.reasons}  # type: ignore[union-attr]
    with pytest.raises(Refused, match="The agreement is refused"):
        await at.node.agreements.approve(digest, at.node.tables.published.get(asker.data_set))
    assert (await replaced(asker, at, allowance=3))["renewed"] is True  # an amendment of it does not start anew
    again = await offer(asker, at, paper(asker, at, expires=later + 86_400_000))
    assert state(at, again) == "refused"


@pytest.mark.parametrize("changes", [{"grade": "L3"}, {"recipients": ()}, {"purposes": ("education",)}])
async def test_a_renewal_changes_nothing_else(hub: HostileHub, asker: Asker, changes: dict[str, Any]) -> None:
    at = hub.hospitals["c"]
    new = paper(asker, at, expires=asker.terms[at.did].expires + 1, **{k: v for k, v in changes.items() if v})
    if not changes.get("recipients", True):
        new = replace(new, terms=replace(new.terms, recipients=(at.did,)))
    assert state(at, await offer(asker, at, new)) == "refused"


async def test_what_was_never_agreed_or_is_over_is_not_replaced(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    stray = replace(paper(asker, at), replaces="sha256:" + "0" * 64)
    assert state(at, await offer(asker, at, stray)) == "refused"
    other = Asker(hub, asker.study)
    await hub.checkpoint()
    posing = replace(paper(asker, at), consumer=other.did, consumer_keys=other.keys.public.digest())
    assert state(at, await offer(other, at, posing)) == "refused"
    new = paper(asker, at, allowance=9)
    digest = await offer(asker, at, new)
    assert state(at, digest) == "offered"
    await at.node.agreements.end(asker.agreements[at.did])
    with pytest.raises(Refused, match="terminated"):
        await at.node.agreements.approve(digest, at.node.tables.published.get(asker.data_set))


async def test_an_offer_that_says_it_was_made_in_the_future_is_refused(hub: HostileHub, asker: Asker) -> None:
    """Else a rule on how soon an agreement begins would be judged by the consumer's own word."""
    at, year = hub.hospitals["a"], 365 * 86_400_000
    new = paper(asker, at, not_before=hub.clock() + 10 * year, expires=hub.clock() + 11 * year)
    digest = await offer(asker, at, replace(new, replaces="", made=hub.clock() + 10 * year))
    assert state(at, digest) == "refused"
    answer = at.channel.of(AgreementAnswer)[-1]
    assert {reason.code for reason in answer.reasons} == {"contract.from_the_future"}  # type: ignore[union-attr]


async def test_what_is_terminated_stays_so(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    assert (await at.node.agreements.end(digest))["state"] == "terminated"
    for act in (at.node.agreements.end, at.node.agreements.suspend, at.node.agreements.resume):
        with pytest.raises(Refused, match="The agreement is terminated"):
            await act(digest)
    assert "terms.agreement_not_active" in await codes(asker)


async def test_a_strangers_leaf_or_a_copied_one_changes_nothing(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]
    for stranger in (hub.hospitals["b"].node.keys, hub.operator):
        await log_change(asker, Change("suspend", digest, hub.clock()), stranger)
        await log_change(asker, Change("terminate", digest, hub.clock()), stranger)
    assert state(at, digest) == "active"
    await at.node.agreements.suspend(digest)
    leaf = [e for e in map(at.node.view.entry, range(at.node.view.size)) if e.kind == "agreement-suspension"][-1]
    await at.node.agreements.resume(digest)
    hub.append(replace(leaf, at=hub.clock(), submitter=hub.operator.did))
    await hub.checkpoint()
    assert state(at, digest) == "active"
    assert await codes(asker) == set()


async def test_the_consumers_end_and_the_regulators_hold(hub: HostileHub, asker: Asker) -> None:
    a, b = hub.hospitals["a"], hub.hospitals["b"]
    await log_change(asker, Change("terminate", asker.agreements[a.did], hub.clock()), asker.keys)
    await log_change(asker, Change("suspend", asker.agreements[b.did], hub.clock()), hub.regulator)
    assert state(a, asker.agreements[a.did]) == "terminated"
    assert state(b, asker.agreements[b.did]) == "suspended"
    with pytest.raises(Refused):
        await b.node.agreements.resume(asker.agreements[b.did])
    assert "terms.agreement_not_active" in await codes(asker)


async def test_the_blast_radius_is_shown_before_the_end(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    digest = asker.agreements[at.did]

    def radius() -> Any:
        return blast_radius(at.node.database, at.node.agreements, at.did, digest)

    assert radius().nothing
    assert await codes(asker) == set()
    async with asyncio.timeout(10):
        while not radius().released:
            await asyncio.sleep(0.01)
    shown = radius()
    assert (len(shown.released), shown.stops, shown.stands) == (1, (), ())
    assert shown.released[0][1] >= 0
    assert shown.answers_left == asker.terms[at.did].allowance - 1
    assert shown.recipients == (asker.did,)
    assert set(shown.peers) == {one.did for one in hub.hospitals.values()} - {at.did}
    assert shown.short  # three hospitals are the least, and two would be left
    assert state(at, digest) == "active"
    with pytest.raises(Refused):
        blast_radius(at.node.database, at.node.agreements, at.did, "sha256:" + "0" * 64)


async def log_change(asker: Asker, change: Change, by: PrivateKeys) -> None:
    """A change as its signer logs it, and a checkpoint over it."""
    hub = asker.hub
    body = sign_change(by, change)
    hub.append(Entry(kind=KIND_OF[change.event], at=hub.clock(), submitter=by.did, subject=change.agreement, body=body))
    await hub.checkpoint()


# --- auto-pilot ------------------------------------------------------------------------------------------

RULES = """
[[rule]]
on = "offered"
do = "accept"
data_sets = ["card*"]
envelope = "statistics"

[[rule]]
on = "offered"
do = "refuse"
data_sets = ["cardiology"]
reason = "More than a hundred answers are never given."

[envelope.statistics]
grade = "L2"
purposes = ["health-research"]
operations = ["statistics"]
variables = ["cardiac.*"]
days = 30
allowance = 100
"""


async def offered(hub: HostileHub, asker: Asker, at: Hospital, **changes: Any) -> str:
    """A new agreement like the one in force, offered."""
    new = replace(paper(asker, at, **changes), replaces="")
    return await offer(asker, at, new)


async def settled(at: Hospital, digest: str) -> object:
    """The state of an offer once it is no longer under way."""
    async with asyncio.timeout(10):
        while state(at, digest) == "countersigned" or at.dispatch._tasks:
            await asyncio.sleep(0.01)
    return state(at, digest)


async def test_the_autopilot_accepts_inside_the_envelope_and_refuses_or_holds_the_rest(
    hub: HostileHub, asker: Asker
) -> None:
    at = hub.hospitals["a"]
    file = at.folder / "autopilot.toml"
    file.write_text(RULES)
    try:
        inside = await offered(hub, asker, at, allowance=99)
        assert await settled(at, inside) == "active"
        outside = await offered(hub, asker, at, allowance=101)
        assert await settled(at, outside) == "refused"
        answer = at.channel.of(AgreementAnswer)[-1]
        assert "More than a hundred" in answer.reasons[0].words  # type: ignore[union-attr]
        amendment = await offer(asker, at, paper(asker, at, allowance=9))
        assert await settled(at, amendment) == "offered"  # no rule is for amendments: a person decides
        found = at.node.autopilot.explain(amendment)
        assert (found.do, found.number) == ("hold", 0)
        file.write_text(RULES.replace("accept", "acept"))
        broken = await offered(hub, asker, at, allowance=98)
        assert await settled(at, broken) == "offered"
    finally:
        file.unlink()
    without = await offered(hub, asker, at, allowance=97)
    assert await settled(at, without) == "offered"


AMENDING = RULES.replace('on = "offered"\ndo = "accept"', 'on = "amendment"\ndo = "accept"')


async def test_an_amendment_goes_on_counting(hub: HostileHub, asker: Asker) -> None:
    """A chain of three; the auto-pilot that accepts amendments gives what its envelope allows once."""
    at = hub.hospitals["a"]
    await replaced(asker, at, allowance=1)
    assert await codes(asker) == set()
    await spent(at, 1)
    file = at.folder / "autopilot.toml"
    file.write_text(AMENDING.replace("allowance = 100", "allowance = 2"))
    try:
        for most, found in ((1, {"terms.no_allowance"}), (2, set()), (2, {"terms.no_allowance"})):
            new = paper(asker, at, allowance=most)
            new = replace(new, terms=replace(new.terms, expires=new.terms.expires - 1))
            digest = await offer(asker, at, new)
            assert await settled(at, digest) == "active"
            asker.agreements[at.did], asker.terms[at.did] = digest, new.terms
            assert await codes(asker) == found
            await spent(at, 1 + (most == 2))
    finally:
        file.unlink()
    shown = blast_radius(at.node.database, at.node.agreements, at.did, digest)
    assert shown.answers_left == 0


async def test_uses_are_counted_over_a_renewal(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["b"]
    policy = Policy((Permission("use", (Constraint("count", "lteq", "1"),)),))
    await replaced(asker, at, policy=policy)
    assert await codes(asker) == set()
    await replaced(asker, at, policy=policy, expires=asker.terms[at.did].expires + 86_400_000)
    assert await codes(asker) == {"terms.not_met_count"}


async def spent(at: Hospital, number: int) -> None:
    """Wait until the node has settled ``number`` answers of the study's chain."""
    newest = at.node.database.agreements()[-1].agreement_id
    async with asyncio.timeout(10):
        while at.node.database.allowance("cardiology").used_of(newest, chain_of(at.node.database, newest)) < number:
            await asyncio.sleep(0.01)


async def test_the_desk_answers_about_agreements(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["b"]
    digest = asker.agreements[at.did]

    async def ask(verb: str, **given: str) -> Any:
        return await answer_about_agreements(at.node, DeskCall(verb, {"id": digest, **given}))

    radius = await ask("radius")
    assert (radius["state"], radius["nothing"]) == ("active", True)
    noticed = await ask("breach", what="not-deleted", words="Still there.", by="2099-01-01T00:00:00Z")
    assert (noticed["state"], noticed["logged"], noticed["against"]) == ("noticed", True, asker.did)
    assert noticed["due"] == from_text("2099-01-01T00:00:00Z")
    with pytest.raises(NotThisNotice):
        await ask("breach", what="rudeness", words="No greeting.")
    with pytest.raises(Refused):
        await ask("breach", step="answer", about=noticed["notice"], answer="contested", words="Own notice.")
    closed = await ask("breach", step="close", about=noticed["notice"])
    assert (closed["state"], closed["agreement_state"]) == ("closed", "active")
    assert [one["notice"] for one in await ask("breaches")] == [noticed["notice"]]
    assert (await ask("agreement"))["cases"][0]["state"] == "closed"
    assert (await ask("suspend"))["state"] == "suspended"
    assert (await ask("resume"))["state"] == "active"
    assert (await ask("explain"))["do"] == "hold"
    assert (await ask("end"))["state"] == "terminated"
    log = [at.node.view.entry(index) for index in range(at.node.view.size)]
    assert not any(b"Still there" in entry.to_bytes() for entry in log)
