"""One signed application, many hospitals, and a hub that swaps, strips or bends it: each node sees for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.unit.node.three_hospitals import three_hospitals

from xinglin.contract import (
    Agreement,
    Application,
    Study,
    load_template,
    offers,
    sign_agreement,
    sign_application,
)
from xinglin.contract.study import APPLICATION
from xinglin.contract.templates.drafting import APPLICATION_DAYS
from xinglin.node.agreement_desk import answer_about_agreements
from xinglin.terms.agreed import CohortView, Peer
from xinglin.testing.asker import Asker
from xinglin.testing.hostile_hub import Hospital, HostileHub
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.wire.channel import AgreementAnswer, AgreementOrder
from xinglin.wire.desk import DeskCall

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_MS = 86_400_000
TEMPLATE = load_template("statistics")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostileHub]:
    async with three_hospitals(tmp_path_factory.mktemp("space")) as space:
        yield space


@pytest_asyncio.fixture(loop_scope="module")
async def asker(hub: HostileHub, request: pytest.FixtureRequest) -> AsyncIterator[Asker]:
    one = Asker(hub, "study-" + request.node.name.replace("[", ".").replace("]", "")[-80:])
    await hub.checkpoint()
    yield one


def applied(asker: Asker, *names: str, days_ago: int = 0, title: str = "Heart disease 心脏病") -> Application:
    """What the asker applies for at hospitals (default: all three)."""
    hub = asker.hub
    known = [hub.hospitals[name] for name in names or hub.names]
    peers = sorted((Peer(one.did, one.node.keys.public.digest()) for one in known), key=lambda one: one.did)
    return Application(
        Study(asker.study, title, asker.did, asker.did, "health-research", "ethics-waiver"),
        TEMPLATE.name,
        TEMPLATE.digest(),
        asker.data_set,
        (CohortView("cardiac", "SELECT age, sex FROM cardiac"),),
        ("cardiac.age", "cardiac.sex"),
        Peer(asker.did, asker.keys.public.digest()),
        tuple(peers),
        hub.clock() - days_ago * DAY_MS,
    )


def offer_for(at: Hospital, application: Application) -> Agreement:
    return next(one for one in offers(application, TEMPLATE) if one.provider == at.did)


def sent(asker: Asker, at: Hospital, offer: Agreement, application: Signed | None) -> str:
    signed = sign_agreement(asker.keys, offer).to_bytes()
    at.dispatch.take(AgreementOrder(offer.digest(), signed, application.to_bytes() if application else b""))
    return offer.digest()


def states(at: Hospital) -> dict[object, object]:
    return {one["id"]: one["state"] for one in at.node.agreements.list()}


def codes_at(at: Hospital, digest: str) -> set[str]:
    """Why the node refused an offer, in its own answer to the consumer."""
    answers = [one for one in at.channel.of(AgreementAnswer) if one.agreement_id == digest]  # type: ignore[union-attr]
    return {reason.code for reason in answers[-1].reasons}  # type: ignore[union-attr]


async def test_one_application_is_taken_by_every_hospital_and_logged_by_its_digest(
    hub: HostileHub, asker: Asker
) -> None:
    application = applied(asker)
    signed = sign_application(asker.keys, application)
    for at in hub.hospitals.values():
        digest = sent(asker, at, offer_for(at, application), signed)
        shown = await at.node.agreements.approve(digest, at.node.tables.published.get(asker.data_set))
        assert (shown["state"], shown["application"]) == ("active", application.digest())
        one = await answer_about_agreements(at.node, DeskCall("agreement", {"id": digest}))
        assert one["application"]["study"]["title"] == application.study.title  # type: ignore[index]
        assert len(one["application"]["hospitals"]) == 3  # type: ignore[index]
        leaf = next(e for e in map(at.node.view.entry, range(at.node.view.size)) if e.subject == digest)
        assert leaf.body == {"application": application.digest()}
        assert application.study.title.encode() not in leaf.to_bytes()


async def test_an_offer_without_an_application_still_opens(hub: HostileHub, asker: Asker) -> None:
    at, application = hub.hospitals["a"], applied(asker)
    offer = offer_for(at, application)
    old = replace(offer, application=msgspec.UNSET, version=2)
    digest = sent(asker, at, old, None)
    shown = await at.node.agreements.approve(digest, at.node.tables.published.get(asker.data_set))
    assert shown["state"] == "active" and "application" not in shown


async def test_a_hub_that_strips_or_swaps_the_application_gets_nothing_taken(hub: HostileHub, asker: Asker) -> None:
    at, application = hub.hospitals["a"], applied(asker)
    offer, signed = offer_for(at, application), sign_application(asker.keys, application)
    other = sign_application(asker.keys, applied(asker, title="Another study"))
    bent = replace(signed, payload=signed.payload.replace(b"Heart", b"Brain"))
    unsigned = replace(signed, pq_signature=b"")
    stranger = PrivateKeys.generate()
    forged = replace(sign(stranger, APPLICATION, application, pq=True), signer=asker.did)
    for wrong in (None, other, bent, unsigned, forged):
        digest = sent(asker, at, offer, wrong)
        assert digest not in states(at)
    digest = sent(asker, at, offer, signed)
    assert states(at)[digest] == "offered"  # the true one can follow


async def test_an_application_beside_an_offer_that_names_none_is_not_taken(hub: HostileHub, asker: Asker) -> None:
    at, application = hub.hospitals["a"], applied(asker)
    plain = replace(offer_for(at, application), application=msgspec.UNSET, version=2)
    digest = sent(asker, at, plain, sign_application(asker.keys, application))
    assert digest not in states(at)


async def test_an_application_for_other_hospitals_is_refused(hub: HostileHub, asker: Asker) -> None:
    at = hub.hospitals["a"]
    elsewhere, everywhere = applied(asker, "b", "c"), applied(asker)
    offer = replace(offer_for(at, everywhere), application=elsewhere.digest())
    digest = sent(asker, at, offer, sign_application(asker.keys, elsewhere))
    assert states(at)[digest] == "refused"
    assert {"contract.not_applied_here", "contract.not_of_application"} <= codes_at(at, digest)


@pytest.mark.parametrize("bend", ["allowance", "variables", "data_set", "days"])
async def test_an_offer_that_departs_from_its_application_is_refused(hub: HostileHub, asker: Asker, bend: str) -> None:
    at, application = hub.hospitals["b"], applied(asker)
    offer = offer_for(at, application)
    bent = {
        "allowance": replace(offer, terms=replace(offer.terms, allowance=offer.terms.allowance + 1)),
        "variables": replace(offer, terms=replace(offer.terms, variables=("cardiac.age", "cardiac.sex", "cardiac.x"))),
        "data_set": replace(offer, data_set="oncology"),
        "days": replace(offer, terms=replace(offer.terms, expires=offer.terms.expires + DAY_MS)),
    }[bend]
    digest = sent(asker, at, bent, sign_application(asker.keys, application))
    assert states(at)[digest] == "refused"
    assert "contract.not_of_application" in codes_at(at, digest)
    with pytest.raises(Exception, match="The agreement is refused"):
        await at.node.agreements.approve(digest, at.node.tables.published.get(asker.data_set))


async def test_an_application_is_offered_within_its_days_and_not_one_later(hub: HostileHub, asker: Asker) -> None:
    at, days = hub.hospitals["c"], APPLICATION_DAYS.value
    young, old = applied(asker, days_ago=days - 1), applied(asker, days_ago=days)
    taken = sent(asker, at, offer_for(at, young), sign_application(asker.keys, young))
    assert states(at)[taken] == "offered"
    late = sent(asker, at, offer_for(at, old), sign_application(asker.keys, old))
    assert states(at)[late] == "refused"
    assert codes_at(at, late) == {"contract.application_expired"}
    at.clock.off_ms = 2 * DAY_MS  # an offer that waited too long for the officer
    try:
        with pytest.raises(Exception, match="within 180 days"):
            await at.node.agreements.approve(taken, at.node.tables.published.get(asker.data_set))
    finally:
        at.clock.off_ms = 0


async def test_another_template_than_the_one_known_here_is_refused(hub: HostileHub, asker: Asker) -> None:
    at, application = hub.hospitals["a"], applied(asker)
    own = replace(application, template_digest="sha256:" + "5" * 64)
    offer = replace(offer_for(at, application), application=own.digest())
    digest = sent(asker, at, offer, sign_application(asker.keys, own))
    assert codes_at(at, digest) == {"contract.not_of_application"}
    unknown = replace(application, template="mine")
    offer = replace(offer_for(at, application), application=unknown.digest())
    digest = sent(asker, at, offer, sign_application(asker.keys, unknown))
    assert codes_at(at, digest) == {"contract.not_of_application"}
