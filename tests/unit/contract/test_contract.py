"""Both signed the same terms, with the keys that the agreement pins; states move as the table says."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.terms.uses import FACTS, NOW, PLAN, REQUEST, TERMS, digest

from xinglin.contract.agreement import (
    AGREEMENT,
    Agreement,
    SignedAgreement,
    agreement_facts,
    check_agreement,
    open_agreement,
    open_offer,
    sign_agreement,
)
from xinglin.contract.errors import NotThisAgreement
from xinglin.contract.negotiation import AGREEMENT_STATES, Standing, standing_at
from xinglin.kernel.errors import MalformedMessage
from xinglin.kernel.states import IllegalMove
from xinglin.terms.agreed import Peer
from xinglin.terms.decide import decide
from xinglin.trust.envelope import sign
from xinglin.trust.errors import BadSignature, UnknownParticipant, WrongContext
from xinglin.trust.keys import PrivateKeys, PublicKeys


@cache
def keys(name: str) -> PrivateKeys:
    """The same keys for the same name."""
    return PrivateKeys.generate(lambda size: hashlib.shake_256(name.encode()).digest(size))


class Directory:
    """Knows these parties."""

    def __init__(self, **known: PrivateKeys) -> None:
        self._known = {private.did: private.public for private in known.values()}

    def keys(self, did: str, at: int | None = None) -> PublicKeys:
        if did not in self._known:
            raise UnknownParticipant(did)
        return self._known[did]

    def roles(self, did: str, at: int | None = None) -> frozenset[str]:
        return frozenset()


HOSPITAL, INSTITUTE, STRANGER = keys("hospital"), keys("institute"), keys("stranger")
KNOWN = Directory(a=HOSPITAL, b=INSTITUTE, c=STRANGER)
PAPER = Agreement(
    provider=HOSPITAL.did,
    provider_keys=HOSPITAL.public.digest(),
    consumer=INSTITUTE.did,
    consumer_keys=INSTITUTE.public.digest(),
    study="heart-study",
    data_set="heart",
    terms=TERMS,
    made=NOW,
)


def signed(provider: Agreement = PAPER, consumer: Agreement = PAPER) -> SignedAgreement:
    return SignedAgreement(sign(HOSPITAL, AGREEMENT, provider, pq=True), sign(INSTITUTE, AGREEMENT, consumer, pq=True))


def test_both_sides_open() -> None:
    both = SignedAgreement(sign_agreement(HOSPITAL, PAPER), sign_agreement(INSTITUTE, PAPER))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(both), type=SignedAgreement)
    assert open_agreement(again, KNOWN) == PAPER
    assert open_offer(both.provider, KNOWN).digest() == PAPER.digest()


def test_two_versions_of_one_paper() -> None:
    wider = replace(PAPER, terms=replace(TERMS, allowance=21))
    with pytest.raises(NotThisAgreement):
        open_agreement(signed(PAPER, wider), KNOWN)


def test_both_signatures_of_one_side() -> None:
    one = sign(HOSPITAL, AGREEMENT, PAPER, pq=True)
    with pytest.raises(NotThisAgreement):
        open_agreement(SignedAgreement(one, one), KNOWN)
    both = signed()
    with pytest.raises(NotThisAgreement):
        open_agreement(SignedAgreement(both.consumer, both.provider), KNOWN)


def test_a_stranger_signs() -> None:
    with pytest.raises(NotThisAgreement):
        sign_agreement(STRANGER, PAPER)
    with pytest.raises(NotThisAgreement):
        open_offer(sign(STRANGER, AGREEMENT, PAPER, pq=True), KNOWN)


def test_keys_that_the_agreement_does_not_pin() -> None:
    other = replace(PAPER, provider_keys=digest("other keys"))
    with pytest.raises(NotThisAgreement):
        sign_agreement(HOSPITAL, other)
    with pytest.raises(NotThisAgreement):
        open_offer(sign(HOSPITAL, AGREEMENT, other, pq=True), KNOWN)


def test_both_signatures_are_needed_on_each_side() -> None:
    with pytest.raises(BadSignature):
        open_offer(sign(HOSPITAL, AGREEMENT, PAPER), KNOWN)
    good = sign_agreement(HOSPITAL, PAPER)
    for spoiled in (
        replace(good, signature=bytes(64)),
        replace(good, pq_signature=bytes(len(good.pq_signature))),
        replace(good, payload=good.payload.replace(b'"allowance":20', b'"allowance":99')),
    ):
        with pytest.raises(BadSignature):
            open_offer(spoiled, KNOWN)


def test_signed_for_another_purpose() -> None:
    with pytest.raises(WrongContext):
        open_offer(sign(HOSPITAL, "offer/1", PAPER, pq=True), KNOWN)


def test_an_unregistered_party() -> None:
    with pytest.raises(UnknownParticipant):
        open_agreement(signed(), Directory(a=HOSPITAL))


def test_other_spellings_and_unknown_fields_are_refused() -> None:
    spaced = msgspec.json.format(msgspec.json.encode(PAPER), indent=2)
    with pytest.raises(NotThisAgreement):
        open_offer(sign(HOSPITAL, AGREEMENT, spaced, pq=True), KNOWN)
    more = {**msgspec.to_builtins(PAPER), "also": "this"}
    with pytest.raises(MalformedMessage):
        open_offer(sign(HOSPITAL, AGREEMENT, more, pq=True), KNOWN)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"consumer": HOSPITAL.did},
        {"provider": "somebody"},
        {"provider_keys": "none"},
        {"study": ""},
        {"data_set": "a b"},
        {"replaces": "the old one"},
        {"made": TERMS.expires},
        {"terms": replace(TERMS, purposes=("no-such",))},
        {"terms": replace(TERMS, peers=(Peer(HOSPITAL.did, HOSPITAL.public.digest()),))},
    ],
)
def test_papers_that_cannot_be_made(changes: dict[str, Any]) -> None:
    assert check_agreement(PAPER)
    spoiled = replace(PAPER, **changes)
    assert not check_agreement(spoiled)
    with pytest.raises(NotThisAgreement):
        sign_agreement(HOSPITAL, spoiled)


def test_a_decision_rests_on_the_opened_agreement() -> None:
    plan = replace(PLAN, roster=tuple(sorted((HOSPITAL.did, *(p.did for p in TERMS.peers)))))
    agreements = {one: PAPER.digest() for one in plan.roster}
    plan = replace(plan, agreements=agreements)
    request = replace(REQUEST, plan=plan.digest(), nodes=plan.roster)
    held = agreement_facts(PAPER, "active")
    roster_keys = {peer.did: peer.keys for peer in TERMS.peers}
    facts = replace(FACTS, node=HOSPITAL.did, agreement=held, institution=INSTITUTE.did, roster_keys=roster_keys)
    assert decide(request, plan, facts)
    assert not decide(request, plan, replace(facts, agreement=agreement_facts(PAPER, "terminated")))


def test_the_states_of_an_agreement() -> None:
    standing = Standing(PAPER.digest(), AGREEMENT_STATES.start, 0)
    standing = standing.after("countersign", 1).after("log", 2, index=7)
    assert (standing.state, standing.index) == ("active", 7)
    assert standing.after("suspend", 3).after("resume", 4).state == "active"
    for event in ("countersign", "log", "withdraw", "resume"):
        with pytest.raises(IllegalMove):
            standing.after(event, 5)
    for final in AGREEMENT_STATES.final:
        assert AGREEMENT_STATES.events(final) == ()
    assert AGREEMENT_STATES.final == {"refused", "withdrawn", "lapsed", "replaced", "terminated", "expired"}


@pytest.mark.parametrize("state", AGREEMENT_STATES.states)
def test_the_clock_ends_every_open_state(state: str) -> None:
    standing = Standing(PAPER.digest(), state, 0)
    assert standing_at(standing, 100, 99) == standing
    assert standing_at(standing, 100, 100).state in AGREEMENT_STATES.final
