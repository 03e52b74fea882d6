"""What stands before a simulated run: a log of real leaves, three hospitals with agreements, an approved study."""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec.structs import replace
from tests.unit.access.people import (
    CHARTER,
    DAY_MS,
    EAST,
    FORM,
    INSTITUTE,
    NORTH,
    NOW,
    OPERATOR,
    PEOPLE,
    REGULATOR,
    RESEARCHER,
    SOUTH,
    TERMS,
    keys,
    resolution,
)

from xinglin.access.approval import Resolution, sign_end, sign_notice
from xinglin.access.committee import sign_charter
from xinglin.contract import KIND_OF, Agreement, Change, sign_agreement, sign_change
from xinglin.evidence.entry import Entry
from xinglin.evidence.notes import ED25519, VerifierKey
from xinglin.evidence.policy import Cosigner, LogKey, default_policy
from xinglin.gate import Use
from xinglin.stores.node_rows import AgreementRow
from xinglin.terms.agreed import Peer
from xinglin.terms.request import USE_REQUEST, Plan, UseRequest
from xinglin.trust.envelope import Signed, sign
from xinglin.trust.keys import PrivateKeys
from xinglin.trust.leaves import KeyLeaf, admit, leaf_body, register, revoke, vouch
from xinglin.wire.approvals import approval_leaf
from xinglin.wire.endings import sign_ending
from xinglin.wire.policy import cosigning_key
from xinglin.wire.runs import run_id_of
from xinglin.wire.space import Space

HOSPITALS = tuple(sorted((NORTH, SOUTH, EAST), key=lambda one: one.did))
RECIPIENT = keys("third")
"""Of a house that nothing is revoked of: what is sealed to revoked keys is another matter."""
BEGIN = NOW + 11 * DAY_MS
"""When the runs begin: the approval's vote has closed."""
HOUR = 3_600_000

_LOG = VerifierKey("xinglin.space/simulated", ED25519, OPERATOR.public.ed25519)
_POLICY = default_policy(LogKey(_LOG), [Cosigner("regulator", (cosigning_key("r", REGULATOR.public),))], [])
SPACE = Space("simulated", "https://hub.example", "", _LOG.to_text(), OPERATOR.did, REGULATOR.did, _POLICY.to_text())


def leaf(kind: str, by: PrivateKeys, body: dict[str, Any], subject: str = "", *parties: str) -> bytes:
    """A leaf with a body of its own signature."""
    return Entry(kind=kind, at=BEGIN, submitter=by.did, parties=parties, subject=subject, body=body).to_bytes()


@cache
def resolved() -> tuple[Resolution, Signed]:
    """The committee's resolution, and the document that the hospitals were given."""
    return resolution()


@cache
def agreement(place: int) -> tuple[Agreement, AgreementRow]:
    """The agreement of one hospital with the institute, and its row at that hospital."""
    provider = HOSPITALS[place]
    peers = tuple(Peer(one.did, one.public.digest()) for one in HOSPITALS if one is not provider)
    terms = replace(TERMS, peers=peers, recipients=(RECIPIENT.did,), not_before=NOW)
    made = Agreement(
        provider=provider.did,
        provider_keys=provider.public.digest(),
        consumer=INSTITUTE.did,
        consumer_keys=INSTITUTE.public.digest(),
        study=FORM.study,
        data_set=FORM.data.data_set,
        terms=terms,
        made=NOW,
    )
    mine, theirs = sign_agreement(provider, made).to_bytes(), sign_agreement(INSTITUTE, made).to_bytes()
    index = len(_members()) + 2 + place
    row = AgreementRow(made.digest(), "active", FORM.study, INSTITUTE.did, made.data_set, theirs, mine, index, NOW)
    return made, row


@cache
def _members() -> tuple[bytes, ...]:
    found: list[KeyLeaf] = [
        register(OPERATOR, "operator", ("operator",)),
        register(REGULATOR, "regulator", ("regulator",)),
        admit(register(INSTITUTE, "institute", ("consumer",)), OPERATOR),
        *(admit(register(one, "hospital", ("provider",)), OPERATOR) for one in (NORTH, SOUTH, EAST)),
    ]
    for name, home in PEOPLE.items():
        roles = ("consumer",) if name == "researcher" else ()
        found.append(vouch(admit(register(keys(name), name, roles, home.did), OPERATOR), home))
    return tuple(leaf("key-registration", OPERATOR, leaf_body(one)) for one in found)


@cache
def before() -> tuple[bytes, ...]:
    """The log up to the run: members, a charter, an approval, three agreements in force."""
    made, _ = resolved()
    chair = keys("chair")
    found = [
        *_members(),
        leaf("approval", REGULATOR, approval_leaf("committee", sign_charter(REGULATOR, CHARTER))),
        leaf("approval", chair, approval_leaf("notice", sign_notice(chair, made))),
    ]
    for place, one in enumerate(HOSPITALS):
        found.append(leaf("agreement", one, {}, agreement(place)[0].digest(), one.did, INSTITUTE.did))
    return tuple(found)


@cache
def use() -> Use:
    """One run at all three hospitals."""
    plan = Plan(
        study=FORM.study,
        data_set=FORM.data.data_set,
        sql="SELECT age FROM cardiac",
        algorithm="describe",
        params={"columns": ["age"]},
        roster=tuple(one.did for one in HOSPITALS),
        as_of=NOW,
        agreements={one.did: agreement(place)[0].digest() for place, one in enumerate(HOSPITALS)},
        rules=TERMS.rules,
    )
    request = UseRequest(
        plan=plan.digest(),
        requester=RESEARCHER.did,
        study=plan.study,
        purpose="health-research",
        operation="statistics",
        nonce="nonce-of-the-simulated-run",
        issued=BEGIN,
        expires=BEGIN + 12 * HOUR,
        recipients=(RECIPIENT.did,),
        nodes=plan.roster,
    )
    signed = sign(RESEARCHER, USE_REQUEST, request)
    return Use(run_id_of(signed), signed, request, plan)


def _changed(event: str, by: PrivateKeys, place: int) -> bytes:
    digest = agreement(place)[0].digest()
    body = sign_change(by, Change(event, digest, BEGIN + 1))
    return leaf(KIND_OF[event], by, body, digest, HOSPITALS[place].did, INSTITUTE.did)


def _revoked(did: str, by: PrivateKeys) -> bytes:
    return leaf("key-revocation", by, leaf_body(revoke(did, "compromised", by)), did)


KINDS = (
    "ended by the hospital",
    "ended by the institute",
    "ended by the regulator",
    "suspended by the hospital",
    "suspended by the institute",
    "approval revoked",
    "requester's key revoked",
    "institute's key revoked",
    "study frozen",
)


@cache
def revocation(kind: str, place: int) -> bytes:
    """The leaf by which what the run rests on comes to an end; ``place``: whose agreement, where it is one."""
    if kind == "approval revoked":
        signed = sign_end(keys("chair"), resolved()[0].digest(), "revoked")
        return leaf("revocation", keys("chair"), approval_leaf("end", signed))
    if kind == "requester's key revoked":
        return _revoked(RESEARCHER.did, INSTITUTE)
    if kind == "institute's key revoked":
        return _revoked(INSTITUTE.did, REGULATOR)
    if kind == "study frozen":
        return leaf("freeze", REGULATOR, sign_ending("freeze", FORM.study, REGULATOR))
    by = {"hospital": HOSPITALS[place], "institute": INSTITUTE, "regulator": REGULATOR}[kind.rsplit(" ", 1)[1]]
    return _changed("terminate" if kind.startswith("ended") else "suspend", by, place)
